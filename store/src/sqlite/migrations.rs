//! The migrations of a SQLite database.

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

/// Refuses a schema that is older or newer than this program's. It writes nothing: the file may belong to another program.
pub(super) fn check(conn: &mut SqliteConnection) -> Result<()> {
    schema_check::check(&known()?, &applied(conn)?)
}

/// Runs the pending migrations; returns their names.
pub(super) fn run_pending(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    // Under one lock: if two processes migrate at once, the second finds nothing pending.
    conn.exclusive_transaction(|conn| {
        schema_check::count_pending(&known()?, &applied(conn)?)?;
        let ran = conn.run_pending_migrations(MIGRATIONS).map_err(refused)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })
}

/// Reverts every migration.
pub(super) fn revert_all(conn: &mut SqliteConnection) -> Result<()> {
    // Tables that refer to each other are dropped one by one.
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
    StoreError::from(diesel::result::Error::QueryBuilderError(error))
}
