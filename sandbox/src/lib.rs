//! Runs one call of a workflow script in V8, with nothing ambient, under limits.
//!
//! (front page: to be completed with the implementation)

mod api;

pub use api::{Call, Ending, Function, Host, HostCall, LogLevel, LogLine, Reply, Report, Script};
