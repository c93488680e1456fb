//! The program as agents meet it: over the Model Context Protocol.

#![expect(clippy::unwrap_used, reason = "a test says what it relies on by failing")]
#![expect(clippy::indexing_slicing, reason = "the same")]

mod client;
mod foreign;
mod history;
mod journal;
mod protocol;
mod shell;
