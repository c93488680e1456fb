//! The schema of a SQLite database: which migrations it has, and how it gets the others.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{Result, StoreError};
use crate::schema_check;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

#[derive(QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Refuses a schema that is older or newer than this program. Nothing is written: the file may be somebody else's.
pub(super) fn check(conn: &mut SqliteConnection) -> Result<()> {
    schema_check::check(&known()?, &applied(conn)?)
}

/// Brings the schema up to date; returns the names of the migrations that it took.
pub(super) fn run_pending(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    // Under one lock, so that of two who do it at once the second finds nothing left to do.
    conn.exclusive_transaction(|conn| {
        schema_check::count_pending(&known()?, &applied(conn)?)?;
        let ran = conn.run_pending_migrations(MIGRATIONS).map_err(refused)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })
}

/// Takes every migration back: nothing is left.
pub(super) fn revert_all(conn: &mut SqliteConnection) -> Result<()> {
    // What refers to each other goes together.
    conn.batch_execute("PRAGMA foreign_keys = OFF")?;
    conn.revert_all_migrations(MIGRATIONS).map_err(refused)?;
    Ok(())
}

fn known() -> Result<Vec<String>> {
    let migrations: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().map_err(refused)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn applied(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    let query = "SELECT EXISTS (SELECT 1 FROM sqlite_schema \
                 WHERE type = 'table' AND name = '__diesel_schema_migrations') AS \"exists\"";
    let table: Exists = diesel::sql_query(query).get_result(conn)?;
    if !table.exists {
        return Ok(Vec::new());
    }
    let query = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    let applied: Vec<Applied> = diesel::sql_query(query).load(conn)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn refused(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Database(diesel::result::Error::QueryBuilderError(error))
}
