//! The migrations of a SQLite database.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{Result, StoreError};
use crate::schema_check::{self, KnownMigration};

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
    exclusively(conn, |conn| {
        schema_check::count_pending(&known()?, &applied(conn)?)?;
        let ran = conn.run_pending_migrations(MIGRATIONS).map_err(refused)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    })
}

/// Lists all migrations, applied and pending.
pub(super) fn list(conn: &mut SqliteConnection) -> Result<Vec<schema_check::Migration>> {
    Ok(schema_check::list(known()?, &applied(conn)?))
}

/// Reverts the newest migration; returns its version, or none if the database has no migration.
pub(super) fn revert(conn: &mut SqliteConnection) -> Result<Option<String>> {
    // Tables that refer to each other are dropped one by one. SQLite ignores this pragma within a transaction.
    conn.batch_execute("PRAGMA foreign_keys = OFF").map_err(StoreError::from_diesel)?;
    exclusively(conn, |conn| {
        let applied = applied(conn)?;
        schema_check::count_pending(&known()?, &applied)?;
        if applied.is_empty() {
            return Ok(None);
        }
        let reverted = conn.revert_last_migration(MIGRATIONS).map_err(refused)?;
        Ok(Some(reverted.to_string()))
    })
}

/// Runs `work` in a transaction that nothing else writes beside.
fn exclusively<T>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<T>,
) -> Result<T> {
    conn.exclusive_transaction(|conn| work(conn).map_err(RolledBack)).map_err(|RolledBack(why)| why)
}

/// Why a transaction of Diesel was rolled back.
struct RolledBack(StoreError);

impl From<diesel::result::Error> for RolledBack {
    fn from(error: diesel::result::Error) -> Self {
        Self(StoreError::from_diesel(error))
    }
}

fn known() -> Result<Vec<KnownMigration>> {
    let migrations: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().map_err(refused)?;
    let known = migrations.iter().map(|migration| KnownMigration {
        version: migration.name().version().to_string(),
        name: migration.name().to_string(),
    });
    Ok(known.collect())
}

fn applied(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    let query = "SELECT EXISTS (SELECT 1 FROM sqlite_schema \
                 WHERE type = 'table' AND name = '__diesel_schema_migrations') AS \"exists\"";
    let table: Exists =
        diesel::sql_query(query).get_result(conn).map_err(StoreError::from_diesel)?;
    if !table.exists {
        return Ok(Vec::new());
    }
    let query = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    let applied: QueryResult<Vec<Applied>> = diesel::sql_query(query).load(conn);
    let applied = applied.map_err(StoreError::from_diesel)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn refused(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::from_diesel(diesel::result::Error::QueryBuilderError(error))
}
