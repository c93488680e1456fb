//! Lines of logs.

use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::{LogLevel, RunId, Timestamp};
use windlass_store::LogEntry;

/// A line of a log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(in crate::http) struct LogLineView {
    /// Its number in the log of its session, from 1.
    seq: u32,
    /// The run that logged it, as long as that is kept.
    #[schema(value_type = Option<String>)]
    run: Option<RunId>,
    /// The handler of that run.
    handler: Option<String>,
    /// `log`, `warn` or `error`, and what else scripts have.
    #[schema(value_type = String)]
    level: LogLevel,
    /// The text.
    message: String,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<LogEntry> for LogLineView {
    fn from(entry: LogEntry) -> Self {
        Self {
            seq: entry.seq,
            run: entry.handler_run_id,
            handler: entry.handler,
            level: entry.level,
            message: entry.message,
            created_at: entry.created_at,
        }
    }
}
