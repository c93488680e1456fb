//! Workers take runs, and keep them.

use std::time::Duration;

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{MutationStatus, RunId, WorkerId};

use super::dialect::{self, RunQueryDsl};
use super::{Operation, Tx, held};
use crate::error::{Result, StoreError};
use crate::literals::IsActive;
use crate::model::{Claim, ClaimedRun};
use crate::params::{ClaimRuns, FollowUp, RenewLeases};
use crate::rows::{At, Db, Json, RunRow, WorkflowRow};
use crate::schema::{handler_runs, mutations, workflows};

impl Operation for ClaimRuns {
    type Output = Vec<ClaimedRun>;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Vec<ClaimedRun>> {
        let queued = dialect::lock_queued_runs(tx.conn, tx.now, self.workflow, self.limit).await?;
        let mut claimed = Vec::with_capacity(queued.len());
        for Db(run) in queued {
            claimed.push(take(tx, run, self.worker, self.lease).await?);
        }
        // Whoever sleeps until the next moment has a lease more to think of.
        tx.wakes = !claimed.is_empty();
        Ok(claimed)
    }
}

/// The worker goes on with the run that was enqueued just now.
pub(super) async fn follow_up(
    tx: &mut Tx<'_>,
    enqueued: Option<RunId>,
    wanted: Option<FollowUp>,
) -> Result<Option<ClaimedRun>> {
    let (Some(run), Some(FollowUp { worker, lease })) = (enqueued, wanted) else { return Ok(None) };
    let claimed = take(tx, run, worker, lease).await?;
    tx.wakes = false;
    Ok(Some(claimed))
}

async fn take(
    tx: &mut Tx<'_>,
    run: RunId,
    worker: WorkerId,
    lease: Duration,
) -> Result<ClaimedRun> {
    let found = held::load(tx, run).await?;
    let found = found.ok_or_else(|| StoreError::not_found("run", &run))?;
    let (row, state) = (found.run, found.state.claim()?.run);
    let claim = Claim { run, fence: row.fence + 1 };
    diesel::update(handler_runs::table.filter(handler_runs::id.eq(row.id)))
        .set((
            handler_runs::status.eq(Db(state.status)),
            handler_runs::phase.eq(Db(state.phase)),
            handler_runs::claimed_by.eq(Some(Db(worker))),
            handler_runs::lease_expires_at.eq(Some(At(tx.now.after(lease)))),
            handler_runs::fence.eq(claim.fence),
            handler_runs::started_at.eq(Some(At(tx.now))),
        ))
        .execute(tx.conn)
        .await?;
    let workflow = WorkflowRow::query().filter(workflows::id.eq(row.workflow_id));
    let workflow = workflow.first(tx.conn).await?;
    let mutation_result = mutation_result(tx, &row).await?;
    Ok(ClaimedRun {
        claim,
        state,
        workspace: workflow.workspace_id.0,
        workflow: workflow.id.0,
        workflow_name: workflow.name,
        session: row.session_id.0,
        script: row.script_id.0,
        handler: row.handler_name,
        input_state: row.input_state.map(|Json(value)| value),
        prepare_result: row.prepare_result.map(|Json(value)| value),
        mutation_result,
    })
}

/// What the effect returned that this run continues after.
async fn mutation_result(tx: &mut Tx<'_>, run: &RunRow) -> Result<Option<Value>> {
    let Some(mutation) = run.mutation_id else { return Ok(None) };
    let applied = mutations::table
        .filter(mutations::id.eq(mutation))
        .filter(mutations::status.eq(Db(MutationStatus::Applied)))
        .select(mutations::result);
    let result: Option<Option<Json>> = applied.first(tx.conn).await.optional()?;
    Ok(result.flatten().map(|Json(value)| value))
}

impl Operation for RenewLeases {
    type Output = Vec<RunId>;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Vec<RunId>> {
        let expires_at = At(tx.now.after(self.lease));
        let mut held = Vec::with_capacity(self.claims.len());
        for Claim { run, fence } in self.claims {
            let ours = handler_runs::id.eq(Db(run)).and(handler_runs::fence.eq(fence));
            let n_renewed = diesel::update(handler_runs::table.filter(ours).filter(IsActive))
                .set(handler_runs::lease_expires_at.eq(Some(expires_at)))
                .execute(tx.conn)
                .await?;
            if n_renewed > 0 {
                held.push(run);
            }
        }
        Ok(held)
    }
}
