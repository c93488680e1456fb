//! The store on PostgreSQL: many workers on many machines.

/// The advisory lock of this schema, as arguments: whoever works on it shares it, and whoever changes or carries it holds it alone.
macro_rules! schema_lock {
    () => {
        "1801675074, hashtext(current_schema()::text)"
    };
}

mod address;
mod connect;
mod dialect;
mod environment;
mod failure;
mod listener;
mod migrations;
mod parameters;
mod pool;
mod query;
mod sessions;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;

#[path = "ops/mod.rs"]
mod ops;
#[path = "reads/mod.rs"]
mod reads;

use std::sync::Arc;

use diesel::QueryDsl;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::sync::watch;
use windlass_core::{Backoff, Clock, Policy};

use self::address::Address;
pub use self::environment::PostgresEnvironment;
pub(crate) use self::failure::is_consequence;
use self::listener::Listener;
use self::ops::{Operation, Query, Staged};
pub(crate) use self::parameters::without_password;
use self::pool::Connections;
use self::transaction::{Kind, Transaction};
use crate::error::{Result, StoreError};
use crate::location::Location;
use crate::schema::instance;

/// How often, and after which delays, a transaction is tried again that the server undid because of others.
const COLLISIONS: Backoff = Backoff { base_ms: 5, cap_ms: 100, tries: 8, jitter_percent: 0 };

/// A store in a PostgreSQL database.
///
/// The transactions are short and `READ COMMITTED`; what belongs to one workflow is put in order by the lock on its row.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    listener: Listener,
    policy: Policy,
    /// A clock instead of the server's.
    clock: Option<Arc<dyn Clock>>,
}

impl PostgresStore {
    /// Opens the database at a URL such as `postgres://user:password@host:5432/database`, with at most `connections`
    /// connections and one more that listens. Instants come from `clock`, or else from the server, so that all machines agree.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Unavailable`], [`StoreError::MigrationPending`] and [`StoreError::NewerSchema`].
    pub async fn open(
        at: impl Into<Location>,
        policy: Policy,
        clock: Option<Arc<dyn Clock>>,
        connections: usize,
    ) -> Result<Self> {
        let connections = Connections::new(Address::parse(&at.into())?, connections)?;
        let address = connections.address();
        let mut conn = connections.get().await?;
        let listener = Listener::start(address, &mut conn).await?;
        drop(conn);
        Ok(Self { connections, listener, policy, clock })
    }

    /// Brings the schema of the database up to date, or makes it; returns the names of the migrations that it took.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Unavailable`], and whatever the server says of a migration: then none after the
    /// last whole one is taken.
    pub async fn migrate(at: impl Into<Location>) -> Result<Vec<String>> {
        migrations::run_pending(&Address::parse(&at.into())?).await
    }

    /// Takes the whole schema out of the database, with everything in it.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate).
    pub async fn revert(at: impl Into<Location>) -> Result<()> {
        migrations::revert_all(&Address::parse(&at.into())?).await
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.listener.subscribe()
    }

    /// Runs an operation that only looks, on one snapshot.
    async fn read<O: Operation>(&self, operation: O) -> Result<O::Output> {
        self.once(Kind::Reading, operation).await.map_err(|error| self.classify(error))
    }

    /// Makes a look.
    async fn query<L: Query>(&self, query: L) -> Result<L::Output> {
        let conn = self.connection().await?;
        query.run(&conn).await.map_err(|error| self.classify(error))
    }

    /// Runs an operation, again where it only collided with another.
    async fn write<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        let mut collisions = 0;
        loop {
            let error = match self.once(Kind::Writing, operation.clone()).await {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            collisions += 1;
            match COLLISIONS.delay(collisions).filter(|_| failure::is_collision(&error)) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(self.classify(error)),
            }
        }
    }

    async fn once<O: Staged>(&self, kind: Kind, operation: O) -> Result<O::Output> {
        let conn = self.connection().await?;
        let clock = self.clock.as_deref();
        let (transaction, seen) = Transaction::begin(conn, kind, clock, &operation).await?;
        let tx = transaction.tx(&self.policy);
        let ran = match seen {
            Ok(seen) => operation.execute(&tx, seen).await,
            Err(error) => Err(error),
        };
        let wakes = tx.wakes.into_inner();
        match ran {
            Ok(output) => transaction.commit(wakes).await.map(|()| output),
            Err(error) => {
                transaction.roll_back().await;
                Err(error)
            }
        }
    }

    async fn connection(&self) -> Result<Object<AsyncPgConnection>> {
        let mut conn = self.connections.get().await?;
        if self.listener.is_outdated() {
            check(&mut conn).await?;
        }
        Ok(conn)
    }

    fn classify(&self, error: StoreError) -> StoreError {
        failure::classify(error, self.connections.address().shown())
    }
}

/// Refuses a schema that this program does not know, and a database of which everything was carried to another.
async fn check(conn: &mut AsyncPgConnection) -> Result<()> {
    migrations::check(conn).await?;
    let moved_to: Option<String> = instance::table.select(instance::moved_to).first(conn).await?;
    moved_to.map_or(Ok(()), |to| Err(StoreError::Moved { to }))
}

/// Takes the lock that whoever has a store open shares; says whether nobody has.
pub(crate) const TAKE_ALONE: &str =
    concat!("SELECT CAST(pg_try_advisory_lock(", schema_lock!(), ") AS TEXT) AS line");

/// A connection for carrying everything away or here, and how the database is shown.
pub(crate) async fn for_moving(at: &Location) -> Result<(AsyncPgConnection, String)> {
    let address = Address::parse(at)?;
    let mut conn = connect::connect(&address).await?;
    let checked = migrations::check(&mut conn).await;
    checked.map_err(|error| failure::classify(error, address.shown()))?;
    Ok((conn, address.shown().to_owned()))
}

/// Sorts what the database said.
pub(crate) fn classify(error: diesel::result::Error, shown: &str) -> StoreError {
    failure::classify(StoreError::Database(error), shown)
}
