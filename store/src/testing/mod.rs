//! What tests of the store need, here and in the crates that use it.

mod postgres;

pub use postgres::PostgresSchema;
