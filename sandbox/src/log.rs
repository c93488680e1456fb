//! What a call has logged, within its limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_core::{LogLevel, ScriptLimits};

use crate::api::LogLine;

/// The log of one call. Clones are the same log, so that whoever made the call can read it while the script runs.
#[derive(Debug, Clone, Default)]
pub struct CallLog(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    /// Those that nobody has taken.
    lines: Vec<LogLine>,
    /// How many there were in all, with those that are left out.
    count: usize,
    bytes: usize,
    left_out: usize,
}

impl CallLog {
    /// Takes the lines that were written since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut self.lock().lines)
    }

    /// Whether the call has written as many lines as it may.
    pub(crate) fn is_full(&self, limits: &ScriptLimits) -> bool {
        self.lock().count >= limits.log_lines as usize
    }

    /// Adds a line, or counts it if the log would be too long with it.
    pub(crate) fn add(&self, line: LogLine, limits: &ScriptLimits) {
        let mut log = self.lock();
        log.count += 1;
        log.bytes = log.bytes.saturating_add(line.message.len());
        if log.bytes > limits.log_bytes as usize {
            log.left_out += 1;
        } else {
            log.lines.push(line);
        }
    }

    /// Takes the last lines of a call that is over, with a note if some are left out.
    pub(crate) fn finish(&self, limits: &ScriptLimits) -> Vec<LogLine> {
        let mut lines = self.take();
        let left_out = self.lock().left_out;
        if left_out > 0 {
            let message = format!(
                "{left_out} line(s) left out: one call may log `limits.script.log_bytes` = {}",
                limits.log_bytes
            );
            lines.push(LogLine { level: LogLevel::Warn, message });
        }
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
