//! Conditions that are written out instead of bound, so that both planners see that a partial index fits them. SQLite would also
//! look at a bound value for that, and plan the statement anew for each.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::Bool;

use crate::schema::{events, handler_runs, mutations};

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
    /// The event waits to be reserved.
    IsPending on events = "events.status = 'pending'";
    /// A run has the event for itself.
    IsReserved on events = "events.status = 'reserved'";
    /// The event is consumed or skipped.
    IsOver on events = "events.status IN ('consumed', 'skipped')";
    /// The event was taken out of the way.
    IsParked on events = "events.status = 'parked'";
    /// The run waits for a worker or has one.
    IsOpen on handler_runs = "handler_runs.status IN ('queued', 'active')";
    /// The run waits for a worker.
    IsQueued on handler_runs = "handler_runs.status = 'queued'";
    /// A worker has the run.
    IsActive on handler_runs = "handler_runs.status = 'active'";
    /// The mutation's effect waits to be looked up.
    IsLookedUp on mutations = "mutations.status = 'needs_reconcile'";
    /// The mutation did not happen.
    IsFailed on mutations = "mutations.status = 'failed'";
    /// It is known whether the mutation happened.
    IsSettled on mutations = "mutations.status IN ('applied', 'failed', 'would_send')";
    /// It is not known whether the mutation happened.
    IsUnsettled on mutations = "mutations.status NOT IN ('applied', 'failed', 'would_send')";
}
