//! Recovers the runs of lost workers.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Changes, Failure, RunId, Status, WorkflowChange, WorkflowId, WorkspaceId};

use super::advance::advance_workflow;
use super::cause::Cause;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::locked_run::{self, LockedRun};
use super::outcome::TransitionContext;
use super::{Operation, Tx, outcome};
use crate::convert::to_u32;
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::RecoveredRun;
use crate::params::{EndedLeases, RecoverRuns};
use crate::rows::{At, Db};
use crate::schema::handler_runs;

impl Operation for RecoverRuns {
    type Output = Vec<RecoveredRun>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<RecoveredRun>> {
        let mut recovered = Vec::new();
        for (workspace, run) in lost_runs(tx, &self).await? {
            // Without waiting for the lock: the worker itself may have it, and the other runs must not wait for it.
            let Some(locked) = locked_run::find_free(tx, workspace, run).await? else { continue };
            if is_lost(tx, &locked, &self) {
                recovered.push(recover(tx, locked).await?);
            }
        }
        Ok(recovered)
    }
}

/// By when the leases must have ended: the clock alone may have stepped.
fn ended_by(tx: &Tx<'_>, leases: &EndedLeases) -> Option<At> {
    match leases {
        EndedLeases::None => None,
        EndedLeases::By { latest, .. } => Some(At(tx.now.min(*latest))),
    }
}

/// The runs whose lease has expired or whose worker is lost, at most `limit`, those that expired first. They are returned in the
/// order of their workflows, so that two workers that recover runs lock them in the same order.
async fn lost_runs(tx: &Tx<'_>, params: &RecoverRuns) -> Result<Vec<(WorkspaceId, RunId)>> {
    let workers: Vec<_> = params.lost_workers.iter().map(|worker| Db(*worker)).collect();
    let except: Vec<_> = match &params.ended_leases {
        EndedLeases::None => Vec::new(),
        EndedLeases::By { except, .. } => except.iter().map(|run| Db(*run)).collect(),
    };
    let ended_by = ended_by(tx, &params.ended_leases);
    // Without an instant, nothing has ended by it.
    let has_ended = handler_runs::lease_expires_at.le(ended_by);
    let has_ended = has_ended.and(handler_runs::id.ne_all(except));
    let lost = has_ended.or(handler_runs::claimed_by.eq_any(workers));
    let runs = handler_runs::table
        .filter(IsActive)
        .filter(lost)
        .order(handler_runs::lease_expires_at)
        .limit(i64::from(params.limit))
        .select((handler_runs::workflow_id, handler_runs::workspace_id, handler_runs::id));
    let mut runs: Vec<(Db<WorkflowId>, Db<WorkspaceId>, Db<RunId>)> = runs.load(tx.conn).await?;
    runs.sort_unstable();
    Ok(runs.into_iter().map(|(_, Db(workspace), Db(run))| (workspace, run)).collect())
}

/// Whether the run is still lost, now that it is locked: its worker may have renewed or ended it.
fn is_lost(tx: &Tx<'_>, locked: &LockedRun, params: &RecoverRuns) -> bool {
    let ended_by = ended_by(tx, &params.ended_leases);
    let has_expired = locked.run.lease_expires_at.zip(ended_by).is_some_and(|(end, by)| end <= by);
    let is_dead = locked.run.claimed_by.is_some_and(|Db(by)| params.lost_workers.contains(&by));
    locked.state.status == Status::Active && (has_expired || is_dead)
}

async fn recover(tx: &Tx<'_>, mut locked: LockedRun) -> Result<RecoveredRun> {
    locked.workflow.lost_runs = locked.workflow.lost_runs.saturating_add(1);
    let limit = tx.policy.runs.lost_too_often(to_u32(locked.workflow.lost_runs));
    let changes = locked.state.crash(locked.recourse)?;
    let changes = outcome::limited(&mut locked, changes, limit.as_ref());
    let lost = "the worker that had this run was lost";
    write(tx, locked, changes, (lost, limit)).await
}

/// Hands back a run whose worker stops.
pub(super) async fn hand_back(tx: &Tx<'_>, locked: LockedRun) -> Result<RecoveredRun> {
    let changes = locked.state.hand_back(locked.recourse)?;
    let stopped = "the worker that had this run stopped before it ended";
    write(tx, locked, changes, (stopped, None)).await
}

async fn write(
    tx: &Tx<'_>,
    mut locked: LockedRun,
    changes: Changes,
    (why, limit): (&str, Option<Failure>),
) -> Result<RecoveredRun> {
    let cause = match &changes.workflow {
        WorkflowChange::Block(failure)
        | WorkflowChange::LookUp(failure)
        | WorkflowChange::Maintenance(failure) => Cause::from(failure),
        WorkflowChange::Keep | WorkflowChange::Unblock | WorkflowChange::BackOff(_) => {
            Cause { message: why.to_owned(), class: None, at: None }
        }
    };
    let context = TransitionContext { cause: Some(cause), ..TransitionContext::default() };
    outcome::write(tx, &mut locked, changes, &context).await?;
    outcome::tell_limit(tx, &locked, limit.as_ref()).await?;
    let entry = Entry::by_windlass("run.recovered", &locked.run.id.0).with(json!({
        "worker": locked.run.claimed_by.map(|Db(worker)| worker),
        "phase": locked.state.phase,
        "status": locked.state.status,
    }));
    journal::add(tx, &locked.workflow, entry).await?;
    let recovered = RecoveredRun {
        run: locked.run.id.0,
        workflow_name: locked.workflow.name.clone(),
        handler: locked.run.handler_name.clone(),
        status: locked.state.status,
    };
    advance_workflow(tx, locked.workflow).await?;
    Ok(recovered)
}
