//! What waits for a worker, as queries that each backend locks in its own way.

/// Queued runs of runnable workflows, those for `$which`, in the order of their ranks.
macro_rules! queued_runs {
    ($now:expr, $which:expr) => {{
        use diesel::prelude::*;
        use windlass_core::WorkflowStatus;

        use crate::literals::IsQueued;
        use crate::rows::{At, Db, RunRow};
        use crate::schema::{handler_runs, mutations, workflows};

        let mutation = mutations::table
            .filter(mutations::id.nullable().eq(handler_runs::mutation_id))
            .select(mutations::status)
            .single_value();
        handler_runs::table
            .inner_join(workflows::table)
            .filter(IsQueued)
            .filter(handler_runs::available_at.le(At($now)))
            .filter(workflows::status.eq(Db(WorkflowStatus::Active)))
            .filter(workflows::error.is_null().and(workflows::maintenance.eq(false)))
            .filter($which)
            .order((handler_runs::rank, handler_runs::id))
            .select((RunRow::as_select(), workflows::name, mutation))
    }};
}

/// Workflows that are due, longest first.
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

/// Makes `$then` of the queued runs that are taken from there.
///
/// Where no limit is used up, which is nearly always, the query does not look at what workflows have in common.
macro_rules! queued_from {
    ($now:expr, $from:expr, |$queued:ident| $then:expr) => {{
        use diesel::{BoolExpressionMethods, ExpressionMethods};

        use crate::rows::Db;
        use crate::schema::handler_runs;

        let from: &crate::queue::From<'_> = $from;
        let theirs = handler_runs::workspace_id
            .eq(Db(from.workspace))
            .and(handler_runs::label.is_null().or(handler_runs::label.eq_any(from.labels)))
            .and(handler_runs::id.ne_all(from.besides));
        if from.full.is_empty() {
            let $queued = crate::queue::queued_runs!($now, theirs);
            $then
        } else {
            let full = crate::queue::with_keys(from.full);
            let $queued = crate::queue::queued_runs!(
                $now,
                theirs.and(handler_runs::workflow_id.ne_all(full))
            );
            $then
        }
    }};
}

/// Whether a run is of that workflow, in that workspace.
macro_rules! queue_of {
    ($workspace:expr, $workflow:expr) => {{
        use diesel::prelude::*;

        use crate::rows::Db;
        use crate::schema::handler_runs;

        handler_runs::workflow_id
            .eq(Db($workflow))
            .and(handler_runs::workspace_id.eq(Db($workspace)))
    }};
}

/// That workflow, where it is one of that workspace.
macro_rules! one_workflow {
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
pub(crate) use {due_workflows, one_workflow, queue_of, queued_from, queued_runs};

use crate::rows::{Db, RunRow};
use crate::schema::workflow_keys;

/// A queued run, what its workflow is called, and the status of its mutation.
pub(crate) type QueuedRun = (RunRow, String, Option<Db<MutationStatus>>);

/// Where queued runs are taken from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct From<'a> {
    /// The workspace.
    pub(crate) workspace: WorkspaceId,
    /// The labels that they may ask for.
    pub(crate) labels: &'a [String],
    /// Runs that were found already.
    pub(crate) besides: &'a [Db<RunId>],
    /// What they may not have in common with others now.
    pub(crate) full: &'a [String],
}

/// The workflows whose runs have one of those keys.
#[diesel::dsl::auto_type(no_type_alias)]
pub(crate) fn with_keys(keys: &[String]) -> _ {
    let with_one: diesel::dsl::EqAny<workflow_keys::key, &[String]> =
        workflow_keys::key.eq_any(keys);
    workflow_keys::table.filter(with_one).select(workflow_keys::workflow_id)
}
