//! Conditions with literal instead of bound values, so that both query planners see that a partial index matches them. With a
//! bound value, SQLite would plan the statement again for each value.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Bool;

use crate::schema::{approvals, attempts, events, handler_runs, mutations, sessions};

macro_rules! literals {
    ($( $(#[$meta:meta])* $name:ident on $table:ident = $sql:literal; )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, QueryId)]
        pub(crate) struct $name;

        impl Expression for $name {
            type SqlType = Bool;
        }

        impl<DB: Backend> QueryFragment<DB> for $name {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }

        impl<From> AppearsOnTable<From> for $name where $table::id: AppearsOnTable<From> {}

        impl ValidGrouping<()> for $name {
            type IsAggregate = is_aggregate::No;
        }
    )+ };
}

literals! {
    /// The event is pending.
    IsPending on events = "events.status = 'pending'";
    /// A run has reserved the event.
    IsReserved on events = "events.status = 'reserved'";
    /// The event is consumed or skipped.
    IsOver on events = "events.status IN ('consumed', 'skipped')";
    /// The event is parked.
    IsParked on events = "events.status = 'parked'";
    /// The run is queued or active.
    IsOpen on handler_runs = "handler_runs.status IN ('queued', 'active')";
    /// The run of a script is queued or active.
    IsOpenOfScript on handler_runs = "handler_runs.status IN ('queued', 'active') AND handler_runs.kind <> 'node'";
    /// The run of a node is queued or active.
    IsOpenOfNode on handler_runs = "handler_runs.status IN ('queued', 'active') AND handler_runs.kind = 'node'";
    /// The session is open, and its workflow has no other one.
    IsOpenSession on sessions = "sessions.result IS NULL AND sessions.kind <> 'journal'";
    /// The run is queued.
    IsQueued on handler_runs = "handler_runs.status = 'queued'";
    /// The run is active.
    IsActive on handler_runs = "handler_runs.status = 'active'";
    /// Nobody has answered.
    IsAsked on approvals = "approvals.status = 'pending'";
    /// The attempt is under way.
    IsRunningAttempt on attempts = "attempts.status = 'running'";
    /// The mutation waits for a lookup.
    IsLookedUp on mutations = "mutations.status = 'needs_reconcile'";
    /// It is known whether the mutation happened.
    IsSettled on mutations = "mutations.status IN ('applied', 'failed', 'would_send')";
    /// It is not known whether the mutation happened.
    IsUnsettled on mutations = "mutations.status NOT IN ('applied', 'failed', 'would_send')";
}
