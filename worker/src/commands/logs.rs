//! `logs`: what a run, or all runs of a session, logged.

use serde::Serialize;
use windlass_api::service::Service;
use windlass_store::{LogEntry, LogSource};

use super::watch::wait_to_read_again;
use crate::cli::LogsArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Logs {
    lines: Vec<LogEntry>,
    /// Whether they are of several handlers, which are then named.
    #[serde(skip)]
    names_handlers: bool,
}

impl Logs {
    const fn new(of: LogSource, lines: Vec<LogEntry>) -> Self {
        Self { lines, names_handlers: matches!(of, LogSource::Session(_)) }
    }
}

pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let of = service.find_log(&args.of).await?;
    if args.follow {
        follow(context, &service, of).await?;
    } else {
        context.output.print(&Logs::new(of, service.logs(of, 0).await?))?;
    }
    Ok(ExitStatus::Done)
}

/// Prints lines as they are stored; for a program all of them at the end, as one document.
async fn follow(context: &Context, service: &Service, of: LogSource) -> Result<()> {
    let mut all = Vec::new();
    let mut after_seq = 0;
    let mut wake_ups = service.store.wake_ups();
    loop {
        // Read before the lines: once it has ended, all its lines are there.
        let is_open = service.is_log_open(of).await?;
        let fresh = service.logs(of, after_seq).await?;
        after_seq = fresh.last().map_or(after_seq, |entry| entry.seq);
        if context.output.is_json() {
            all.extend(fresh);
        } else if !fresh.is_empty() {
            context.output.print(&Logs::new(of, fresh))?;
        }
        if !is_open {
            break;
        }
        wait_to_read_again(&mut wake_ups).await;
    }
    if context.output.is_json() { context.output.print(&Logs::new(of, all)) } else { Ok(()) }
}

impl Printable for Logs {
    fn write(&self, page: &mut TextPage) {
        if self.lines.is_empty() {
            page.line("It logged nothing.");
        }
        for entry in &self.lines {
            let handler = entry.handler.as_deref().filter(|_| self.names_handlers);
            write_entry(page, entry, handler);
        }
    }
}

/// Writes one line of a log, with the name of its handler where there is one.
pub(crate) fn write_entry(page: &mut TextPage, entry: &LogEntry, handler: Option<&str>) {
    let (time, level) = (page.time(entry.created_at), entry.level);
    match handler {
        Some(handler) => {
            page.line_with_text(format_args!("{time} {level:<5} {handler}: "), &entry.message, 4);
        }
        None => page.line_with_text(format_args!("{time} {level:<5} "), &entry.message, 4),
    }
}
