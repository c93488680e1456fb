//! `prune`: removes what is over and old, or tells how much that would be.

use windlass_api::service::{PruneMode, PruneReport, PrunedKind};

use crate::cli::PruneArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

pub(crate) async fn run(context: &Context, args: &PruneArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let mode = if args.dry_run { PruneMode::Count } else { PruneMode::Remove };
    let report = service.prune(&context.settings.policy.retention, mode).await?;
    context.output.print(&report)?;
    Ok(ExitStatus::Done)
}

impl Printable for PruneReport {
    fn write(&self, page: &mut TextPage) {
        let rows = self.kinds.iter().map(|PrunedKind { kind, kept, count }| {
            [kind.to_string(), kept.to_string(), count.to_string()]
        });
        let header = if self.dry_run { "WOULD GO" } else { "REMOVED" };
        page.table(["KIND", "KEPT", header], rows.collect());
    }
}
