//! The migrations of a PostgreSQL database.

use diesel::QueryDsl;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::address::Address;
use super::connect::connect;
use super::{encoding_check, failure, pooler_check};
use crate::error::{Result, StoreError};
use crate::schema::instance;
use crate::schema_check::{self, KnownMigration};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// Only one process migrates at a time, however long the others take.
const LOCK_MIGRATIONS: &str = "SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(7738151096083051361);";

/// An open store shares the schema's lock; a migration takes it exclusively. A command that only reads ends soon.
const LOCK_SHARED: &str = concat!("SELECT pg_advisory_lock_shared(", schema_lock!(), ")");
const LOCK_EXCLUSIVELY: &str =
    concat!("SET lock_timeout = '5s'; SELECT pg_advisory_lock(", schema_lock!(), ");");

/// A statement that waits for a table's lock blocks every later statement on the table. The migration fails rather than do that.
const SHORT_LOCK_TIMEOUT: &str = "SET lock_timeout = '5s';";

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

/// Locks the schema against migrations until the connection is closed, and checks it.
pub(super) async fn lock_schema(conn: &mut AsyncPgConnection) -> Result<()> {
    let locked = diesel::sql_query(LOCK_SHARED).execute(conn).await;
    locked.map_err(StoreError::from_diesel)?;
    check(conn).await
}

/// Refuses a schema that is older or newer than this program's, and a database whose instance was moved to another one.
pub(super) async fn check(conn: &mut AsyncPgConnection) -> Result<()> {
    check_version(conn).await?;
    let moved_to = instance::table.select(instance::moved_to);
    let moved_to = moved_to.first::<Option<String>>(conn).await.map_err(StoreError::from_diesel)?;
    moved_to.map_or(Ok(()), |to| Err(StoreError::Moved { to }))
}

/// Refuses a schema that is older or newer than this program's.
pub(super) async fn check_version(conn: &mut AsyncPgConnection) -> Result<()> {
    schema_check::check(&known()?, &applied(conn).await?)
}

async fn applied(conn: &mut AsyncPgConnection) -> Result<Vec<String>> {
    let query = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS \"exists\"";
    let table = diesel::sql_query(query).get_result::<Exists>(conn).await;
    if !table.map_err(StoreError::from_diesel)?.exists {
        return Ok(Vec::new());
    }
    let query = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    let applied = diesel::sql_query(query).load::<Applied>(conn).await;
    let applied = applied.map_err(StoreError::from_diesel)?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

fn known() -> Result<Vec<KnownMigration>> {
    let migrations: Vec<Box<dyn Migration<Pg>>> = MIGRATIONS.migrations().map_err(refused)?;
    let known = migrations.iter().map(|migration| KnownMigration {
        version: migration.name().version().to_string(),
        name: migration.name().to_string(),
    });
    Ok(known.collect())
}

/// Runs the pending migrations; returns their names.
pub(super) async fn run_pending(address: &Address) -> Result<Vec<String>> {
    let mut conn = connect_and_lock(address).await?;
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

/// Lists all migrations, applied and pending.
pub(super) async fn list(address: &Address) -> Result<Vec<schema_check::Migration>> {
    let applied = applied(&mut connect(address).await?).await;
    let applied = applied.map_err(|error| failure::classify(error, address.shown()))?;
    Ok(schema_check::list(known()?, &applied))
}

/// Reverts the newest migration; returns its version, or none if the database has no migration.
pub(super) async fn revert(address: &Address) -> Result<Option<String>> {
    let mut conn = connect_and_lock(address).await?;
    let counted = count_pending(&mut conn).await;
    counted.map_err(|error| failure::classify(error, address.shown()))?;
    let applied = applied(&mut conn).await;
    if applied.map_err(|error| failure::classify(error, address.shown()))?.is_empty() {
        return Ok(None);
    }
    let mut harness = harness(conn, address).await?;
    let reverted = tokio::task::spawn_blocking(move || {
        let reverted = harness.revert_last_migration(MIGRATIONS).map_err(refused)?;
        Ok(Some(reverted.to_string()))
    });
    reverted.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn count_pending(conn: &mut AsyncPgConnection) -> Result<usize> {
    schema_check::count_pending(&known()?, &applied(conn).await?)
}

/// The only connection that migrates. It needs its own session, because a session holds the lock.
async fn connect_and_lock(address: &Address) -> Result<AsyncPgConnection> {
    let mut conn = connect(address).await?;
    pooler_check::listen(&mut conn, address).await?;
    let mut other = connect(address).await?;
    encoding_check::check(&mut other, address).await?;
    pooler_check::check(&mut conn, &mut other, address).await?;
    let failed = |error| failure::classify(StoreError::from_diesel(error), address.shown());
    conn.batch_execute(LOCK_MIGRATIONS).await.map_err(failed)?;
    Ok(conn)
}

/// Takes the schema's lock exclusively and returns the harness that runs migrations.
async fn harness(
    mut conn: AsyncPgConnection,
    address: &Address,
) -> Result<AsyncMigrationHarness<AsyncPgConnection>> {
    let failed = |error| failure::classify(StoreError::from_diesel(error), address.shown());
    conn.batch_execute(LOCK_EXCLUSIVELY).await.map_err(|error| match is_locked(&error) {
        true => StoreError::NotNow {
            what: format!(
                "the schema of `{}` cannot be changed while a windlass works on it",
                address.shown()
            ),
            hint: "stop all its workers first, then migrate, then start the new ones".to_owned(),
        },
        false => failed(error),
    })?;
    conn.batch_execute(SHORT_LOCK_TIMEOUT).await.map_err(failed)?;
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
    StoreError::from_diesel(diesel::result::Error::QueryBuilderError(error))
}
