//! `diesel-async`'s calls on a shared connection, so that statements which do not need one another's answers are sent together.

use diesel::QueryResult;
use diesel::dsl::Limit;
use diesel::pg::Pg;
use diesel::query_builder::QueryFragment;
use diesel::query_dsl::methods::LimitDsl;
use diesel_async::AsyncPgConnection;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::cached::{Cached, ExecuteCached};

/// The counterpart of `diesel_async::RunQueryDsl`. A statement is sent when its future is first polled. The futures are boxed: their
/// types name the whole statement, and the compiler would look through them again in every operation.
pub(super) trait RunQueryDsl: Sized + Send {
    /// Runs a statement; returns how many rows it changed.
    fn execute<'c>(self, conn: &'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<usize>>
    where
        Self: ExecuteDsl<&'c AsyncPgConnection> + 'c,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::execute(self, &mut conn).await
        }
        .boxed()
    }

    /// All rows of a query.
    fn load<'c, U: Send + 'c>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> BoxFuture<'c, QueryResult<Vec<U>>>
    where
        Self: LoadQuery<'c, &'c AsyncPgConnection, U> + 'c,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::load(self, &mut conn).await
        }
        .boxed()
    }

    /// The one row of a query.
    fn get_result<'c, U: Send + 'c>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> BoxFuture<'c, QueryResult<U>>
    where
        Self: LoadQuery<'c, &'c AsyncPgConnection, U> + 'c,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::get_result(self, &mut conn).await
        }
        .boxed()
    }

    /// The first row of a query.
    fn first<'c, U: Send + 'c>(self, conn: &'c AsyncPgConnection) -> BoxFuture<'c, QueryResult<U>>
    where
        Self: LimitDsl + 'c,
        Limit<Self>: LoadQuery<'c, &'c AsyncPgConnection, U> + Send + 'c,
    {
        async move {
            let mut conn = conn;
            diesel_async::RunQueryDsl::first(self, &mut conn).await
        }
        .boxed()
    }
}

impl<T: Send> RunQueryDsl for T {}

impl<S> ExecuteCached<S> for AsyncPgConnection
where
    S: QueryFragment<Pg> + Send,
{
    async fn execute_cached(&self, statement: Cached<S>) -> QueryResult<()> {
        let mut conn = self;
        diesel_async::RunQueryDsl::execute(statement, &mut conn).await.map(drop)
    }
}
