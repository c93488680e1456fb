//! The store on SQLite: one file, one writer, several readers.

mod dialect;
mod ready;

#[path = "ops/mod.rs"]
mod ops;
