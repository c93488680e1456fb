//! The HTTP server from outside: its routes, its pages, and what it refuses, on both databases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it relies on by failing"
)]

mod acting;
mod closed;
mod document;
mod instance;
mod metrics;
mod monitoring;
mod pages;
mod reading;
mod serving;
mod streams;
