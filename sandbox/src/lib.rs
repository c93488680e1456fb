//! Runs one call of a workflow script in V8, with nothing ambient, under limits.
//!
//! (front page: to be completed with the implementation)

mod api;
mod buffers;
mod builtins;
mod check;
mod code;
mod context;
mod control;
mod cores;
mod current;
mod engine;
mod exception;
mod execution;
mod fault;
mod heap;
mod host;
mod platform;
mod pool;
mod priority;
mod quarantine;
mod rejection;
mod sandbox;
mod source;
mod stack;
mod thread;
mod trap;
mod turn;
mod value;
mod watchdog;

pub use api::{Call, Ending, Function, Host, HostCall, LogLevel, LogLine, Reply, Report, Script};
pub use platform::{initialize, initialize_in_tests};
pub use sandbox::{Options, Sandbox};
