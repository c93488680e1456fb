//! The schema of a SQLite database: which migrations it has, and how it gets the others.

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::failure;
use crate::error::{Result, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// Refuses a schema that is older or newer than this program.
pub(super) fn check(conn: &mut SqliteConnection) -> Result<()> {
    match missing(conn)? {
        0 => Ok(()),
        pending => Err(StoreError::MigrationPending { pending }),
    }
}

/// Brings the schema up to date; returns the names of the migrations that it took.
pub(super) fn run_pending(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    missing(conn)?;
    let ran = conn.run_pending_migrations(MIGRATIONS).map_err(refused)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

/// How many migrations the schema lacks. Refuses one that has more than this program knows.
fn missing(conn: &mut SqliteConnection) -> Result<usize> {
    let known: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().map_err(refused)?;
    let applied = conn.applied_migrations().map_err(refused)?;
    let is_known =
        |version: &&_| known.iter().any(|migration| migration.name().version() == **version);
    if let Some(version) = applied.iter().find(|version| !is_known(version)) {
        return Err(StoreError::NewerSchema { version: version.to_string() });
    }
    Ok(known.len() - applied.len())
}

/// Takes every migration back: nothing is left.
pub(super) fn revert_all(conn: &mut SqliteConnection) -> Result<()> {
    // What refers to each other goes together.
    let executed = conn.batch_execute("PRAGMA foreign_keys = OFF");
    executed.map_err(|error| failure::classify(StoreError::from(error)))?;
    conn.revert_all_migrations(MIGRATIONS).map_err(refused)?;
    Ok(())
}

fn refused(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    failure::classify(StoreError::Database(diesel::result::Error::QueryBuilderError(error)))
}
