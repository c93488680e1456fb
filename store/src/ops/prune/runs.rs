//! Old mutations, runs and sessions.

use std::collections::HashSet;

use diesel::prelude::*;
use windlass_core::{EventId, MutationId, RunId, SessionId, SessionKind, WorkflowId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::references::{self, MutationRun, Settled};
use super::{Mode, Step, cursor_after, old_records};
use crate::error::Result;
use crate::literals::IsSettled;
use crate::params::PruneStep;
use crate::rows::{At, Db, Json};
use crate::schema::{artifacts, graph_runs, handler_runs, inputs, mutations, run_inputs, sessions};

/// Id, time, workflow and events of a mutation.
type OldMutation = (Db<MutationId>, At, Db<WorkflowId>, Json<Vec<EventId>>);

/// Prunes settled mutations, each with its run and the retries of that run.
pub(super) async fn mutations(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<OldMutation> = old_records!(tx, step, mutations.updated_at where IsSettled,
                                     mutations::workflow_id, mutations::event_ids);
    let last = found.last().and_then(|(id, at, ..)| cursor_after(id, Some(*at)));
    let n_read = found.len();
    let locked = step.lock(tx, found.iter().map(|(_, _, workflow, _)| *workflow)).await?;
    let free = found.into_iter().filter(|(_, _, workflow, _)| locked.contains(workflow));
    let free: Vec<Settled> = free.map(|(id, _, _, events)| (id, events)).collect();
    let runs = references::runs_of(tx, &free).await?;
    let needed = references::needed_mutations(tx, &step.removed, &free, step.cutoff, &runs).await?;
    let over: HashSet<_> =
        free.into_iter().map(|(id, _)| id).filter(|id| !needed.contains(id)).collect();
    if step.mode == Mode::Remove {
        let is_over =
            |(_, mutation, _): &&MutationRun| mutation.is_some_and(|id| over.contains(&id));
        let runs: Vec<_> = runs.iter().filter(is_over).map(|(run, ..)| *run).collect();
        let ids: Vec<_> = over.iter().copied().collect();
        for batch in ids.chunks(BATCH) {
            let removed = mutations::table.filter(mutations::id.eq_any(batch));
            diesel::delete(removed).execute(tx.conn).await?;
        }
        remove_runs(tx, &runs).await?;
    }
    Ok(step.pruned(over.len(), n_read, last))
}

/// Id, time of end, and workflow of a run.
type OldRun = (Db<RunId>, Option<At>, Db<WorkflowId>);

/// Prunes ended runs without a mutation.
pub(super) async fn runs(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<OldRun> = old_records!(tx, step, handler_runs.ended_at where handler_runs::mutation_id.is_null(),
                                  handler_runs::workflow_id);
    let locked = step.lock(tx, found.iter().map(|(.., workflow)| *workflow)).await?;
    let free = found.iter().filter(|(.., workflow)| locked.contains(workflow));
    let free: Vec<_> = free.map(|(id, ..)| *id).collect();
    let needed = references::needed_runs(tx, &step.removed, &free).await?;
    let over: Vec<_> = free.into_iter().filter(|id| !needed.contains(id)).collect();
    if step.mode == Mode::Remove {
        remove_runs(tx, &over).await?;
    }
    let last = found.last().and_then(|(id, at, _)| cursor_after(id, *at));
    Ok(step.pruned(over.len(), found.len(), last))
}

async fn remove_runs(tx: &Tx<'_>, ids: &[Db<RunId>]) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        let causes = run_inputs::table.filter(run_inputs::run_id.eq_any(batch));
        diesel::delete(causes).execute(tx.conn).await?;
        diesel::update(inputs::table.filter(inputs::created_by_run_id.eq_any(batch)))
            .set(inputs::created_by_run_id.eq(None::<Db<RunId>>))
            .execute(tx.conn)
            .await?;
    }
    // In one statement, because retries refer to each other.
    diesel::delete(handler_runs::table.filter(handler_runs::id.eq_any(ids)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Prunes ended sessions without kept runs: of scripts, and of plans with their nodes, attempts, approvals and artifacts. What agents
/// recorded is deleted only when somebody asks for it.
pub(super) async fn sessions(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<(Db<SessionId>, Option<At>, Db<WorkflowId>)> = old_records!(tx, step, sessions.ended_at where sessions::result.is_not_null().and(sessions::kind.ne(Db(SessionKind::Journal))), sessions::workflow_id);
    let mut count = 0;
    for batch in found.chunks(BATCH) {
        let ids: Vec<_> = batch.iter().map(|(id, ..)| *id).collect();
        let runs = handler_runs::table
            .filter(handler_runs::session_id.eq_any(&ids))
            .select((handler_runs::id, handler_runs::session_id));
        let runs: Vec<(Db<RunId>, Db<SessionId>)> = runs.load(tx.conn).await?;
        let all: Vec<_> = runs.iter().map(|(run, _)| *run).collect();
        let kept = references::kept_runs(tx, &step.removed, &all).await?;
        let kept = runs.into_iter().filter(|(run, _)| kept.contains(run));
        let mut needed: HashSet<_> = kept.map(|(_, session)| session).collect();
        needed.extend(replaced(tx, &ids).await?);
        let over: Vec<_> = ids.into_iter().filter(|id| !needed.contains(id)).collect();
        if step.mode == Mode::Remove {
            let made = artifacts::table.filter(artifacts::session_id.eq_any(&over));
            diesel::delete(made).execute(tx.conn).await?;
            diesel::delete(sessions::table.filter(sessions::id.eq_any(&over)))
                .execute(tx.conn)
                .await?;
        }
        count += over.len();
    }
    let last = found.last().and_then(|(id, at, _)| cursor_after(id, *at));
    Ok(step.pruned(count, found.len(), last))
}

/// The runs of plans among these that another run replaced, which still asks what they did.
async fn replaced(tx: &Tx<'_>, ids: &[Db<SessionId>]) -> Result<Vec<Db<SessionId>>> {
    let replaced =
        graph_runs::table.filter(graph_runs::follows_id.eq_any(ids)).select(graph_runs::follows_id);
    let replaced: Vec<Option<Db<SessionId>>> = replaced.load(tx.conn).await?;
    Ok(replaced.into_iter().flatten().collect())
}
