//! `diesel-async`'s calls on a shared connection, so that statements which do not need one another's answers are sent together.

use diesel::OptionalExtension;
use diesel::dsl::Limit;
use diesel::pg::Pg;
use diesel::query_builder::QueryFragment;
use diesel::query_dsl::methods::LimitDsl;
use diesel_async::AsyncPgConnection;
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::cached::{Cached, ExecuteCached};
use crate::error::{Result, StoreError};

/// The counterpart of `diesel_async::RunQueryDsl`. A statement is sent when its future is first polled. The futures are boxed: their
/// types name the whole statement, and the compiler would look through them again in every operation.
pub(super) trait RunQueryDsl: Sized + Send {
    /// Runs a statement; returns how many rows it changed.
    fn execute<'c>(self, conn: &'c AsyncPgConnection) -> BoxFuture<'c, Result<usize>>
    where
        Self: ExecuteDsl<&'c AsyncPgConnection> + 'c,
    {
        async move {
            let mut conn = conn;
            let answer = diesel_async::RunQueryDsl::execute(self, &mut conn).await;
            answer.map_err(StoreError::from_diesel)
        }
        .boxed()
    }

    /// All rows of a query.
    fn load<'c, U: Send + 'c>(self, conn: &'c AsyncPgConnection) -> BoxFuture<'c, Result<Vec<U>>>
    where
        Self: LoadQuery<'c, &'c AsyncPgConnection, U> + 'c,
    {
        async move {
            let mut conn = conn;
            let answer = diesel_async::RunQueryDsl::load(self, &mut conn).await;
            answer.map_err(StoreError::from_diesel)
        }
        .boxed()
    }

    /// The one row of a query.
    fn get_result<'c, U: Send + 'c>(self, conn: &'c AsyncPgConnection) -> BoxFuture<'c, Result<U>>
    where
        Self: LoadQuery<'c, &'c AsyncPgConnection, U> + 'c,
    {
        async move {
            let mut conn = conn;
            let answer = diesel_async::RunQueryDsl::get_result(self, &mut conn).await;
            answer.map_err(StoreError::from_diesel)
        }
        .boxed()
    }

    /// The first row of a query.
    fn first<'c, U: Send + 'c>(self, conn: &'c AsyncPgConnection) -> BoxFuture<'c, Result<U>>
    where
        Self: LimitDsl + 'c,
        Limit<Self>: LoadQuery<'c, &'c AsyncPgConnection, U> + Send + 'c,
    {
        async move {
            let mut conn = conn;
            let answer = diesel_async::RunQueryDsl::first(self, &mut conn).await;
            answer.map_err(StoreError::from_diesel)
        }
        .boxed()
    }

    /// The first row of a query, if it has one.
    fn optional<'c, U: Send + 'c>(
        self,
        conn: &'c AsyncPgConnection,
    ) -> BoxFuture<'c, Result<Option<U>>>
    where
        Self: LimitDsl + 'c,
        Limit<Self>: LoadQuery<'c, &'c AsyncPgConnection, U> + Send + 'c,
    {
        async move {
            let mut conn = conn;
            let answer = diesel_async::RunQueryDsl::first(self, &mut conn).await;
            OptionalExtension::optional(answer).map_err(StoreError::from_diesel)
        }
        .boxed()
    }
}

impl<T: Send> RunQueryDsl for T {}

impl<S> ExecuteCached<S> for AsyncPgConnection
where
    S: QueryFragment<Pg> + Send,
{
    async fn execute_cached(&self, statement: Cached<S>) -> Result<()> {
        let mut conn = self;
        let answer = diesel_async::RunQueryDsl::execute(statement, &mut conn).await;
        answer.map(drop).map_err(StoreError::from_diesel)
    }
}
