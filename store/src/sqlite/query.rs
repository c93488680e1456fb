//! Diesel's blocking SQLite calls with the signatures of `diesel-async`, so that the same source of the operations compiles for both
//! databases. A statement runs when it is called, and its future is ready: an operation runs to its end the first time it is polled,
//! and the statements of a pipeline run one after the other.

use std::future::{Ready, ready};
use std::sync::{Mutex, PoisonError};

use diesel::dsl::Limit;
use diesel::query_builder::QueryFragment;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, SqliteConnection};

use crate::cached::{Cached, ExecuteCached, execute_cached_in_sqlite};

/// A connection that can be shared, like one to PostgreSQL. The mutex is never contended: one thread at a time uses it.
pub(super) struct Conn(Mutex<SqliteConnection>);

impl Conn {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self(Mutex::new(conn))
    }

    /// The connection, if it is not shared.
    pub(super) fn get_mut(&mut self) -> &mut SqliteConnection {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `work` with the connection.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> QueryResult<T> {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The counterpart of `diesel_async::RunQueryDsl`.
pub(super) trait RunQueryDsl: diesel::RunQueryDsl<SqliteConnection> + Sized + Send {
    /// Runs a statement; returns how many rows it changed.
    fn execute(self, conn: &Conn) -> Ready<QueryResult<usize>>
    where
        Self: ExecuteDsl<SqliteConnection>,
    {
        ready(conn.with(|conn| ExecuteDsl::execute(self, conn)))
    }

    /// All rows of a query.
    fn load<'query, U>(self, conn: &Conn) -> Ready<QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::load(self, conn)))
    }

    /// The one row of a query.
    fn get_result<'query, U>(self, conn: &Conn) -> Ready<QueryResult<U>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::get_result(self, conn)))
    }

    /// The first row of a query.
    fn first<'query, U>(self, conn: &Conn) -> Ready<QueryResult<U>>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::first(self, conn)))
    }
}

impl<T: diesel::RunQueryDsl<SqliteConnection> + Send> RunQueryDsl for T {}

impl<S: QueryFragment<Sqlite> + Send> ExecuteCached<S> for Conn {
    fn execute_cached(&self, statement: Cached<S>) -> impl Future<Output = QueryResult<()>> + Send {
        ready(self.with(|conn| execute_cached_in_sqlite(statement, conn)))
    }
}
