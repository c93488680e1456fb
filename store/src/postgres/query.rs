//! `diesel-async`'s calls on a connection that is shared: statements that do not need one another's answers are sent together.

use diesel::QueryResult;
use diesel::dsl::Limit;
use diesel::query_dsl::methods::LimitDsl;
use diesel_async::AsyncPgConnection;
use diesel_async::methods::{ExecuteDsl, LoadQuery};

/// What `diesel_async::RunQueryDsl` is to a connection of one's own. A statement leaves when its future is polled first.
pub(super) trait RunQueryDsl: Sized + Send {
    /// Runs a statement; how many rows it changed.
    fn execute<'c>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<usize>> + Send
    where
        Self: ExecuteDsl<&'c AsyncPgConnection>,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::execute(self, &mut conn).await
        }
    }

    /// All rows of a query.
    fn load<'query, 'c, U: Send>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<Vec<U>>> + Send
    where
        Self: LoadQuery<'query, &'c AsyncPgConnection, U> + 'query,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::load(self, &mut conn).await
        }
    }

    /// The one row of a query.
    fn get_result<'query, 'c, U: Send>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LoadQuery<'query, &'c AsyncPgConnection, U> + 'query,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::get_result(self, &mut conn).await
        }
    }

    /// The first row of a query.
    fn first<'query, 'c, U: Send>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> impl Future<Output = QueryResult<U>> + Send
    where
        Self: LimitDsl,
        Limit<Self>: LoadQuery<'query, &'c AsyncPgConnection, U> + Send + 'query,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::first(self, &mut conn).await
        }
    }
}

impl<T: Send> RunQueryDsl for T {}
