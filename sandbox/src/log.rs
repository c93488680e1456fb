//! What a call has logged, within its limits.

use windlass_core::{LogLevel, ScriptLimits};

use crate::api::LogLine;

/// The log of one call.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Vec<LogLine>,
    bytes: usize,
    left_out: usize,
}

impl Log {
    /// Whether the call has written as many lines as it may.
    pub(crate) const fn is_full(&self, limits: &ScriptLimits) -> bool {
        self.lines.len() + self.left_out >= limits.log_lines as usize
    }

    /// Adds a line, or counts it if the log would be too long with it.
    pub(crate) fn add(&mut self, line: LogLine, limits: &ScriptLimits) {
        self.bytes = self.bytes.saturating_add(line.message.len());
        if self.bytes > limits.log_bytes as usize {
            self.left_out += 1;
        } else {
            self.lines.push(line);
        }
    }

    /// The lines, with a note if some are left out.
    pub(crate) fn into_lines(mut self, limits: &ScriptLimits) -> Vec<LogLine> {
        if self.left_out > 0 {
            let message = format!(
                "{} line(s) left out: one call may log `limits.script.log_bytes` = {}",
                self.left_out, limits.log_bytes
            );
            self.lines.push(LogLine { level: LogLevel::Warn, message });
        }
        self.lines
    }
}
