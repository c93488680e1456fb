//! Statements that the database prepares once per connection.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A statement that is prepared once and then used again, where Diesel would have it prepared anew each time because its text may
/// vary: every `UPDATE`, and SQL that is written out. Right for statements of which there are only a few forms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reused<S>(S);

/// Turns a statement into one that is [`Reused`].
pub(crate) trait Reuse: Sized {
    /// The same statement, prepared once.
    fn reused(self) -> Reused<Self> {
        Reused(self)
    }
}

impl<S> Reuse for S {}

/// Known by its text: what may vary in it is part of that.
impl<S> QueryId for Reused<S> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Reused<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _backend: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<S: Query> Query for Reused<S> {
    type SqlType = S::SqlType;
}

impl<S, Conn> diesel::RunQueryDsl<Conn> for Reused<S> {}
