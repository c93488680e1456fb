//! Diesel's blocking SQLite calls with the signatures of `diesel-async`, so that the same source of the operations compiles for both
//! databases. A statement runs when it is called, and its future is ready: an operation runs to its end the first time it is polled,
//! and the statements of a pipeline run one after the other.

use std::future::{Ready, ready};
use std::sync::{Mutex, PoisonError};

use diesel::connection::LoadConnection;
use diesel::dsl::Limit;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery};
use diesel::sql_types::Untyped;
use diesel::sqlite::Sqlite;
use diesel::{OptionalExtension, QueryResult, SqliteConnection};

use crate::cached::{Cached, ExecuteCached};
use crate::error::{Result, StoreError};

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
    ) -> Result<T> {
        let mut conn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut conn).map_err(StoreError::from_diesel)
    }
}

/// The counterpart of `diesel_async::RunQueryDsl`.
pub(super) trait RunQueryDsl: diesel::RunQueryDsl<SqliteConnection> + Sized + Send {
    /// Runs a statement; returns how many rows it changed.
    fn execute(self, conn: &Conn) -> Ready<Result<usize>>
    where
        Self: ExecuteDsl<SqliteConnection>,
    {
        ready(conn.with(|conn| ExecuteDsl::execute(self, conn)))
    }

    /// All rows of a query.
    fn load<'query, U>(self, conn: &Conn) -> Ready<Result<Vec<U>>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::load(self, conn)))
    }

    /// The one row of a query.
    fn get_result<'query, U>(self, conn: &Conn) -> Ready<Result<U>>
    where
        Self: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::get_result(self, conn)))
    }

    /// The first row of a query.
    fn first<'query, U>(self, conn: &Conn) -> Ready<Result<U>>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::first(self, conn)))
    }

    /// The first row of a query, if it has one.
    fn optional<'query, U>(self, conn: &Conn) -> Ready<Result<Option<U>>>
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(conn.with(|conn| diesel::RunQueryDsl::first(self, conn).optional()))
    }
}

impl<T: diesel::RunQueryDsl<SqliteConnection> + Send> RunQueryDsl for T {}

impl<S: QueryFragment<Sqlite> + Send> ExecuteCached<S> for Conn {
    fn execute_cached(&self, statement: Cached<S>) -> impl Future<Output = Result<()>> + Send {
        ready(self.with(|conn| execute_cached(statement, conn)))
    }
}

/// Runs a statement as a query without rows: for `execute`, Diesel asks a reference to the statement whether it may be cached, and
/// the answer is always no.
fn execute_cached<S: QueryFragment<Sqlite>>(
    statement: Cached<S>,
    conn: &mut SqliteConnection,
) -> QueryResult<()> {
    LoadConnection::load(conn, WithoutRows(statement))?.try_for_each(|row| row.map(drop))
}

/// A statement as a query that has no rows.
struct WithoutRows<S>(Cached<S>);

impl<S> QueryId for WithoutRows<S> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<Sqlite>> QueryFragment<Sqlite> for WithoutRows<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, backend: &Sqlite) -> QueryResult<bool> {
        self.0.is_safe_to_cache_prepared(backend)
    }
}

impl<S> Query for WithoutRows<S> {
    type SqlType = Untyped;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use diesel::connection::{InstrumentationEvent, SimpleConnection};
    use diesel::prelude::*;

    use super::execute_cached;
    use crate::cached::CacheStatement as _;

    diesel::table! {
        counters (id) {
            id -> Integer,
            count -> Integer,
        }
    }

    #[test]
    fn sqlite_prepares_an_update_and_a_short_list_once() {
        let mut conn = windlass_store_conformance::connect_sqlite(":memory:".as_ref()).unwrap();
        let table = "CREATE TABLE counters (id INTEGER PRIMARY KEY, count INTEGER NOT NULL)";
        conn.batch_execute(table).unwrap();
        conn.batch_execute("INSERT INTO counters VALUES (1, 0), (2, 0)").unwrap();
        let (n_kept, n_run) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (kept, run) = (Arc::clone(&n_kept), Arc::clone(&n_run));
        conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
            if let InstrumentationEvent::CacheQuery { .. } = event {
                kept.fetch_add(1, Ordering::Relaxed);
            } else if let InstrumentationEvent::StartQuery { .. } = event {
                run.fetch_add(1, Ordering::Relaxed);
            }
        });

        for _ in 0..3 {
            let count = diesel::update(counters::table.filter(counters::id.eq(1)))
                .set(counters::count.eq(counters::count + 1));
            execute_cached(count.cached(), &mut conn).unwrap();
            let counted = diesel::update(counters::table.filter(counters::id.eq(2)))
                .set(counters::count.eq(counters::count + 1))
                .returning(counters::count);
            let _counted: i32 = counted.cached().get_result(&mut conn).unwrap();
            for n_ids in [2, 5] {
                let ids = (1..=n_ids).collect::<Vec<i32>>();
                let listed = counters::table.filter(counters::id.eq_any(ids)).select(counters::id);
                let listed = listed.cached_if_short(usize::try_from(n_ids).unwrap());
                assert_eq!(RunQueryDsl::load::<i32>(listed, &mut conn).unwrap(), [1, 2]);
            }
        }

        assert_eq!(n_run.load(Ordering::Relaxed), 12);
        assert_eq!(n_kept.load(Ordering::Relaxed), 3, "each is kept, but for the long list");
        let counts = counters::table.order(counters::id).select(counters::count);
        assert_eq!(counts.load::<i32>(&mut conn).unwrap(), [3, 3]);
    }
}
