//! Diesel's blocking SQLite calls under the names and shapes of `diesel-async`, so that one text of the operations compiles for
//! both databases. Every future here is ready when it is polled: an operation runs to its end the first time it is polled, and
//! of what is joined one comes after the other.

use std::sync::{Mutex, PoisonError};

use diesel::dsl::Limit;
use diesel::query_builder::QueryFragment;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery};
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, SqliteConnection};

use crate::reused::{ExecuteReused, Reused, execute_in_sqlite};

/// A connection that can be shared, as one to PostgreSQL is. Nobody ever waits for it: one thread at a time has it.
pub(super) struct Conn(Mutex<SqliteConnection>);

impl Conn {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self(Mutex::new(conn))
    }

    /// The connection, for whoever has it alone.
    pub(super) fn get_mut(&mut self) -> &mut SqliteConnection {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on it.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
    ) -> QueryResult<T> {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What `diesel_async::RunQueryDsl` is to PostgreSQL.
pub(super) trait RunQueryDsl: diesel::RunQueryDsl<SqliteConnection> + Sized + Send {
    /// Runs a statement; how many rows it changed.
    fn execute(self, conn: &Conn) -> impl Future<Output = QueryResult<usize>> + Send
    where
        Self: ExecuteDsl<SqliteConnection>,
    {
        async { conn.with(|conn| ExecuteDsl::execute(self, conn)) }
    }

    /// All rows of a query.
    fn load<'query, U>(self, conn: &Conn) -> impl Future<Output = QueryResult<Vec<U>>> + Send
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        async { conn.with(|conn| diesel::RunQueryDsl::load(self, conn)) }
    }

    /// The one row of a query.
    fn get_result<'query, U>(self, conn: &Conn) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        async { conn.with(|conn| diesel::RunQueryDsl::get_result(self, conn)) }
    }

    /// The first row of a query.
    fn first<'query, U>(self, conn: &Conn) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        async { conn.with(|conn| diesel::RunQueryDsl::first(self, conn)) }
    }
}

impl<T: diesel::RunQueryDsl<SqliteConnection> + Send> RunQueryDsl for T {}

impl<S: QueryFragment<Sqlite> + Send> ExecuteReused<S> for Conn {
    async fn execute_reused(&self, statement: Reused<S>) -> QueryResult<()> {
        self.with(|conn| execute_in_sqlite(statement, conn))
    }
}
