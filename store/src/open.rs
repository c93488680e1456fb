//! A store by its URL.

use std::sync::Arc;

use windlass_core::{Clock, Policy};

use crate::error::Result;
use crate::postgres::PostgresStore;
use crate::sqlite::SqliteStore;
use crate::store::SharedStore;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// The limits that its decisions keep to.
    pub policy: Policy,
    /// Where instants come from; without one from the database's machine.
    pub clock: Option<Arc<dyn Clock>>,
    /// How many connections to a PostgreSQL server at the most.
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { policy: Policy::default(), clock: None, connections: 8 }
    }
}

/// Opens the store at `url`: `postgres://…`, `sqlite:PATH`, `sqlite::memory:`, or the path of a SQLite file.
///
/// # Errors
/// As [`PostgresStore::open`] and [`SqliteStore::open`].
pub async fn open(url: &str, options: Options) -> Result<SharedStore> {
    let Options { policy, clock, connections } = options;
    Ok(if is_postgres(url) {
        Arc::new(PostgresStore::open(url, policy, clock, connections).await?)
    } else {
        Arc::new(SqliteStore::open(url, policy, clock).await?)
    })
}

/// Makes the database where it is a file and missing, and brings its schema up to date; returns the names of the migrations
/// that it took.
///
/// # Errors
/// As [`PostgresStore::migrate`] and [`SqliteStore::migrate`].
pub async fn migrate(url: &str) -> Result<Vec<String>> {
    if is_postgres(url) {
        PostgresStore::migrate(url).await
    } else {
        SqliteStore::migrate(url).await
    }
}

/// Takes the whole schema out of the database, with everything in it.
///
/// # Errors
/// As [`PostgresStore::revert`] and [`SqliteStore::revert`].
pub async fn revert(url: &str) -> Result<()> {
    if is_postgres(url) { PostgresStore::revert(url).await } else { SqliteStore::revert(url).await }
}

pub(crate) fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
