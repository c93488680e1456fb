//! Log lines of scripts.

use crate::text::text_enum;

text_enum! {
    /// How loud a script's log line is.
    pub enum LogLevel ("a log level") {
        /// `console.debug`.
        Debug = "debug",
        /// `console.log`.
        Log = "log",
        /// `console.warn`.
        Warn = "warn",
        /// `console.error`.
        Error = "error",
    }
}
