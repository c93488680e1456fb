//! The program `windlass`: its configuration and its command line.
//!
//! `main` reads the command line with [`Invocation::parse`], and the configuration with [`Invocation::load`], initialises V8 and calls [`run`]. What follows is the guide for people
//! who use the program.
#![doc = include_str!("../README.md")]

mod cli;
mod commands;
mod config;
mod context;
mod exit;
mod faults;
mod forget_variable;
mod hint;
mod invocation;
mod notifying;
mod output;
mod private_state;
mod telemetry;
mod trust;
mod wording;

pub use invocation::{Invocation, LoadedInvocation, run};
