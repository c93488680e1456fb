//! The sandbox through its public interface: one binary, so that V8 is linked once.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

mod attempt;
mod calls;
mod check;
mod errors;
mod extras;
mod hostile;
mod isolation;
mod mistakes;
mod phases;
mod support;
mod typescript;
mod unfinished;
mod zone;
