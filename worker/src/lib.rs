//! The `windlass` binary: its configuration and its command line.

mod cli;
mod commands;
mod config;
mod context;
mod exit;
mod faults;
mod hint;
mod invocation;
mod output;
mod telemetry;
mod wording;

pub use invocation::{Invocation, run};
