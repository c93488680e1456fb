//! The parts of the `windlass` binary: its command line, its tools, and what it tells script authors of them.

mod cli;
mod commands;
mod config;
mod exit;
mod faults;
mod invocation;
mod output;
pub mod secrets;
mod telemetry;
pub mod tools;
pub mod typescript;

pub use invocation::{Invocation, run};
