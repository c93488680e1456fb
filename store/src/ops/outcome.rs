//! Writes a state transition of a run.

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{
    Blame, Changes, Failure, HandlerKind, MutationId, MutationStatus, NoEffect, PendingRetry,
    Reservations, ResolvedBy, SessionResult, Status, WorkflowChange,
};

use super::blame::About;
use super::cause::Cause;
use super::locked_run::LockedRun;
use super::{Tx, graph, journal, notifications, reservations, sessions};
use crate::cached::CacheStatement;
use crate::convert::stored_outcome;
use crate::effect_window;
use crate::error::Result;
use crate::pipeline::pipeline;
use crate::rows::{At, Db, Json, storable};
use crate::schema::{self, handler_runs, mutations, run_values};

/// The values that a transition writes besides the states.
#[derive(Default)]
pub(super) struct TransitionContext<'a> {
    /// Why the run stops.
    pub(super) cause: Option<Cause>,
    /// The result of `prepare`.
    pub(super) prepared: Option<&'a Value>,
    /// The mutation that the run begins.
    pub(super) mutation: Option<Db<MutationId>>,
    /// The state that the handler returned.
    pub(super) state: Option<&'a Value>,
    /// The tool's answer, if a mutation is applied.
    pub(super) result: Option<&'a Value>,
    /// Who resolved a mutation in doubt.
    pub(super) resolved_by: Option<ResolvedBy>,
    /// Whether the request of a failed mutation did not leave.
    pub(super) is_unsent: bool,
    /// When a mutation in doubt is looked up; none for now.
    pub(super) next_lookup: Option<NextLookup>,
    /// The events that a failure is about.
    pub(super) about: About,
}

/// How often a mutation was looked up, and when it is looked up next.
#[derive(Clone, Copy)]
pub(super) struct NextLookup {
    pub(super) attempts: i32,
    pub(super) at: At,
}

impl TransitionContext<'_> {
    pub(super) fn failed(failure: &Failure, about: About) -> Self {
        Self { cause: Some(Cause::from(failure)), about, ..Self::default() }
    }

    /// A request failed and had no effect.
    pub(super) fn had_no_effect(failure: &Failure, about: About, known_by: NoEffect) -> Self {
        Self {
            resolved_by: known_by.resolved_by(),
            is_unsent: known_by == NoEffect::Unsent,
            ..Self::failed(failure, about)
        }
    }
}

/// Applies a limit that the workflow has reached. The workflow of a script is blocked instead of going on; that of a graph is stopped
/// beside what becomes of the node.
pub(super) fn limited(
    locked: &mut LockedRun,
    changes: Changes,
    limit: Option<&Failure>,
) -> Changes {
    if locked.run.kind.0 != HandlerKind::Node {
        return changes.blocked_by(limit.cloned());
    }
    if let Some(limit) = limit {
        locked.workflow.error = Some(storable(limit.message.clone()));
        locked.workflow.error_class = Some(Db(limit.class));
        locked.workflow.stopped_by_run_id = Some(locked.run.id);
    }
    changes
}

/// Tells people that the workflow of a graph is stopped by a limit.
pub(super) async fn tell_limit(
    tx: &Tx<'_>,
    locked: &LockedRun,
    limit: Option<&Failure>,
) -> Result<()> {
    match limit.filter(|_| locked.run.kind.0 == HandlerKind::Node) {
        Some(limit) => notifications::workflow_limited(tx, locked, limit).await,
        None => Ok(()),
    }
}

/// Writes `changes` to the run, its mutation, its reserved events and its session. The workflow is changed in memory;
/// [`advance_workflow`](super::advance::advance_workflow) saves it.
pub(super) async fn write(
    tx: &Tx<'_>,
    locked: &mut LockedRun,
    changes: Changes,
    context: &TransitionContext<'_>,
) -> Result<()> {
    write_rows(tx, locked, &changes, context).await?;
    apply_workflow_changes(tx, locked, changes, context).await
}

/// The first half of [`write()`], which can be part of a larger pipeline: the run, its mutation and its events.
pub(super) async fn write_rows(
    tx: &Tx<'_>,
    locked: &LockedRun,
    changes: &Changes,
    context: &TransitionContext<'_>,
) -> Result<()> {
    let error = context.cause.as_ref().map(|cause| cause.message.as_str());
    pipeline!(
        write_mutation(tx, locked, changes.run.mutation, context),
        write_run(tx, locked, changes, context),
        write_values(tx, locked, context),
        reservations::settle(tx, locked, changes.reservations, &context.about, error),
    )?;
    Ok(())
}

/// The second half of [`write()`]: the session, and in memory the workflow and the run's state. What a run of a script makes of its
/// session and its workflow, the run of a node makes of its node.
pub(super) async fn apply_workflow_changes(
    tx: &Tx<'_>,
    locked: &mut LockedRun,
    changes: Changes,
    context: &TransitionContext<'_>,
) -> Result<()> {
    if locked.ends_with_mutation(&changes.run) {
        effect_window::count_mutation(&mut locked.workflow, tx.now, changes.run);
    }
    // Other runs may wait for its place.
    tx.wake_if(locked.run.limited && !changes.run.status.is_open());
    if !changes.run.status.is_open() && changes.run.status != Status::Crashed {
        locked.workflow.lost_runs = 0;
    }
    locked.state = changes.run;
    if locked.run.kind.0 == HandlerKind::Node {
        return graph::stopped::follow(tx, locked, &changes, context).await;
    }
    match changes.pending_retry {
        PendingRetry::Keep => {}
        PendingRetry::Set => locked.workflow.pending_retry_run_id = Some(locked.run.id),
        PendingRetry::Clear => locked.workflow.pending_retry_run_id = None,
    }
    if changes.session == Some(SessionResult::Failed) {
        sessions::fail(tx, locked.run.session_id, context.cause.as_ref()).await?;
    }
    if let Reservations::Release { blame } = changes.reservations {
        locked.workflow.blaming |= blame.parks() || matches!(blame, Blame::OneOf(_));
    }
    apply_workflow_change(tx, locked, changes.workflow).await
}

async fn write_mutation(
    tx: &Tx<'_>,
    locked: &LockedRun,
    status: Option<MutationStatus>,
    context: &TransitionContext<'_>,
) -> Result<()> {
    let (Some(mutation), Some(status)) = (locked.run.mutation_id, status) else { return Ok(()) };
    if locked.state.mutation == Some(status) {
        return Ok(());
    }
    let resolved = context.resolved_by.map(|by| {
        (mutations::resolved_by.eq(Some(Db(by))), mutations::resolved_at.eq(Some(At(tx.now))))
    });
    let answer = context.result.map(|result| mutations::result.eq(Some(Json(result))));
    let cause = context.cause.as_ref().map(|cause| {
        (mutations::error.eq(Some(&cause.message)), mutations::error_class.eq(cause.class.map(Db)))
    });
    let is_looked_up = status == MutationStatus::NeedsReconcile;
    let next = context.next_lookup.unwrap_or(NextLookup { attempts: 0, at: At(tx.now) });
    let attempts = is_looked_up.then(|| mutations::reconcile_attempts.eq(next.attempts));
    diesel::update(mutations::table.filter(mutations::id.eq(mutation)))
        .set((
            mutations::status.eq(Db(status)),
            mutations::next_reconcile_at.eq(is_looked_up.then_some(next.at)),
            mutations::looked_up_until.eq(None::<At>),
            attempts,
            answer,
            cause,
            resolved,
            context.is_unsent.then(|| mutations::unsent.eq(true)),
            mutations::updated_at.eq(At(tx.now)),
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    if status == MutationStatus::Applied && locked.price > 0 {
        record_cost(tx, locked).await?;
    }
    Ok(())
}

/// Adds the cost of the mutation to the run and its session.
async fn record_cost(tx: &Tx<'_>, locked: &LockedRun) -> Result<()> {
    diesel::update(handler_runs::table.filter(handler_runs::id.eq(locked.run.id)))
        .set(handler_runs::cost.eq(locked.price))
        .cached()
        .execute(tx.conn)
        .await?;
    diesel::update(schema::sessions::table.filter(schema::sessions::id.eq(locked.run.session_id)))
        .set(schema::sessions::cost.eq(schema::sessions::cost + locked.price))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Writes the run. The status only if it changes: a written column updates its indexes, and the phase has none.
async fn write_run(
    tx: &Tx<'_>,
    locked: &LockedRun,
    changes: &Changes,
    context: &TransitionContext<'_>,
) -> Result<()> {
    let run = &changes.run;
    let status = (run.status != locked.run.status.0).then(|| {
        let ended_at = (!run.status.is_open()).then(|| locked.run.ended_at.unwrap_or(At(tx.now)));
        (handler_runs::status.eq(Db(run.status)), handler_runs::ended_at.eq(ended_at))
    });
    let mutation = context.mutation.map(|mutation| handler_runs::mutation_id.eq(Some(mutation)));
    // A run that goes on has not failed, even if its request was refused.
    let cause = context.cause.as_ref().filter(|_| !run.status.is_open());
    let error = cause.map(|cause| {
        (
            handler_runs::error.eq(Some(&cause.message)),
            handler_runs::error_class.eq(cause.class.map(Db)),
            handler_runs::error_at.eq(cause.at.as_ref().map(Json)),
        )
    });
    let (outcome, refused) = stored_outcome(run.outcome);
    diesel::update(handler_runs::table.filter(handler_runs::id.eq(locked.run.id)))
        .set((
            handler_runs::phase.eq(Db(run.phase)),
            handler_runs::mutation_outcome.eq(outcome),
            handler_runs::refused.eq(refused),
            status,
            mutation,
            error,
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Writes the result of `prepare`, or the state that the handler returned.
async fn write_values(
    tx: &Tx<'_>,
    locked: &LockedRun,
    context: &TransitionContext<'_>,
) -> Result<()> {
    macro_rules! write {
        ($column:ident, $value:expr) => {
            let value = || run_values::$column.eq(Some(Json($value)));
            diesel::insert_into(run_values::table)
                .values((run_values::run_id.eq(locked.run.id), value()))
                .on_conflict(run_values::run_id)
                .do_update()
                .set(value())
                .cached()
                .execute(tx.conn)
                .await?;
        };
    }
    if let Some(result) = context.prepared {
        write!(prepare_result, result);
    }
    if let Some(state) = context.state {
        write!(output_state, state);
    }
    Ok(())
}

async fn apply_workflow_change(
    tx: &Tx<'_>,
    locked: &mut LockedRun,
    change: WorkflowChange,
) -> Result<()> {
    let workflow = &mut locked.workflow;
    match change {
        WorkflowChange::Keep => {}
        WorkflowChange::Unblock => {
            workflow.error = None;
            workflow.error_class = None;
            if !workflow.maintenance {
                workflow.stopped_by_run_id = None;
            }
            notifications::resolve(tx, workflow.id, notifications::OF_ERROR).await?;
        }
        WorkflowChange::BackOff(delay) => {
            workflow.transient_failures = workflow.transient_failures.saturating_add(1);
            workflow.backoff_until = Some(At(tx.now.after(delay)));
        }
        WorkflowChange::LookUp(failure) => {
            workflow.error = Some(storable(failure.message.clone()));
            workflow.error_class = Some(Db(failure.class));
            workflow.stopped_by_run_id = Some(locked.run.id);
            journal::add_stop(tx, locked, &failure).await?;
        }
        WorkflowChange::Maintenance(failure) => {
            workflow.maintenance = true;
            workflow.stopped_by_run_id = Some(locked.run.id);
            notifications::workflow_stopped(tx, locked, &failure).await?;
        }
        WorkflowChange::Block(failure) => {
            workflow.error = Some(storable(failure.message.clone()));
            workflow.error_class = Some(Db(failure.class));
            workflow.stopped_by_run_id = Some(locked.run.id);
            notifications::workflow_stopped(tx, locked, &failure).await?;
        }
    }
    Ok(())
}
