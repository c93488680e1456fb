//! Opens a store by its URL.

use std::sync::Arc;

use windlass_core::{Clock, Policy};

use crate::error::Result;
use crate::location::Location;
use crate::postgres::PostgresStore;
use crate::schema_check::Migration;
use crate::sqlite::SqliteStore;
use crate::store::SharedStore;

/// The options of a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configured limits.
    pub policy: Policy,
    /// The clock; without one, the time comes from the database's machine.
    pub clock: Option<Arc<dyn Clock>>,
    /// The most connections to a PostgreSQL server.
    pub connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { policy: Policy::default(), clock: None, connections: 8 }
    }
}

/// Opens the store at a URL: `postgres://…`, `sqlite:PATH`, `sqlite::memory:`, or the path of a SQLite file.
///
/// # Errors
/// As [`PostgresStore::open`] and [`SqliteStore::open`].
pub async fn open(at: impl Into<Location>, options: Options) -> Result<SharedStore> {
    let at = at.into();
    let Options { policy, clock, connections } = options;
    Ok(if at.is_postgres() {
        Arc::new(PostgresStore::open(at, policy, clock, connections).await?)
    } else {
        Arc::new(SqliteStore::open(at.url(), policy, clock).await?)
    })
}

/// Runs the pending migrations and returns their names. Creates the database if it is a missing file.
///
/// # Errors
/// As [`PostgresStore::migrate`] and [`SqliteStore::migrate`].
pub async fn migrate(at: impl Into<Location>) -> Result<Vec<String>> {
    let at = at.into();
    if at.is_postgres() {
        PostgresStore::migrate(at).await
    } else {
        SqliteStore::migrate(at.url()).await
    }
}

/// Lists all migrations of a database, applied and pending, in order. It changes nothing.
///
/// # Errors
/// As [`PostgresStore::migrations`] and [`SqliteStore::migrations`].
pub async fn migrations(at: impl Into<Location>) -> Result<Vec<Migration>> {
    let at = at.into();
    if at.is_postgres() {
        PostgresStore::migrations(at).await
    } else {
        SqliteStore::migrations(at.url()).await
    }
}

/// Reverts the newest migration with its data. Returns its version, or none if the database has no migration.
///
/// # Errors
/// As [`PostgresStore::revert`] and [`SqliteStore::revert`].
pub async fn revert(at: impl Into<Location>) -> Result<Option<String>> {
    let at = at.into();
    if at.is_postgres() {
        PostgresStore::revert(at).await
    } else {
        SqliteStore::revert(at.url()).await
    }
}
