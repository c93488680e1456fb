//! The schema of a PostgreSQL database: which migrations it has, and how it gets the others.

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::address::Address;
use super::connect::connect;
use super::{failure, sessions};
use crate::error::{Result, StoreError};
use crate::schema_check;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// One at a time, and however long the others take.
const ALONE: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(7738151096083051361);";

/// What everyone holds who works on this schema, and who changes it holds alone. A command that only looks is soon done.
const IN_USE: &str = concat!("SELECT pg_advisory_lock_shared(", schema_lock!(), ")");
const UNUSED: &str =
    concat!("SET lock_timeout = '5s'; SELECT pg_advisory_lock(", schema_lock!(), ");");

/// Whoever waits for a table holds up everyone who comes after: rather no migration than that.
const IMPATIENT: &str = "SET lock_timeout = '5s';";

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

/// Keeps the schema from being changed as long as the connection lives; refuses one that is older or newer than this program, or
/// that was carried elsewhere.
pub(super) async fn lock_claimed_run(conn: &mut AsyncPgConnection) -> Result<()> {
    diesel::sql_query(IN_USE).execute(conn).await?;
    super::check(conn).await
}

/// Refuses a schema that is older or newer than this program.
pub(super) async fn check(conn: &mut AsyncPgConnection) -> Result<()> {
    schema_check::check(&known()?, &applied(conn).await?)
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
    let mut conn = alone(address).await?;
    let counted = count_pending(&mut conn).await;
    if counted.map_err(|error| failure::classify(error, address.shown()))? == 0 {
        return Ok(Vec::new());
    }
    let mut harness = harness(conn, address).await?;
    let ran = tokio::task::spawn_blocking(move || {
        let ran = harness.run_pending_migrations(MIGRATIONS).map_err(refused)?;
        Ok(ran.iter().map(ToString::to_string).collect())
    });
    ran.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Takes every migration back: nothing is left.
pub(super) async fn revert_all(address: &Address) -> Result<()> {
    let mut harness = harness(alone(address).await?, address).await?;
    let reverted = tokio::task::spawn_blocking(move || {
        harness.revert_all_migrations(MIGRATIONS).map_err(refused)?;
        Ok(())
    });
    reverted.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn count_pending(conn: &mut AsyncPgConnection) -> Result<usize> {
    schema_check::count_pending(&known()?, &applied(conn).await?)
}

/// A connection that is the only one to change a schema. It has to have a session, which is what holds locks.
async fn alone(address: &Address) -> Result<AsyncPgConnection> {
    let mut conn = connect(address).await?;
    sessions::listen(&mut conn, address).await?;
    sessions::check(&mut conn, &mut connect(address).await?, address).await?;
    let failed = |error| failure::classify(StoreError::Database(error), address.shown());
    conn.batch_execute(ALONE).await.map_err(failed)?;
    Ok(conn)
}

/// What changes the schema, as soon as nobody works on it.
async fn harness(
    mut conn: AsyncPgConnection,
    address: &Address,
) -> Result<AsyncMigrationHarness<AsyncPgConnection>> {
    let failed = |error| failure::classify(StoreError::Database(error), address.shown());
    conn.batch_execute(UNUSED).await.map_err(|error| match is_locked(&error) {
        true => StoreError::NotNow {
            what: format!(
                "the schema of `{}` cannot be changed while a windlass works on it",
                address.shown()
            ),
            hint: "stop all its workers first, then migrate, then start the new ones".to_owned(),
        },
        false => failed(error),
    })?;
    conn.batch_execute(IMPATIENT).await.map_err(failed)?;
    Ok(AsyncMigrationHarness::new(conn))
}

fn is_locked(error: &dyn std::error::Error) -> bool {
    error.to_string().contains("due to lock timeout")
}

fn refused(error: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    if is_locked(&*error) {
        return StoreError::Unavailable {
            what: "a table that has to be changed stayed locked, so nothing was; `pg_stat_activity` shows by whom, try again"
                .to_owned(),
            source: Some(error),
        };
    }
    StoreError::Database(diesel::result::Error::QueryBuilderError(error))
}
