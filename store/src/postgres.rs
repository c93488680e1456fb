//! The store on PostgreSQL: many workers on many machines.

/// The arguments of the schema's advisory lock: an open store shares it; a migration or a move takes it exclusively.
macro_rules! schema_lock {
    () => {
        "1801675074, hashtext(current_schema()::text)"
    };
}

mod address;
mod connect;
mod dialect;
mod encoding_check;
mod failure;
mod listener;
mod migrations;
#[cfg(feature = "sqlite")]
pub(crate) mod moving;
mod pool;
mod pooler_check;
mod query;
#[cfg(test)]
mod tests;
mod tls;
mod transaction;

#[path = "methods/mod.rs"]
mod methods;
#[path = "ops/mod.rs"]
mod ops;
#[path = "reads/mod.rs"]
mod reads;

use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::Object;
use scopeguard::ScopeGuard;
use tokio::sync::watch;
use windlass_core::{Backoff, Clock, Policy};

use self::address::Address;
use self::listener::Listener;
use self::ops::{Query, Staged};
use self::pool::Connections;
use self::transaction::{Access, Transaction};
use crate::error::{Result, StoreError};
use crate::graph_cache::GraphCache;
use crate::location::Location;
use crate::schema_check::Migration;

/// How often, and after which delays, a transaction is retried that the server aborted because of other transactions.
const COLLISIONS: Backoff = Backoff { base_ms: 5, cap_ms: 100, tries: 8, jitter_percent: 0 };

/// How long an operation waits for its answers. The server keeps limits of its own, which do not help where a connection is open and
/// dead.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// A connection that is closed, and not given back to the pool, if it is dropped before its end.
type Closing = ScopeGuard<Object<AsyncPgConnection>, fn(Object<AsyncPgConnection>)>;

fn closing(conn: Object<AsyncPgConnection>) -> Closing {
    scopeguard::guard(conn, |conn| drop(Object::take(conn)))
}

/// A store in a PostgreSQL database.
///
/// The transactions are short and `READ COMMITTED`; a lock on the workflow's row orders the transactions of one workflow.
#[derive(Debug)]
pub struct PostgresStore {
    connections: Connections,
    listener: Listener,
    policy: Policy,
    graphs: GraphCache,
    /// Replaces the server's clock.
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
        Ok(Self { connections, listener, policy, clock, graphs: GraphCache::default() })
    }

    /// Runs the pending migrations; returns their names.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`], [`StoreError::Unavailable`], and the server's error if a migration fails: then the migrations before
    /// it are kept.
    pub async fn migrate(at: impl Into<Location>) -> Result<Vec<String>> {
        migrations::run_pending(&Address::parse(&at.into())?).await
    }

    /// Lists all migrations, applied and pending, in order. It changes nothing.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`] and [`StoreError::Unavailable`].
    pub async fn migrations(at: impl Into<Location>) -> Result<Vec<Migration>> {
        migrations::list(&Address::parse(&at.into())?).await
    }

    /// Reverts the newest migration with its data. Returns its version, or none if the database has no migration.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate), and [`StoreError::NotNow`] while a store is open on the database.
    pub async fn revert(at: impl Into<Location>) -> Result<Option<String>> {
        migrations::revert(&Address::parse(&at.into())?).await
    }

    /// A server says itself when its database is gone.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "a method of both backends")]
    const fn check_in_place(&self) -> Result<()> {
        Ok(())
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.listener.subscribe()
    }

    /// Runs a read-only operation on one snapshot.
    async fn read<O: Staged>(&self, operation: O) -> Result<O::Output> {
        self.once(Access::ReadOnly, operation).await.map_err(|error| self.classify(error))
    }

    /// Runs a query.
    async fn query<Q: Query>(&self, query: Q) -> Result<Q::Output> {
        let conn = closing(self.connection().await?);
        let answer = async {
            let answer = query.run(&conn).await;
            drop(ScopeGuard::into_inner(conn));
            answer
        };
        self.in_time(answer).await.map_err(|error| self.classify(error))
    }

    /// The answer of the server, or an error where none comes: then its connection is closed, which `answer` does where it is dropped,
    /// and those that are idle too, since they may be as dead.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout(ANSWER_TIME, answer).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                self.connections.discard_idle();
                Err(failure::silent(self.connections.address().shown()))
            }
        }
    }

    /// Runs an operation, and retries it if it only collided with another transaction.
    async fn write<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        let mut collisions = 0;
        loop {
            let error = match self.once(Access::Write, operation.clone()).await {
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

    async fn once<O: Staged>(&self, access: Access, operation: O) -> Result<O::Output> {
        let conn = self.connection().await?;
        // The future of an operation is large, and a timeout holds its future by value.
        self.in_time(Box::pin(self.transact(conn, access, operation))).await
    }

    async fn transact<O: Staged>(
        &self,
        conn: Object<AsyncPgConnection>,
        access: Access,
        operation: O,
    ) -> Result<O::Output> {
        let clock = self.clock.as_deref();
        let (transaction, preloaded) = Transaction::begin(conn, access, clock, &operation).await?;
        let tx = transaction.tx((&self.policy, &self.graphs), clock.and_then(Clock::ids));
        let result = match preloaded {
            Ok(preloaded) => operation.execute(&tx, preloaded).await,
            Err(error) => Err(error),
        };
        let wakes = tx.wakes.into_inner();
        match result {
            Ok(output) => transaction.commit(wakes).await.map(|()| output),
            Err(error) => {
                transaction.roll_back().await;
                Err(error)
            }
        }
    }

    async fn connection(&self) -> Result<Object<AsyncPgConnection>> {
        let conn = self.connections.get().await?;
        if !self.listener.is_outdated() {
            return Ok(conn);
        }
        let mut conn = closing(conn);
        self.in_time(migrations::check(&mut conn)).await?;
        Ok(ScopeGuard::into_inner(conn))
    }

    fn classify(&self, error: StoreError) -> StoreError {
        failure::classify(error, self.connections.address().shown())
    }
}
