//! Opens a store by its URL.

use std::sync::Arc;

use windlass_core::{Clock, Policy};

use crate::error::{Result, StoreError};
use crate::location::Location;
#[cfg(feature = "postgres")]
use crate::postgres::PostgresStore;
use crate::schema_check::Migration;
#[cfg(feature = "sqlite")]
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

/// The databases that this program can use.
enum Backend {
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "sqlite")]
    Sqlite,
}

impl Backend {
    /// The backend for a location, unless it was left out of this program.
    fn of(at: &Location) -> Result<Self> {
        #[cfg(feature = "postgres")]
        if at.is_postgres() {
            return Ok(Self::Postgres);
        }
        #[cfg(feature = "sqlite")]
        if at.is_file() {
            return Ok(Self::Sqlite);
        }
        if !at.is_postgres() && !at.is_file() {
            return Err(StoreError::BadUrl {
                url: at.to_string(),
                reason: "it reads neither as the path of a file nor as a server: write `sqlite:PATH`, `postgres://…` or \
                         `host=… user=…`"
                    .to_owned(),
            });
        }
        Err(StoreError::BadUrl {
            url: at.to_string(),
            reason: "this program was built without support for this kind of database".to_owned(),
        })
    }
}

/// Opens the store at a URL: `postgres://…`, `sqlite:PATH`, `sqlite::memory:`, or the path of a SQLite file.
///
/// # Errors
/// As [`PostgresStore::open`] and [`SqliteStore::open`].
pub async fn open(at: impl Into<Location>, options: Options) -> Result<SharedStore> {
    let at = at.into();
    Ok(match Backend::of(&at)? {
        #[cfg(feature = "postgres")]
        Backend::Postgres => {
            let Options { policy, clock, connections } = options;
            Arc::new(PostgresStore::open(at, policy, clock, connections).await?)
        }
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => {
            Arc::new(SqliteStore::open(at.url(), options.policy, options.clock).await?)
        }
    })
}

/// Runs the pending migrations and returns their names. Creates the database if it is a missing file.
///
/// # Errors
/// As [`PostgresStore::migrate`] and [`SqliteStore::migrate`].
pub async fn migrate(at: impl Into<Location>) -> Result<Vec<String>> {
    let at = at.into();
    match Backend::of(&at)? {
        #[cfg(feature = "postgres")]
        Backend::Postgres => PostgresStore::migrate(at).await,
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => SqliteStore::migrate(at.url()).await,
    }
}

/// Lists all migrations of a database, applied and pending, in order. It changes nothing.
///
/// # Errors
/// As [`PostgresStore::migrations`] and [`SqliteStore::migrations`].
pub async fn migrations(at: impl Into<Location>) -> Result<Vec<Migration>> {
    let at = at.into();
    match Backend::of(&at)? {
        #[cfg(feature = "postgres")]
        Backend::Postgres => PostgresStore::migrations(at).await,
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => SqliteStore::migrations(at.url()).await,
    }
}

/// Reverts the newest migration with its data. Returns its version, or none if the database has no migration.
///
/// # Errors
/// As [`PostgresStore::revert`] and [`SqliteStore::revert`].
pub async fn revert(at: impl Into<Location>) -> Result<Option<String>> {
    let at = at.into();
    match Backend::of(&at)? {
        #[cfg(feature = "postgres")]
        Backend::Postgres => PostgresStore::revert(at).await,
        #[cfg(feature = "sqlite")]
        Backend::Sqlite => SqliteStore::revert(at.url()).await,
    }
}
