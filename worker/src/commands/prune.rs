//! `prune`: removes what is over and old, or tells what that would be.

use clap::Args;
use serde::Serialize;
use windlass_core::{Age, RecordKind};
use windlass_scheduler::RecordCounts;

use super::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Only tell how much would be removed
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct Pruned {
    dry_run: bool,
    kinds: Vec<Kind>,
}

#[derive(Debug, Serialize)]
struct Kind {
    kind: RecordKind,
    /// How long they are kept after they were over.
    kept: Age,
    /// How many were removed, or would be.
    count: u64,
}

pub(crate) async fn run(context: &Context, args: &PruneArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let retention = &context.settings.policy.retention;
    let counts: RecordCounts = if args.dry_run {
        windlass_scheduler::prunable(&*service.store, retention).await?
    } else {
        windlass_scheduler::prune(&*service.store, retention).await?
    };
    let kinds =
        counts.into_iter().map(|(kind, count)| Kind { kind, kept: retention.of(kind), count });
    context.output.answer(&Pruned { dry_run: args.dry_run, kinds: kinds.collect() })?;
    Ok(Ending::Done)
}

impl Answer for Pruned {
    fn write(&self, page: &mut Page) {
        let rows = self.kinds.iter().map(|Kind { kind, kept, count }| {
            [kind.to_string(), kept.to_string(), count.to_string()]
        });
        let header = if self.dry_run { "WOULD GO" } else { "REMOVED" };
        page.table(["KIND", "KEPT", header], rows.collect());
    }
}
