//! Statements that the database prepares once per connection.

use diesel::SqliteConnection;
use diesel::backend::Backend;
use diesel::connection::LoadConnection;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Untyped;
use diesel::sqlite::Sqlite;
use diesel_async::AsyncPgConnection;

/// A statement that is prepared once per connection and then reused.
///
/// Diesel prepares a statement again each time if its text may vary: every `UPDATE`, and raw SQL. Use this for such statements
/// if they have only a few different texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cached<S> {
    statement: S,
    is_cached: bool,
}

/// The longest list of values whose statement is cached: SQLite has one statement text for each length.
const SHORT_LIST: usize = 4;

/// Makes a statement [`Cached`].
pub(crate) trait CacheStatement: Sized {
    /// Prepares the statement once.
    fn cached(self) -> Cached<Self> {
        Cached { statement: self, is_cached: true }
    }

    /// Prepares the statement once if its list of values is short, as it nearly always is.
    fn cached_if_short(self, n_values: usize) -> Cached<Self> {
        Cached { statement: self, is_cached: n_values <= SHORT_LIST }
    }
}

impl<S> CacheStatement for S {}

impl<S> Cached<S> {
    /// Runs the statement; the number of changed rows is not returned.
    pub(crate) fn execute<C>(self, conn: &C) -> impl Future<Output = QueryResult<()>> + Send
    where
        C: ExecuteCached<S>,
    {
        conn.execute_cached(self)
    }
}

/// A connection that caches [`Cached`] statements.
pub(crate) trait ExecuteCached<S> {
    /// Runs the statement.
    fn execute_cached(&self, statement: Cached<S>) -> impl Future<Output = QueryResult<()>> + Send;
}

impl<S> ExecuteCached<S> for AsyncPgConnection
where
    S: QueryFragment<Pg> + Send,
{
    async fn execute_cached(&self, statement: Cached<S>) -> QueryResult<()> {
        let mut conn = self;
        diesel_async::RunQueryDsl::execute(statement, &mut conn).await.map(drop)
    }
}

/// Runs a statement as a query without rows: for `execute`, Diesel asks a reference to the statement whether it may be cached, and
/// the answer is always no.
pub(crate) fn execute_cached_in_sqlite<S: QueryFragment<Sqlite>>(
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

/// Statements are told apart by their text.
impl<S> QueryId for Cached<S> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Cached<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.statement.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, backend: &DB) -> QueryResult<bool> {
        if self.is_cached { Ok(true) } else { self.statement.is_safe_to_cache_prepared(backend) }
    }
}

impl<S: Query> Query for Cached<S> {
    type SqlType = S::SqlType;
}

impl<S, Conn> diesel::RunQueryDsl<Conn> for Cached<S> {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use diesel::connection::{InstrumentationEvent, SimpleConnection};
    use diesel::prelude::*;

    use super::*;

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
            execute_cached_in_sqlite(count.cached(), &mut conn).unwrap();
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
