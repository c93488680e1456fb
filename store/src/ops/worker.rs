//! Workers, as they say themselves.

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{RunId, WorkerId, WorkflowId, WorkspaceId};

use super::dialect::{self, RunQueryDsl};
use super::{BATCH, Operation, Tx, locked_run, recover, stored};
use crate::convert::stored_count;
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::{Claim, LeaseRenewal, RecoveredRun};
use crate::params::Heartbeat;
use crate::rows::{At, Db, Json, WorkerRow};
use crate::schema::{handler_runs, workers};

/// A worker that was not heard of for so long is no longer listed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

impl Operation for Heartbeat {
    type Output = LeaseRenewal;

    async fn run(self, tx: &Tx<'_>) -> Result<LeaseRenewal> {
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
        let mut locked = LeaseRenewal::default();
        for claims in self.claims.chunks(BATCH) {
            renew(tx, row.id, (claims, self.lease), &mut locked).await?;
        }
        Ok(locked)
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
        slots: stored(worker_info.slots),
        running: i32::try_from(heartbeat.claims.len()).unwrap_or(i32::MAX),
        done: stored_count(heartbeat.ended.done),
        failed: stored_count(heartbeat.ended.failed),
        started_at: At(tx.now),
        last_heartbeat_at: At(tx.now),
    }
}

/// What a claim consists of: workspace, workflow, run and fence.
type StoredClaim = (Db<WorkspaceId>, Db<WorkflowId>, Db<RunId>, i64);

/// Renews what the worker still holds. A row that somebody has locked is passed over: it must not cost all others their leases.
async fn renew(
    tx: &Tx<'_>,
    worker: Db<WorkerId>,
    (claims, lease): (&[Claim], Duration),
    locked: &mut LeaseRenewal,
) -> Result<()> {
    let runs: Vec<_> = claims.iter().map(|claim| Db(claim.run)).collect();
    // Locked first, and read afterwards: what is free stays as it is read.
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
    locked.renewed.extend(renewed.into_iter().map(|Db(run)| run));
    locked.busy.extend(busy.into_iter().map(|Db(run)| run));
    Ok(())
}

/// A worker stops.
#[derive(Clone, Copy)]
pub(super) struct DeregisterWorker {
    pub(super) worker: WorkerId,
}

impl Operation for DeregisterWorker {
    type Output = Vec<RecoveredRun>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<RecoveredRun>> {
        let Self { worker } = self;
        let left = handler_runs::table
            .filter(IsActive)
            .filter(handler_runs::claimed_by.eq(Some(Db(worker))))
            .order(handler_runs::lease_expires_at)
            .select((handler_runs::workflow_id, handler_runs::workspace_id, handler_runs::id));
        let mut left: Vec<(Db<WorkflowId>, Db<WorkspaceId>, Db<RunId>)> =
            left.load(tx.conn).await?;
        // Workflows are always locked in the same order.
        left.sort_unstable();
        let mut handed_back = Vec::with_capacity(left.len());
        for (_, Db(workspace), Db(run)) in left {
            match locked_run::find(tx, workspace, run).await? {
                // What may still leave, or be on its way, must not be looked for before its lease has ended.
                Some(locked) if locked.is_held_by(worker) && !locked.state.is_uncertain() => {
                    handed_back.push(recover::hand_back(tx, locked).await?);
                }
                Some(_) | None => {}
            }
        }
        diesel::delete(workers::table.find(Db(worker))).execute(tx.conn).await?;
        Ok(handed_back)
    }
}
