//! The schema of a PostgreSQL database: which migrations it has, and how it gets the others.

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::address::Address;
use super::connect::connect;
use super::failure;
use crate::error::{Result, StoreError};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// One at a time, and however long it takes.
const ALONE: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(7738151096083051361);";

#[derive(diesel::QueryableByName)]
struct Exists {
    #[diesel(sql_type = Bool)]
    exists: bool,
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

/// Refuses a schema that is older or newer than this program.
pub(super) async fn check(conn: &mut AsyncPgConnection) -> Result<()> {
    let applied = applied(conn).await?;
    let known = known()?;
    if let Some(version) = applied.iter().find(|version| !known.contains(version)) {
        return Err(StoreError::NewerSchema { version: version.clone() });
    }
    match known.iter().filter(|version| !applied.contains(version)).count() {
        0 => Ok(()),
        pending => Err(StoreError::MigrationPending { pending }),
    }
}

async fn applied(conn: &mut AsyncPgConnection) -> Result<Vec<String>> {
    let query = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS \"exists\"";
    let table: Exists = diesel::sql_query(query).get_result(conn).await?;
    if !table.exists {
        return Ok(Vec::new());
    }
    let query = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    let applied: Vec<Applied> = diesel::sql_query(query).load(conn).await?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn known() -> Result<Vec<String>> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(refused)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Brings the schema up to date; returns the names of the migrations that it took.
pub(super) async fn run_pending(address: &Address) -> Result<Vec<String>> {
    let mut harness = harness(address).await?;
    let ran = tokio::task::spawn_blocking(move || {
        let ran = harness.run_pending_migrations(MIGRATIONS).map_err(refused)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    });
    ran.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Takes every migration back: nothing is left.
pub(super) async fn revert_all(address: &Address) -> Result<()> {
    let mut harness = harness(address).await?;
    let reverted = tokio::task::spawn_blocking(move || {
        harness.revert_all_migrations(MIGRATIONS).map_err(refused)?;
        Ok(())
    });
    reverted.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn harness(address: &Address) -> Result<AsyncMigrationHarness<AsyncPgConnection>> {
    let mut conn = connect(address).await?;
    let failed = |error| failure::classify(StoreError::Database(error), address.shown());
    conn.batch_execute(ALONE).await.map_err(failed)?;
    Ok(AsyncMigrationHarness::new(conn))
}

fn refused(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Database(diesel::result::Error::QueryBuilderError(error))
}
