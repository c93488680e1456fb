//! Workers, as they say themselves.

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{RunId, WorkerId};

use super::dialect::RunQueryDsl;
use super::{BATCH, Operation, Tx, held, recover, stored};
use crate::convert::stored_count;
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::{Claim, RecoveredRun};
use crate::params::Beat;
use crate::rows::{At, Db, Json, WorkerRow};
use crate::schema::{handler_runs, workers};

/// A worker that was not heard of for so long is no longer listed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);

impl Operation for Beat {
    type Output = Vec<RunId>;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Vec<RunId>> {
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
        let mut held = Vec::with_capacity(self.claims.len());
        for claims in self.claims.chunks(BATCH) {
            held.extend(renew(tx, row.id, claims, self.lease).await?);
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

/// Renews what the worker still holds. One statement, however much that is.
async fn renew(
    tx: &mut Tx<'_>,
    worker: Db<WorkerId>,
    claims: &[Claim],
    lease: Duration,
) -> Result<Vec<RunId>> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let runs: Vec<_> = claims.iter().map(|claim| Db(claim.run)).collect();
    let ours = handler_runs::id.eq_any(runs).and(handler_runs::claimed_by.eq(worker));
    let expires_at = Some(At(tx.now.after(lease)));
    diesel::update(handler_runs::table.filter(&ours).filter(IsActive))
        .set(handler_runs::lease_expires_at.eq(expires_at))
        .execute(tx.conn)
        .await?;
    let renewed = handler_runs::table
        .filter(&ours)
        .filter(IsActive)
        .select((handler_runs::id, handler_runs::fence));
    let renewed: Vec<(Db<RunId>, i64)> = renewed.load(tx.conn).await?;
    let renewed = renewed.into_iter().map(|(Db(run), fence)| Claim { run, fence });
    Ok(renewed.filter(|claim| claims.contains(claim)).map(|claim| claim.run).collect())
}

/// A worker stops.
#[derive(Clone, Copy)]
pub(super) struct Leave {
    pub(super) worker: WorkerId,
}

impl Operation for Leave {
    type Output = Vec<RecoveredRun>;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Vec<RecoveredRun>> {
        let Self { worker } = self;
        let left = handler_runs::table
            .filter(IsActive)
            .filter(handler_runs::claimed_by.eq(Some(Db(worker))))
            .order(handler_runs::workflow_id)
            .select(handler_runs::id);
        let left: Vec<Db<RunId>> = left.load(tx.conn).await?;
        let mut handed_back = Vec::with_capacity(left.len());
        for Db(run) in left {
            match held::find(tx, run).await? {
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
