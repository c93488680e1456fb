//! What tests of the store need, here and in the crates that use it.

mod postgres;
mod sqlite;

pub use postgres::PostgresSchema;
pub use sqlite::connect_sqlite;
