//! Takes runs from workers that are lost.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Changes, Hold, RunId, Status, WorkflowId, WorkspaceId};

use super::dialect::RunQueryDsl;
use super::held::{self, Held};
use super::next::go_on;
use super::notices::{self, Entry};
use super::outcome::{Because, Cause};
use super::{Operation, Tx, outcome};
use crate::convert::count;
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::RecoveredRun;
use crate::params::RecoverRuns;
use crate::rows::{At, Db};
use crate::schema::handler_runs;

impl Operation for RecoverRuns {
    type Output = Vec<RecoveredRun>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<RecoveredRun>> {
        let mut recovered = Vec::new();
        for (workspace, run) in lost_runs(tx, &self).await? {
            // Whoever has the workflow locked may be the worker itself, and must not hold up all others.
            let Some(held) = held::find_free(tx, workspace, run).await? else { continue };
            if is_lost(tx, &held, &self) {
                recovered.push(recover(tx, held).await?);
            }
        }
        Ok(recovered)
    }
}

/// Those that look lost, the longest first: so they are found among the leases alone. In the order of their workflows, so that
/// two who recover lock them in the same order.
async fn lost_runs(tx: &Tx<'_>, params: &RecoverRuns) -> Result<Vec<(WorkspaceId, RunId)>> {
    let workers: Vec<_> = params.lost_workers.iter().map(|worker| Db(*worker)).collect();
    let lost =
        handler_runs::lease_expires_at.le(At(tx.now)).or(handler_runs::claimed_by.eq_any(workers));
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

/// Whether it still is, now that nobody else can change it: its worker may have renewed or ended it.
fn is_lost(tx: &Tx<'_>, held: &Held, params: &RecoverRuns) -> bool {
    let has_expired = held.run.lease_expires_at.is_some_and(|At(end)| end <= tx.now);
    let is_dead = held.run.claimed_by.is_some_and(|Db(by)| params.lost_workers.contains(&by));
    held.state.status == Status::Active && (has_expired || is_dead)
}

async fn recover(tx: &Tx<'_>, mut held: Held) -> Result<RecoveredRun> {
    held.workflow.lost_runs = held.workflow.lost_runs.saturating_add(1);
    let limit = tx.policy.runs.gives_up(count(held.workflow.lost_runs));
    let changes = held.state.crash(held.recourse)?.held_by(limit);
    let lost = "the worker that had this run was lost";
    write(tx, held, changes, lost).await
}

/// The worker that has it stops.
pub(super) async fn hand_back(tx: &Tx<'_>, held: Held) -> Result<RecoveredRun> {
    let changes = held.state.hand_back(held.recourse)?;
    write(tx, held, changes, "the worker that had this run stopped before it ended").await
}

async fn write(tx: &Tx<'_>, mut held: Held, changes: Changes, why: &str) -> Result<RecoveredRun> {
    let cause = match &changes.hold {
        Hold::Block(failure) | Hold::LookUp(failure) | Hold::Maintenance(failure) => {
            Cause::from(failure)
        }
        Hold::Keep | Hold::Lift | Hold::BackOff(_) => {
            Cause { message: why.to_owned(), class: None, at: None }
        }
    };
    let because = Because { cause: Some(cause), ..Because::default() };
    outcome::write(tx, &mut held, changes, &because).await?;
    let entry = Entry::by_windlass("run.recovered", &held.run.id.0).with(json!({
        "worker": held.run.claimed_by.map(|Db(worker)| worker),
        "phase": held.state.phase,
        "status": held.state.status,
    }));
    notices::journal(tx, &held.workflow, entry).await?;
    let recovered = RecoveredRun {
        run: held.run.id.0,
        workflow: held.workflow.id.0,
        status: held.state.status,
    };
    go_on(tx, held.workflow).await?;
    Ok(recovered)
}
