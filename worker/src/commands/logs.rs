//! `logs`: what a run's script logged.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use windlass_api::service::Service;
use windlass_core::RunId;
use windlass_store::{AnyId, LogEntry, LogFilter};

use super::Context;
use crate::exit::{CommandError, Ending, Result};
use crate::output::{Answer, Page};

/// How long a followed run is left alone when nothing is heard of it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The id of the run
    run: String,
    /// Wait for more until the run has ended
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Logs(Vec<LogEntry>);

pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let AnyId::Run(run) = service.store.resolve_id(service.workspace, &args.run).await? else {
        return Err(CommandError::Usage {
            message: format!("`{}` is no run", args.run),
            hint: Some("give an id that begins with `run_`; `windlass runs` lists them".to_owned()),
        });
    };
    if args.follow {
        follow(context, &service, run).await?;
    } else {
        let logs = service
            .store
            .logs(LogFilter { workspace: service.workspace, run, after_seq: 0 })
            .await?;
        context.output.answer(&Logs(logs))?;
    }
    Ok(Ending::Done)
}

/// Prints lines as they are checkpointed; for a program all of them at the end, as one document.
async fn follow(context: &Context, service: &Service, run: RunId) -> Result<()> {
    let mut seen = Vec::new();
    let mut after_seq = 0;
    let mut wake_ups = service.store.wake_ups();
    loop {
        // Asked before the lines are read: what an ended run logged is there to be read.
        let is_open = service.store.run(service.workspace, run).await?.status.is_open();
        let fresh =
            service.store.logs(LogFilter { workspace: service.workspace, run, after_seq }).await?;
        after_seq = fresh.last().map_or(after_seq, |entry| entry.seq);
        if context.output.is_json() {
            seen.extend(fresh);
        } else if !fresh.is_empty() {
            context.output.answer(&Logs(fresh))?;
        }
        if !is_open {
            break;
        }
        // On neither database does a commit wake anybody that brings no work, such as lines alone or a run's end.
        let _woken_or_not = tokio::time::timeout(LOOK_AGAIN_AFTER, wake_ups.wait()).await;
    }
    if context.output.is_json() { context.output.answer(&Logs(seen)) } else { Ok(()) }
}

impl Answer for Logs {
    fn write(&self, page: &mut Page) {
        for entry in &self.0 {
            write_entry(page, entry);
        }
    }
}

/// Writes one line of a log.
pub(crate) fn write_entry(page: &mut Page, entry: &LogEntry) {
    let time = page.time(entry.created_at);
    page.line(format_args!("{time} {:<5} {}", entry.level, entry.message));
}
