//! The parts of the `windlass` binary: its tools, and what it tells script authors of them.

pub mod tools;
pub mod typescript;
