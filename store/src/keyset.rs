//! Conditions for the rows of a list that come after a place. They compare two columns at once, as both databases do it within an
//! index on these columns, and as Diesel has no words for.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Integer, Text};
use windlass_core::Text as _;

use crate::page::{Position, VersionCursor};
use crate::rows::At;
use crate::schema::{
    approvals, credentials, events, handler_runs, inputs, journal, mutations, notifications,
    scripts, sessions,
};

macro_rules! conditions {
    ($( $(#[$meta:meta])* $name:ident($first:ty: $first_sql:ty, $second:ty: $second_sql:ty) on $table:ident = $sql:literal; )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, QueryId)]
        pub(crate) struct $name($first, $second);

        impl Expression for $name {
            type SqlType = Bool;
        }

        impl<DB> QueryFragment<DB> for $name
        where
            DB: Backend + HasSqlType<$first_sql> + HasSqlType<$second_sql>,
            $first: ToSql<$first_sql, DB>,
            $second: ToSql<$second_sql, DB>,
        {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
                out.push_sql($sql);
                out.push_sql(" (");
                out.push_bind_param::<$first_sql, $first>(&self.0)?;
                out.push_sql(", ");
                out.push_bind_param::<$second_sql, $second>(&self.1)?;
                out.push_sql(")");
                Ok(())
            }
        }

        impl<From> AppearsOnTable<From> for $name where $table::id: AppearsOnTable<From> {}

        impl ValidGrouping<()> for $name {
            type IsAggregate = is_aggregate::No;
        }
    )+ };
}

conditions! {
    /// Approvals after one, oldest first.
    ApprovalsAfter(At: BigInt, String: Text) on approvals = "(approvals.requested_at, approvals.id) >";
    /// Credentials before one: they are listed newest first.
    CredentialsBefore(At: BigInt, String: Text) on credentials = "(credentials.created_at, credentials.id) <";
    /// Events after one, oldest first.
    EventsAfter(At: BigInt, String: Text) on events = "(events.created_at, events.id) >";
    /// Inputs after one, oldest first.
    InputsAfter(At: BigInt, String: Text) on inputs = "(inputs.created_at, inputs.id) >";
    /// Inputs before one, newest first.
    InputsBefore(At: BigInt, String: Text) on inputs = "(inputs.created_at, inputs.id) <";
    /// Entries of a journal after one, oldest first.
    JournalAfter(At: BigInt, String: Text) on journal = "(journal.created_at, journal.id) >";
    /// Mutations after one, oldest first.
    MutationsAfter(At: BigInt, String: Text) on mutations = "(mutations.created_at, mutations.id) >";
    /// Mutations before one, newest first.
    MutationsBefore(At: BigInt, String: Text) on mutations = "(mutations.created_at, mutations.id) <";
    /// Notifications before one: they are listed newest first.
    NotificationsBefore(At: BigInt, String: Text) on notifications = "(notifications.created_at, notifications.id) <";
    /// Runs before one: they are listed newest first.
    RunsBefore(At: BigInt, String: Text) on handler_runs = "(handler_runs.created_at, handler_runs.id) <";
    /// Sessions before one: they are listed newest first.
    SessionsBefore(At: BigInt, String: Text) on sessions = "(sessions.created_at, sessions.id) <";
    /// Script versions before one: they are listed newest first.
    VersionsBefore(i32: Integer, i32: Integer) on scripts = "(scripts.major, scripts.minor) <";
}

macro_rules! of_position {
    ($($name:ident: $id:ident),+ $(,)?) => { $(
        impl From<&Position<windlass_core::$id>> for $name {
            fn from(position: &Position<windlass_core::$id>) -> Self {
                Self(At(position.at), position.id.to_text())
            }
        }
    )+ };
}

of_position! {
    ApprovalsAfter: ApprovalId,
    CredentialsBefore: CredentialId,
    EventsAfter: EventId,
    InputsAfter: InputId,
    InputsBefore: InputId,
    JournalAfter: JournalId,
    MutationsAfter: MutationId,
    MutationsBefore: MutationId,
    NotificationsBefore: NotificationId,
    RunsBefore: RunId,
    SessionsBefore: SessionId,
}

impl From<&VersionCursor> for VersionsBefore {
    fn from(cursor: &VersionCursor) -> Self {
        let stored = |number| i32::try_from(number).unwrap_or(i32::MAX);
        Self(stored(cursor.major), stored(cursor.minor))
    }
}
