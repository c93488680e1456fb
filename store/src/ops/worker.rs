//! Workers: heartbeats, lease renewal and deregistration.

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{RunId, WorkerId, WorkflowId, WorkspaceId};

use super::dialect::{self, RunQueryDsl};
use super::{BATCH, Operation, Tx, clock, locked_run, recover};
use crate::convert::{to_i32, to_i64};
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::{Claim, HeartbeatAnswer, LeaseRenewal, RecoveredRun};
use crate::params::Heartbeat;
use crate::rows::{At, Db, Json, WorkerRow};
use crate::schema::{handler_runs, workers};

/// A worker without a heartbeat for so long is no longer listed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

impl Operation for Heartbeat {
    type Output = HeartbeatAnswer;

    async fn run(self, tx: &Tx<'_>) -> Result<HeartbeatAnswer> {
        let row = row(tx, &self);
        diesel::insert_into(workers::table)
            .values(&row)
            .on_conflict(workers::id)
            .do_update()
            .set((
                workers::running.eq(row.running),
                workers::done.eq(row.done),
                workers::failed.eq(row.failed),
                workers::last_heartbeat_at.eq(row.last_heartbeat_at),
            ))
            .execute(tx.conn)
            .await?;
        let long_ago = At(tx.now.before(FORGOTTEN_AFTER));
        let forgotten = workers::table.filter(workers::last_heartbeat_at.lt(long_ago));
        diesel::delete(forgotten).execute(tx.conn).await?;
        let mut leases = LeaseRenewal::default();
        for claims in self.claims.chunks(BATCH) {
            renew(tx, row.id, claims, self.lease, &mut leases).await?;
        }
        let clock_stepped_at = clock::check(tx, self.clock, self.lease).await?;
        Ok(HeartbeatAnswer { leases, at: tx.now, clock_stepped_at })
    }
}

fn row(tx: &Tx<'_>, heartbeat: &Heartbeat) -> WorkerRow {
    let worker_info = &heartbeat.worker;
    WorkerRow {
        id: Db(worker_info.id),
        workspace_id: worker_info.filter.workspace.map(Db),
        host: worker_info.host.clone(),
        pid: worker_info.pid.into(),
        version: worker_info.version.clone(),
        labels: Json(worker_info.filter.labels.clone()),
        slots: to_i32(worker_info.slots),
        running: i32::try_from(heartbeat.claims.len()).unwrap_or(i32::MAX),
        done: to_i64(heartbeat.ended.done),
        failed: to_i64(heartbeat.ended.failed),
        started_at: At(tx.now),
        last_heartbeat_at: At(tx.now),
    }
}

/// Workspace, workflow, run and fence of a claim.
type StoredClaim = (Db<WorkspaceId>, Db<WorkflowId>, Db<RunId>, i64);

/// Renews the leases that the worker still has. A row that another transaction has locked is skipped, so that the other leases do not
/// expire while waiting for it.
async fn renew(
    tx: &Tx<'_>,
    worker: Db<WorkerId>,
    claims: &[Claim],
    lease: Duration,
    renewal: &mut LeaseRenewal,
) -> Result<()> {
    let runs: Vec<_> = claims.iter().map(|claim| Db(claim.run)).collect();
    // Lock first, then read, so that the locked rows stay as they are read.
    let free = dialect::lock_free_runs(tx.conn, &runs).await?;
    let ours = handler_runs::id.eq_any(runs).and(handler_runs::claimed_by.eq(worker));
    let ours = handler_runs::table.filter(ours).filter(IsActive);
    let ours = ours.select((
        handler_runs::workspace_id,
        handler_runs::workflow_id,
        handler_runs::id,
        handler_runs::fence,
    ));
    let ours: Vec<StoredClaim> = ours.load(tx.conn).await?;
    let (renewed, busy): (Vec<_>, Vec<_>) = ours
        .into_iter()
        .map(|(Db(workspace), Db(workflow), Db(run), fence)| Claim {
            workspace,
            workflow,
            run,
            fence,
        })
        .filter(|claim| claims.contains(claim))
        .map(|claim| Db(claim.run))
        .partition(|run| free.contains(run));
    diesel::update(handler_runs::table.filter(handler_runs::id.eq_any(&renewed)))
        .set(handler_runs::lease_expires_at.eq(Some(At(tx.now.after(lease)))))
        .execute(tx.conn)
        .await?;
    renewal.renewed.extend(renewed.into_iter().map(|Db(run)| run));
    renewal.busy.extend(busy.into_iter().map(|Db(run)| run));
    Ok(())
}

/// Hands back the runs of a worker that stops.
#[derive(Clone, Copy)]
pub(in super::super) struct DeregisterWorker {
    pub(in super::super) worker: WorkerId,
}

impl Operation for DeregisterWorker {
    type Output = Vec<RecoveredRun>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<RecoveredRun>> {
        let Self { worker } = self;
        let claimed = handler_runs::table
            .filter(IsActive)
            .filter(handler_runs::claimed_by.eq(Some(Db(worker))))
            .order(handler_runs::lease_expires_at)
            .select((handler_runs::workflow_id, handler_runs::workspace_id, handler_runs::id));
        let mut claimed: Vec<(Db<WorkflowId>, Db<WorkspaceId>, Db<RunId>)> =
            claimed.load(tx.conn).await?;
        // Workflows are always locked in the same order.
        claimed.sort_unstable();
        let mut handed_back = Vec::with_capacity(claimed.len());
        for (_, Db(workspace), Db(run)) in claimed {
            match locked_run::find(tx, workspace, run).await? {
                // A request that may still be sent, or be under way, must not be looked up before the lease ends.
                Some(locked) if locked.is_claimed_by(worker) && !locked.state.is_uncertain() => {
                    handed_back.push(recover::hand_back(tx, locked).await?);
                }
                Some(_) | None => {}
            }
        }
        diesel::delete(workers::table.find(Db(worker))).execute(tx.conn).await?;
        Ok(handed_back)
    }
}
