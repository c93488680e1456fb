//! The whole program: from outside, killed at every boundary, and through the interfaces of its crates.
//!
//! One test program holds all of it: each test program links V8.

mod agents;
mod cli;
mod crash;
mod plans;
mod scenarios;
