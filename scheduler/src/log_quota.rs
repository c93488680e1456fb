//! How much each workflow may log within an hour, as far as this worker runs it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windlass_core::{LogLevel, WorkflowId};
use windlass_store::NewLog;

use crate::boot_instant::BootInstant;

/// How long a count lasts.
const WINDOW: Duration = Duration::from_secs(60 * 60);

/// How many workflows are counted before the finished counts are removed.
const SWEEP_AT: usize = 1_000;

/// The bytes that workflows have logged in the present hour. Each hour begins with the workflow's first line.
#[derive(Debug, Default)]
pub(crate) struct LogQuota(Mutex<HashMap<WorkflowId, Logged>>);

#[derive(Debug)]
struct Logged {
    since: BootInstant,
    bytes: u64,
}

impl LogQuota {
    /// The lines that a workflow may still log of these, and a note in place of the others.
    pub(crate) fn take(
        &self,
        workflow: WorkflowId,
        mut lines: Vec<NewLog>,
        max: u64,
    ) -> Vec<NewLog> {
        if lines.is_empty() {
            return lines;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SWEEP_AT {
            all.retain(|_, logged| logged.since.elapsed() < WINDOW);
        }
        let none = || Logged { since: BootInstant::now(), bytes: 0 };
        let logged = all.entry(workflow).or_insert_with(none);
        if logged.since.elapsed() >= WINDOW {
            *logged = none();
        }
        let mut fits = |line: &NewLog| {
            let bytes = u64::try_from(line.message.len()).unwrap_or(u64::MAX);
            logged.bytes = logged.bytes.saturating_add(bytes);
            logged.bytes <= max
        };
        let kept = lines.iter().take_while(|line| fits(line)).count();
        drop(all);
        if kept < lines.len() {
            let left_out = lines.len() - kept;
            lines.truncate(kept);
            lines.push(NewLog {
                level: LogLevel::Warn,
                message: format!(
                    "{left_out} line(s) left out: within an hour a workflow may log `limits.script.log_bytes_per_hour` = {max}"
                ),
            });
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::{Id as _, Timestamp};

    use super::*;

    fn lines(texts: &[&str]) -> Vec<NewLog> {
        let line = |text: &&str| NewLog { level: LogLevel::Log, message: (*text).to_owned() };
        texts.iter().map(line).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_workflow_logs_no_more_than_its_bytes_within_an_hour() {
        let quota = LogQuota::default();
        let [busy, calm] = [1, 2].map(|at| WorkflowId::mint(Timestamp::from_micros(at)));
        let log = |workflow, texts: &[&str]| {
            let kept = quota.take(workflow, lines(texts), 10);
            kept.into_iter().map(|line| line.message).collect::<Vec<_>>()
        };
        let note = "line(s) left out: within an hour a workflow may log `limits.script.log_bytes_per_hour` = 10";

        assert_eq!(log(busy, &["12345", "12345"]), ["12345", "12345"]);
        assert_eq!(log(busy, &["1", "2"]), [format!("2 {note}")]);
        assert_eq!(log(calm, &["12345", "123456", "1"]), ["12345".to_owned(), format!("2 {note}")]);
        tokio::time::advance(WINDOW).await;
        assert_eq!(log(busy, &["12345"]), ["12345"]);
    }
}
