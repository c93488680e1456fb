//! Queries for queued runs and due workflows, which each backend locks in its own way.

/// Queued runs of runnable workflows that match `$condition`, in the order of their ranks.
macro_rules! queued_runs {
    ($condition:expr) => {{
        use diesel::dsl::exists;
        use diesel::prelude::*;
        use windlass_core::WorkflowStatus;

        use crate::literals::IsQueued;
        use crate::rows::{Db, RunRow};
        use crate::schema::{handler_runs, mutations, run_values, workflows};

        // Not joined, because the nullable side of a join cannot be locked.
        let values = || run_values::table.filter(run_values::run_id.eq(handler_runs::id));
        let values = (
            values().select(run_values::prepare_result).single_value(),
            values().select(run_values::input_state).single_value(),
        );
        let mutation = mutations::table
            .filter(mutations::id.nullable().eq(handler_runs::mutation_id))
            .select(mutations::status)
            .single_value();
        // Not joined either: the lock on a workflow would keep its other runs from being claimed.
        let workflow = || workflows::table.filter(workflows::id.eq(handler_runs::workflow_id));
        let is_runnable = exists(
            workflow()
                .filter(workflows::status.eq(Db(WorkflowStatus::Active)))
                .filter(workflows::error.is_null().and(workflows::maintenance.eq(false)))
                .filter(workflows::contradicted_mutation_id.is_null()),
        );
        let name = workflow().select(workflows::name).single_value().assume_not_null();
        handler_runs::table
            .filter(IsQueued)
            .filter(is_runnable)
            .filter($condition)
            .order((handler_runs::rank, handler_runs::id))
            .select((RunRow::as_select(), name, mutation, values))
    }};
}

/// Workflows that are due, those that have been due longest first.
macro_rules! due_workflows {
    ($now:expr, $limit:expr) => {{
        use diesel::prelude::*;

        use crate::rows::{At, WorkflowRow};
        use crate::schema::workflows;

        WorkflowRow::query()
            .filter(workflows::due_at.le(At($now)))
            .order((workflows::due_at, workflows::id))
            .limit(i64::from($limit))
    }};
}

/// Evaluates `$then` with the query for the queued runs that match a [`QueueFilter`].
///
/// If no limit is reached, which is nearly always so, the query does not read limit keys.
macro_rules! with_queued_runs {
    ($filter:expr, |$queued:ident| $then:expr) => {{
        use diesel::{BoolExpressionMethods, ExpressionMethods};

        use crate::rows::Db;
        use crate::schema::handler_runs;

        let filter: &crate::queue::QueueFilter<'_> = $filter;
        let matches = handler_runs::workspace_id
            .eq(Db(filter.workspace))
            .and(handler_runs::label.is_null().or(handler_runs::label.eq_any(filter.labels)))
            .and(handler_runs::id.ne_all(filter.except));
        if filter.full_keys.is_empty() {
            let $queued = crate::queue::queued_runs!(matches);
            $then
        } else {
            let full = crate::queue::workflows_with_keys(filter.full_keys);
            let $queued =
                crate::queue::queued_runs!(matches.and(handler_runs::workflow_id.ne_all(full)));
            $then
        }
    }};
}

/// The condition that a run belongs to a workflow of a workspace.
macro_rules! run_of_workflow {
    ($workspace:expr, $workflow:expr) => {{
        use diesel::prelude::*;

        use crate::rows::Db;
        use crate::schema::handler_runs;

        handler_runs::workflow_id
            .eq(Db($workflow))
            .and(handler_runs::workspace_id.eq(Db($workspace)))
    }};
}

/// The row of a workflow of a workspace.
macro_rules! workflow_row {
    ($workspace:expr, $workflow:expr) => {{
        use diesel::prelude::*;

        use crate::rows::{Db, WorkflowRow};
        use crate::schema::workflows;

        WorkflowRow::query()
            .filter(workflows::id.eq(Db($workflow)))
            .filter(workflows::workspace_id.eq(Db($workspace)))
    }};
}

use diesel::prelude::*;
use windlass_core::{MutationStatus, RunId, WorkspaceId};
pub(crate) use {due_workflows, queued_runs, run_of_workflow, with_queued_runs, workflow_row};

use crate::rows::{Db, RunRow, StartValues};
use crate::schema::workflow_keys;

/// A queued run, the name of its workflow, the status of its mutation, and its values.
pub(crate) type QueuedRun = (RunRow, String, Option<Db<MutationStatus>>, StartValues);

/// Which queued runs to find.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueFilter<'a> {
    /// Their workspace.
    pub(crate) workspace: WorkspaceId,
    /// Their label is one of these, or they have none.
    pub(crate) labels: &'a [String],
    /// All but these.
    pub(crate) except: &'a [Db<RunId>],
    /// They have none of these keys, whose limit is reached.
    pub(crate) full_keys: &'a [String],
}

/// The workflows whose runs have one of the keys.
#[diesel::dsl::auto_type(no_type_alias)]
pub(crate) fn workflows_with_keys(keys: &[String]) -> _ {
    let with_one: diesel::dsl::EqAny<workflow_keys::key, &[String]> =
        workflow_keys::key.eq_any(keys);
    workflow_keys::table.filter(with_one).select(workflow_keys::workflow_id)
}
