//! The store on SQLite: one file, one writer, several readers.

mod connect;
mod dialect;
mod failure;
mod migrations;
mod readers;
mod ready;
#[cfg(test)]
mod tests;
mod watch;
mod writer;

#[path = "ops/mod.rs"]
mod ops;
#[path = "reads/mod.rs"]
mod reads;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use diesel::{QueryDsl, SqliteConnection};
use tokio::sync::watch as channel;
use windlass_core::{Clock, Policy, SystemClock};

use self::connect::Place;
use self::ops::{Operation, Query, Staged, Tx};
use self::readers::Readers;
use self::ready::Conn;
use self::watch::Watch;
use self::writer::Writer;
use crate::error::{Result, StoreError};
use crate::schema::instance;

/// A store in a SQLite file.
///
/// A commit survives the loss of power. Several processes may use one file; each has a writer of its own, and they take turns.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    /// None for a database in memory, which has one connection for everything.
    readers: Option<Readers>,
    /// Rings when another process has committed.
    _watch: Option<Watch>,
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
        let place = Place::parse(url)?;
        connect::blocking(move || Self::open_blocking(&place, policy, clock)).await
    }

    fn open_blocking(place: &Place, policy: Policy, clock: Option<Arc<dyn Clock>>) -> Result<Self> {
        let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
        let mut conn = connect::for_writing(place)?;
        let checked = match place {
            Place::Memory => migrations::run_pending(&mut conn).map(drop),
            Place::File(_) => migrations::check(&mut conn).and_then(|()| refuse_moved(&mut conn)),
        };
        checked.map_err(|error| failure::classify(error, place))?;
        let (wake_ups, _) = channel::channel(0);
        let surroundings = Surroundings { place: place.clone(), policy: Arc::new(policy), clock };
        let writer = Writer::start(Conn::new(conn), surroundings.clone(), wake_ups.clone())?;
        let (readers, watch) = match place {
            Place::Memory => (None, None),
            Place::File(path) => {
                (Some(Readers::new(surroundings)), Some(Watch::start(path, writer.handle())?))
            }
        };
        Ok(Self { writer, readers, _watch: watch, wake_ups })
    }

    /// Makes the database where there is none, and brings its schema up to date; returns the names of the migrations that it
    /// took.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<Vec<String>> {
        let place = Place::parse(url)?;
        connect::blocking(move || {
            connect::create(&place)?;
            let ran = migrations::run_pending(&mut connect::for_writing(&place)?);
            ran.map_err(|error| failure::classify(error, &place))
        })
        .await
    }

    /// Takes the whole schema out of the database, with everything in it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn revert(url: &str) -> Result<()> {
        let place = Place::parse(url)?;
        connect::blocking(move || {
            let reverted = migrations::revert_all(&mut connect::for_writing(&place)?);
            reverted.map_err(|error| failure::classify(error, &place))
        })
        .await
    }

    fn subscribe(&self) -> channel::Receiver<u64> {
        self.wake_ups.subscribe()
    }

    /// Runs an operation that only looks, on one snapshot.
    async fn read<O: Operation + Clone>(&self, operation: O) -> Result<O::Output> {
        match &self.readers {
            Some(readers) => readers.run(operation).await,
            None => self.writer.run(operation).await,
        }
    }

    /// Makes a look.
    async fn query<L: Query + Clone>(&self, query: L) -> Result<L::Output> {
        self.read(QueryOperation(query)).await
    }

    /// Runs an operation; it is durable when this returns.
    async fn write<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        self.writer.run(operation).await
    }
}

/// A look as an operation.
#[derive(Clone)]
struct QueryOperation<L>(L);

impl<L: Query> Operation for QueryOperation<L> {
    type Output = L::Output;

    async fn run(self, tx: &Tx<'_>) -> Result<L::Output> {
        self.0.run(tx.conn).await
    }
}

/// A connection for carrying everything away or here, and how the database is shown.
pub(crate) fn for_moving(url: &str) -> Result<(SqliteConnection, String)> {
    let place = Place::parse(url)?;
    if place == Place::Memory {
        let reason = "what is in memory ends with its process: name a file".to_owned();
        return Err(StoreError::BadUrl { url: url.to_owned(), reason });
    }
    let mut conn = connect::for_writing(&place)?;
    migrations::check(&mut conn).map_err(|error| failure::classify(error, &place))?;
    Ok((conn, format!("sqlite:{place}")))
}

/// Sorts what the database said.
pub(crate) fn classify(error: diesel::result::Error, shown: &str) -> StoreError {
    let place = Place::parse(shown).unwrap_or(Place::Memory);
    failure::classify(StoreError::Database(error), &place)
}

/// Refuses a database of which everything was carried to another.
fn refuse_moved(conn: &mut SqliteConnection) -> Result<()> {
    let moved_to = instance::table.select(instance::moved_to);
    let moved_to: Option<String> = diesel::RunQueryDsl::first(moved_to, conn)?;
    moved_to.map_or(Ok(()), |to| Err(StoreError::Moved { to }))
}

/// What an operation needs beside a connection.
#[derive(Debug, Clone)]
struct Surroundings {
    place: Place,
    policy: Arc<Policy>,
    clock: Arc<dyn Clock>,
}

/// What an operation came to, and whether it may have brought work.
struct Ran<T> {
    result: Result<T>,
    wakes: bool,
}

impl Surroundings {
    /// Runs an operation to its end, in the transaction that is open on `conn`.
    fn run<O: Staged>(&self, conn: &Conn, operation: O) -> Ran<O::Output> {
        let wakes = AtomicBool::new(false);
        let tx = Tx { conn, now: self.clock.now(), policy: &self.policy, wakes };
        // Every await in it is ready at once.
        let result = futures::executor::block_on(async {
            let seen = operation.preload(conn).await?;
            operation.execute(&tx, seen).await
        });
        Ran { result, wakes: tx.wakes.into_inner() }
    }
}
