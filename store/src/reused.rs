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

/// A statement that is prepared once and then used again, where Diesel would have it prepared anew each time because its text may
/// vary: every `UPDATE`, and SQL that is written out. Right for statements of which there are only a few forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reused<S> {
    statement: S,
    /// Whether it really is.
    is_kept: bool,
}

/// Up to so many values in a list, the forms that the list gives to a statement are few.
const FEW: usize = 4;

/// Turns a statement into one that is [`Reused`].
pub(crate) trait Reuse: Sized {
    /// The same statement, prepared once.
    fn reused(self) -> Reused<Self> {
        Reused { statement: self, is_kept: true }
    }

    /// The same where the statement has a list of so many values, and SQLite a form of it for each length; prepared once where
    /// the list is short, as it nearly always is.
    fn reused_for(self, n_values: usize) -> Reused<Self> {
        Reused { statement: self, is_kept: n_values <= FEW }
    }
}

impl<S> Reuse for S {}

impl<S> Reused<S> {
    /// Runs a statement of which nobody needs to know how many rows it changed.
    pub(crate) fn execute<C>(self, conn: &C) -> impl Future<Output = QueryResult<()>> + Send
    where
        C: ExecuteReused<S>,
    {
        conn.execute_reused(self)
    }
}

/// A connection that prepares a [`Reused`] statement once when it runs it.
pub(crate) trait ExecuteReused<S> {
    /// Runs it to its end.
    fn execute_reused(&self, statement: Reused<S>) -> impl Future<Output = QueryResult<()>> + Send;
}

impl<S> ExecuteReused<S> for AsyncPgConnection
where
    S: QueryFragment<Pg> + Send,
{
    async fn execute_reused(&self, statement: Reused<S>) -> QueryResult<()> {
        let mut conn = self;
        diesel_async::RunQueryDsl::execute(statement, &mut conn).await.map(drop)
    }
}

/// Runs a statement as a query without rows: of what is executed, Diesel asks by reference whether it may be kept, and gets
/// another answer.
pub(crate) fn execute_in_sqlite<S: QueryFragment<Sqlite>>(
    statement: Reused<S>,
    conn: &mut SqliteConnection,
) -> QueryResult<()> {
    LoadConnection::load(conn, Rowless(statement))?.try_for_each(|row| row.map(drop))
}

/// A statement as a query that has no rows.
struct Rowless<S>(Reused<S>);

impl<S> QueryId for Rowless<S> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<Sqlite>> QueryFragment<Sqlite> for Rowless<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, backend: &Sqlite) -> QueryResult<bool> {
        self.0.is_safe_to_cache_prepared(backend)
    }
}

impl<S> Query for Rowless<S> {
    type SqlType = Untyped;
}

/// Known by its text: what may vary in it is part of that.
impl<S> QueryId for Reused<S> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Reused<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.statement.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, backend: &DB) -> QueryResult<bool> {
        if self.is_kept { Ok(true) } else { self.statement.is_safe_to_cache_prepared(backend) }
    }
}

impl<S: Query> Query for Reused<S> {
    type SqlType = S::SqlType;
}

impl<S, Conn> diesel::RunQueryDsl<Conn> for Reused<S> {}

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
            execute_in_sqlite(count.reused(), &mut conn).unwrap();
            let counted = diesel::update(counters::table.filter(counters::id.eq(2)))
                .set(counters::count.eq(counters::count + 1))
                .returning(counters::count);
            let _counted: i32 = counted.reused().get_result(&mut conn).unwrap();
            for n_ids in [2, 5] {
                let ids = (1..=n_ids).collect::<Vec<i32>>();
                let listed = counters::table.filter(counters::id.eq_any(ids)).select(counters::id);
                let listed = listed.reused_for(usize::try_from(n_ids).unwrap());
                assert_eq!(RunQueryDsl::load::<i32>(listed, &mut conn).unwrap(), [1, 2]);
            }
        }

        assert_eq!(n_run.load(Ordering::Relaxed), 12);
        assert_eq!(n_kept.load(Ordering::Relaxed), 3, "each is kept, but for the long list");
        let counts = counters::table.order(counters::id).select(counters::count);
        assert_eq!(counts.load::<i32>(&mut conn).unwrap(), [3, 3]);
    }
}
