//! Statements that the database prepares once per connection.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::error::Result;

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
    pub(crate) fn execute<C>(self, conn: &C) -> impl Future<Output = Result<()>> + Send
    where
        C: ExecuteCached<S>,
    {
        conn.execute_cached(self)
    }
}

/// A connection that caches [`Cached`] statements.
pub(crate) trait ExecuteCached<S> {
    /// Runs the statement.
    fn execute_cached(&self, statement: Cached<S>) -> impl Future<Output = Result<()>> + Send;
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
