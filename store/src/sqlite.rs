//! The store on SQLite: one file, one writer thread, several readers.

mod connect;
mod dialect;
mod failure;
mod file_watcher;
mod migrations;
#[cfg(feature = "postgres")]
pub(crate) mod moving;
mod open_file;
mod path;
mod query;
mod readers;
#[cfg(test)]
mod tests;
mod writer;

#[path = "methods/mod.rs"]
mod methods;
#[path = "ops/mod.rs"]
mod ops;
#[path = "reads/mod.rs"]
mod reads;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use diesel::{QueryDsl, SqliteConnection};
use tokio::sync::watch as channel;
use windlass_core::{Clock, Policy, SystemClock};

use self::file_watcher::FileWatcher;
use self::open_file::OpenFile;
use self::ops::{Operation, Query, Staged, Tx};
use self::path::DatabasePath;
use self::query::Conn;
use self::readers::Readers;
use self::writer::Writer;
use crate::error::{Result, StoreError};
use crate::graph_cache::GraphCache;
use crate::schema::instance;
use crate::schema_check::Migration;

/// A store in a SQLite file.
///
/// A commit survives a power failure. Several processes may use one file; each has its own writer, and they take turns.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    /// None for a database in memory, which has only one connection.
    readers: Option<Readers>,
    file: Option<OpenFile>,
    /// Notices when another process has committed.
    _file_watcher: Option<FileWatcher>,
    wake_ups: channel::Sender<u64>,
}

impl SqliteStore {
    /// Opens the database at a URL such as `sqlite:windlass.db` or `sqlite::memory:`, or at a path. Instants come from `clock`, or
    /// else from the machine. A database in memory gets its schema here.
    ///
    /// # Errors
    /// [`NotFound`](crate::StoreError::NotFound) where there is no such file,
    /// [`MigrationPending`](crate::StoreError::MigrationPending) and [`NewerSchema`](crate::StoreError::NewerSchema) where its
    /// schema is not this program's, [`Corrupt`](crate::StoreError::Corrupt), [`ReadOnly`](crate::StoreError::ReadOnly) and
    /// [`Unavailable`](crate::StoreError::Unavailable).
    pub async fn open(url: &str, policy: Policy, clock: Option<Arc<dyn Clock>>) -> Result<Self> {
        let database = DatabasePath::parse(url)?;
        connect::blocking(move || Self::open_blocking(&database, policy, clock)).await
    }

    fn open_blocking(
        database: &DatabasePath,
        policy: Policy,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self> {
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
        let file = OpenFile::find(database)?;
        let mut conn = connect::for_writing(database)?;
        let checked = match database {
            DatabasePath::Memory => migrations::run_pending(&mut conn).map(drop),
            DatabasePath::File(_) => {
                migrations::check(&mut conn).and_then(|()| refuse_moved(&mut conn))
            }
        };
        checked.map_err(|error| failure::classify(error, database))?;
        let (wake_ups, _) = channel::channel(0);
        let context = OperationContext {
            database: database.clone(),
            file,
            policy: Arc::new(policy),
            clock,
            graphs: GraphCache::default(),
        };
        let file = context.file.clone();
        let writer = Writer::start(Conn::new(conn), context.clone(), wake_ups.clone())?;
        let (readers, file_watcher) = match database {
            DatabasePath::Memory => (None, None),
            DatabasePath::File(path) => {
                let handle = writer.handle();
                let on_touch = move || handle.check_for_other_commits();
                (Some(Readers::new(context)), Some(FileWatcher::start(path, on_touch)?))
            }
        };
        Ok(Self { writer, readers, file, _file_watcher: file_watcher, wake_ups })
    }

    /// Creates the database if it is missing, and runs the pending migrations; returns their names.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<Vec<String>> {
        let database = DatabasePath::parse(url)?;
        connect::blocking(move || {
            connect::create(&database)?;
            let ran = migrations::run_pending(&mut connect::for_writing(&database)?);
            ran.map_err(|error| failure::classify(error, &database))
        })
        .await
    }

    /// Lists all migrations, applied and pending, in order. It changes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open), except those about the schema.
    pub async fn migrations(url: &str) -> Result<Vec<Migration>> {
        let database = DatabasePath::parse(url)?;
        connect::blocking(move || {
            let listed = migrations::list(&mut connect::for_reading(&database)?);
            listed.map_err(|error| failure::classify(error, &database))
        })
        .await
    }

    /// Reverts the newest migration with its data. Returns its version, or none if the database has no migration.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn revert(url: &str) -> Result<Option<String>> {
        let database = DatabasePath::parse(url)?;
        connect::blocking(move || {
            let reverted = migrations::revert(&mut connect::for_writing(&database)?);
            reverted.map_err(|error| failure::classify(error, &database))
        })
        .await
    }

    fn subscribe(&self) -> channel::Receiver<u64> {
        self.wake_ups.subscribe()
    }

    fn check_in_place(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), OpenFile::check)
    }

    /// Runs a read-only operation on one snapshot.
    async fn read<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        match &self.readers {
            Some(readers) => readers.run(operation).await,
            None => self.writer.run(operation).await,
        }
    }

    /// Runs a query.
    async fn query<Q: Query + Clone>(&self, query: Q) -> Result<Q::Output> {
        self.read(QueryOperation(query)).await
    }

    /// Runs an operation; it is durable when this returns.
    async fn write<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        self.writer.run(operation).await
    }
}

/// A query as an operation.
#[derive(Clone)]
struct QueryOperation<Q>(Q);

impl<Q: Query> Operation for QueryOperation<Q> {
    type Output = Q::Output;

    async fn run(self, tx: &Tx<'_>) -> Result<Q::Output> {
        self.0.run(tx.conn).await
    }
}

/// Refuses a database whose instance was moved to another one.
fn refuse_moved(conn: &mut SqliteConnection) -> Result<()> {
    let moved_to = instance::table.select(instance::moved_to);
    let moved_to: Option<String> =
        diesel::RunQueryDsl::first(moved_to, conn).map_err(StoreError::from_diesel)?;
    moved_to.map_or(Ok(()), |to| Err(StoreError::Moved { to }))
}

/// What an operation needs besides a connection.
#[derive(Debug, Clone)]
struct OperationContext {
    database: DatabasePath,
    /// Its file, if it has one. Nothing is read or written when it is no longer in its place.
    file: Option<OpenFile>,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
    graphs: GraphCache,
}

/// The result of an operation, and whether it may have created work.
struct OperationOutcome<T> {
    result: Result<T>,
    wakes: bool,
}

impl OperationContext {
    fn check_in_place(&self) -> Result<()> {
        self.file.as_ref().map_or(Ok(()), OpenFile::check)
    }

    /// Runs an operation in the transaction that is open on `conn`.
    fn run<O: Staged>(&self, conn: &Conn, operation: O) -> OperationOutcome<O::Output> {
        let wakes = AtomicBool::new(false);
        let ids = self.clock.ids();
        let (policy, graphs) = (&self.policy, &self.graphs);
        let tx = Tx { conn, now: self.clock.now(), ids, policy, graphs, wakes };
        // Its futures never wait.
        let result = futures::executor::block_on(async {
            let preloaded = operation.preload(conn).await?;
            operation.execute(&tx, preloaded).await
        });
        OperationOutcome { result, wakes: tx.wakes.into_inner() }
    }
}
