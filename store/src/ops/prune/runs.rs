//! Old effects, runs and sessions.

use std::collections::HashSet;

use diesel::prelude::*;
use windlass_core::{EventId, MutationId, RunId, SessionId, WorkflowId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::pins::{self, RunOfEffect, Settled};
use super::{Step, Way, old, place};
use crate::error::Result;
use crate::literals::IsSettled;
use crate::params::Pruned;
use crate::rows::{At, Db, Json};
use crate::schema::{handler_runs, inputs, mutations, run_inputs, run_logs, sessions};

/// An effect as far as it matters here: id, instant, workflow, and the events that it is for.
type OldEffect = (Db<MutationId>, At, Db<WorkflowId>, Json<Vec<EventId>>);

/// Settled effects, each with the runs that made it and went on after it.
pub(super) async fn mutations(tx: &Tx<'_>, step: &Step<'_>) -> Result<Pruned> {
    let found: Vec<OldEffect> = old!(tx, step, mutations.updated_at where IsSettled,
                                     mutations::workflow_id, mutations::event_ids);
    let last = found.last().and_then(|(id, at, ..)| place(id, Some(*at)));
    let looked_at = found.len();
    let locked = step.lock(tx, found.iter().map(|(_, _, workflow, _)| *workflow)).await?;
    let free = found.into_iter().filter(|(_, _, workflow, _)| locked.contains(workflow));
    let free: Vec<Settled> = free.map(|(id, _, _, events)| (id, events)).collect();
    let runs = pins::runs_of(tx, &free).await?;
    let needed = pins::needed_effects(tx, &step.gone, (&free, step.cutoff), &runs).await?;
    let over: HashSet<_> =
        free.into_iter().map(|(id, _)| id).filter(|id| !needed.contains(id)).collect();
    if step.way == Way::Remove {
        let is_over = |(_, effect, _): &&RunOfEffect| effect.is_some_and(|id| over.contains(&id));
        let runs: Vec<_> = runs.iter().filter(is_over).map(|(run, ..)| *run).collect();
        let ids: Vec<_> = over.iter().copied().collect();
        for batch in ids.chunks(BATCH) {
            let removed = mutations::table.filter(mutations::id.eq_any(batch));
            diesel::delete(removed).execute(tx.conn).await?;
        }
        remove_runs(tx, &runs).await?;
    }
    Ok(step.pruned(over.len(), looked_at, last))
}

/// A run as far as it matters here: id, when it ended, and its workflow.
type OldRun = (Db<RunId>, Option<At>, Db<WorkflowId>);

/// Runs without an effect that have ended.
pub(super) async fn runs(tx: &Tx<'_>, step: &Step<'_>) -> Result<Pruned> {
    let found: Vec<OldRun> = old!(tx, step, handler_runs.ended_at where handler_runs::mutation_id.is_null(),
                                  handler_runs::workflow_id);
    let locked = step.lock(tx, found.iter().map(|(.., workflow)| *workflow)).await?;
    let free = found.iter().filter(|(.., workflow)| locked.contains(workflow));
    let free: Vec<_> = free.map(|(id, ..)| *id).collect();
    let pinned = pins::pinned_runs(tx, &step.gone, &free).await?;
    let over: Vec<_> = free.into_iter().filter(|id| !pinned.contains(id)).collect();
    if step.way == Way::Remove {
        remove_runs(tx, &over).await?;
    }
    let last = found.last().and_then(|(id, at, _)| place(id, *at));
    Ok(step.pruned(over.len(), found.len(), last))
}

async fn remove_runs(tx: &Tx<'_>, ids: &[Db<RunId>]) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        let logs = run_logs::table.filter(run_logs::run_id.eq_any(batch));
        diesel::delete(logs).execute(tx.conn).await?;
        let causes = run_inputs::table.filter(run_inputs::run_id.eq_any(batch));
        diesel::delete(causes).execute(tx.conn).await?;
        diesel::update(inputs::table.filter(inputs::created_by_run_id.eq_any(batch)))
            .set(inputs::created_by_run_id.eq(None::<Db<RunId>>))
            .execute(tx.conn)
            .await?;
    }
    // In one statement, for those that continue each other go together.
    diesel::delete(handler_runs::table.filter(handler_runs::id.eq_any(ids)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Sessions that have ended and of which no run is kept.
pub(super) async fn sessions(tx: &Tx<'_>, step: &Step<'_>) -> Result<Pruned> {
    let found: Vec<(Db<SessionId>, Option<At>, Db<WorkflowId>)> = old!(tx, step, sessions.ended_at where sessions::result.is_not_null(), sessions::workflow_id);
    let mut count = 0;
    for batch in found.chunks(BATCH) {
        let ids: Vec<_> = batch.iter().map(|(id, ..)| *id).collect();
        let runs = handler_runs::table
            .filter(handler_runs::session_id.eq_any(&ids))
            .select((handler_runs::id, handler_runs::session_id));
        let runs: Vec<(Db<RunId>, Db<SessionId>)> = runs.load(tx.conn).await?;
        let all: Vec<_> = runs.iter().map(|(run, _)| *run).collect();
        let kept = pins::kept_runs(tx, &step.gone, &all).await?;
        let kept = runs.into_iter().filter(|(run, _)| kept.contains(run));
        let needed: HashSet<_> = kept.map(|(_, session)| session).collect();
        let over: Vec<_> = ids.into_iter().filter(|id| !needed.contains(id)).collect();
        if step.way == Way::Remove {
            diesel::delete(sessions::table.filter(sessions::id.eq_any(&over)))
                .execute(tx.conn)
                .await?;
        }
        count += over.len();
    }
    let last = found.last().and_then(|(id, at, _)| place(id, *at));
    Ok(step.pruned(count, found.len(), last))
}
