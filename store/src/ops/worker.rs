//! Workers, as they say themselves.

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{RunId, WorkerId, WorkflowId, WorkspaceId};

use super::dialect::{self, RunQueryDsl};
use super::{BATCH, Operation, Tx, held, recover, stored};
use crate::convert::stored_count;
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::{Claim, RecoveredRun, StillHeld};
use crate::params::Beat;
use crate::rows::{At, Db, Json, WorkerRow};
use crate::schema::{handler_runs, workers};

/// A worker that was not heard of for so long is no longer listed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

impl Operation for Beat {
    type Output = StillHeld;

    async fn run(self, tx: &Tx<'_>) -> Result<StillHeld> {
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
        let mut held = StillHeld::default();
        for claims in self.claims.chunks(BATCH) {
            renew(tx, row.id, (claims, self.lease), &mut held).await?;
        }
        Ok(held)
    }
}

fn row(tx: &Tx<'_>, beat: &Beat) -> WorkerRow {
    let card = &beat.worker;
    WorkerRow {
        id: Db(card.id),
        workspace_id: card.takes.workspace.map(Db),
        host: card.host.clone(),
        pid: card.pid.into(),
        version: card.version.clone(),
        labels: Json(card.takes.labels.clone()),
        slots: stored(card.slots),
        running: i32::try_from(beat.claims.len()).unwrap_or(i32::MAX),
        done: stored_count(beat.ended.done),
        failed: stored_count(beat.ended.failed),
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
    held: &mut StillHeld,
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
    held.renewed.extend(renewed.into_iter().map(|Db(run)| run));
    held.busy.extend(busy.into_iter().map(|Db(run)| run));
    Ok(())
}

/// A worker stops.
#[derive(Clone, Copy)]
pub(super) struct Leave {
    pub(super) worker: WorkerId,
}

impl Operation for Leave {
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
            match held::find(tx, workspace, run).await? {
                // What may still leave, or be on its way, must not be looked for before its lease has ended.
                Some(held) if held.is_held_by(worker) && !held.state.is_uncertain() => {
                    handed_back.push(recover::hand_back(tx, held).await?);
                }
                Some(_) | None => {}
            }
        }
        diesel::delete(workers::table.find(Db(worker))).execute(tx.conn).await?;
        Ok(handed_back)
    }
}
