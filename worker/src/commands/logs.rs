//! `logs`: what a run's script logged.

use std::time::Duration;

use serde::Serialize;
use windlass_api::service::{Service, ServiceError};
use windlass_core::RunId;
use windlass_store::{LogEntry, StoreError};

use crate::cli::LogsArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// How long to wait for a wake-up before a followed run is read again.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Logs(Vec<LogEntry>);

pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let run = find_run(&service, &args.run).await?;
    if args.follow {
        follow(context, &service, run).await?;
    } else {
        context.output.print(&Logs(service.logs(run, 0).await?))?;
    }
    Ok(ExitStatus::Done)
}

/// The run with this id or part of an id, or else the newest one of the workflow of this name.
async fn find_run(service: &Service, name_or_id: &str) -> Result<RunId> {
    match service.newest_run(name_or_id).await {
        Err(ServiceError::Store(StoreError::NotFound { .. })) => {
            Ok(service.find_run(name_or_id).await?)
        }
        found => Ok(found?),
    }
}

/// Prints lines as they are checkpointed; for a program all of them at the end, as one document.
async fn follow(context: &Context, service: &Service, run: RunId) -> Result<()> {
    let mut all = Vec::new();
    let mut after_seq = 0;
    let mut wake_ups = service.store.wake_ups();
    loop {
        // Read before the lines: once the run has ended, all its lines are there.
        let is_open = service.store.run(service.workspace, run).await?.status.is_open();
        let fresh = service.logs(run, after_seq).await?;
        after_seq = fresh.last().map_or(after_seq, |entry| entry.seq);
        if context.output.is_json() {
            all.extend(fresh);
        } else if !fresh.is_empty() {
            context.output.print(&Logs(fresh))?;
        }
        if !is_open {
            break;
        }
        // A commit without new work, such as log lines or a run's end, sends no wake-up on either database.
        let _woken_or_not = tokio::time::timeout(READ_AGAIN_AFTER, wake_ups.wait()).await;
    }
    if context.output.is_json() { context.output.print(&Logs(all)) } else { Ok(()) }
}

impl Printable for Logs {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            page.line("It logged nothing.");
        }
        for entry in &self.0 {
            write_entry(page, entry);
        }
    }
}

/// Writes one line of a log.
pub(crate) fn write_entry(page: &mut TextPage, entry: &LogEntry) {
    let time = page.time(entry.created_at);
    page.line_with_text(format_args!("{time} {:<5} ", entry.level), &entry.message, 4);
}
