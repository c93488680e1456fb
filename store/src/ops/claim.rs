//! Workers claim runs.

use std::time::Duration;

use diesel::prelude::*;
use futures::future::try_join_all;
use serde_json::Value;
use windlass_core::{HandlerKind, MutationStatus, RunState, WorkerId, slot_shares};

use super::dialect::{self, RunQueryDsl};
use super::limits::{AdmittedRun, LimitTable};
use super::queue::Enqueued;
use super::reads::{self, Workspaces};
use super::{Operation, Tx, graph};
use crate::cached::CacheStatement;
use crate::convert::outcome;
use crate::error::Result;
use crate::model::{Claim, ClaimedRun, TrialRun};
use crate::params::{ClaimFilter, ClaimRuns, ClaimScope};
use crate::pipeline::{Pipeline, pipeline};
use crate::queue::QueueFilter;
use crate::rows::{At, Db, Json, RunRow};
use crate::schema::{events, handler_runs, mutations, topics};

impl Operation for ClaimRuns {
    type Output = Vec<ClaimedRun>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<ClaimedRun>> {
        let queued = match &self.scope {
            ClaimScope::Workflow(workspace, workflow) => {
                let queued = dialect::lock_queued_run(tx.conn, *workspace, *workflow).await?;
                queued.into_iter().map(AdmittedRun::unlimited).collect()
            }
            ClaimScope::Matching(filter) => {
                admit_fairly(tx, self.worker, filter, self.limit).await?
            }
        };
        let pipeline = Pipeline::default();
        let claimed =
            queued.into_iter().map(|run| pipeline.add(claim(tx, run, self.worker, self.lease)));
        try_join_all(claimed).await
    }
}

/// Queued runs of all workspaces in turn. While others wait, a busy workspace gets no more than its share of the worker's slots,
/// counting those in which its runs are executed already.
async fn admit_fairly(
    tx: &Tx<'_>,
    worker: WorkerId,
    filter: &ClaimFilter,
    limit: u32,
) -> Result<Vec<AdmittedRun>> {
    let (Workspaces { all, limited }, held) =
        pipeline!(reads::workspaces(tx.conn, filter), reads::slots_by_workspace(tx.conn, worker))?;
    let mut waiting: Vec<_> =
        all.into_iter().map(|it| (it, held.get(&it).copied().unwrap_or(0))).collect();
    // The first workspace changes with the time, so that a single free slot does not always go to the same one.
    let n_waiting = i64::try_from(waiting.len()).unwrap_or(i64::MAX).max(1);
    let first = usize::try_from(tx.now.as_micros().rem_euclid(n_waiting)).unwrap_or(0);
    waiting.rotate_left(first);
    let mut limits = LimitTable::lock(tx, &limited).await?;
    let (mut found, mut admitted) = (Vec::new(), Vec::new());
    let mut left = limit;
    while left > 0 && !waiting.is_empty() {
        let held: Vec<_> = waiting.iter().map(|(_, held)| *held).collect();
        let mut with_more = Vec::new();
        for ((workspace, held), share) in waiting.into_iter().zip(slot_shares(&held, left)) {
            if share == 0 {
                with_more.push((workspace, held));
                continue;
            }
            let full_keys = limits.full_keys(tx, workspace);
            let labels = &filter.labels;
            let queue = QueueFilter { workspace, labels, except: &found, full_keys: &full_keys };
            let runs = dialect::lock_queued_runs(tx.conn, &queue, share).await?;
            let has_more = to_count(runs.len()) == share;
            found.extend(runs.iter().map(|(run, ..)| run.id));
            let may_begin = limits.admit(tx, workspace, runs).await?;
            let n_begun = to_count(may_begin.len());
            left = left.saturating_sub(n_begun);
            if has_more {
                with_more.push((workspace, held.saturating_add(n_begun)));
            }
            admitted.extend(may_begin);
        }
        waiting = with_more;
    }
    limits.save(tx).await?;
    Ok(admitted)
}

fn to_count(n_runs: usize) -> u32 {
    u32::try_from(n_runs).unwrap_or(u32::MAX)
}

async fn claim(
    tx: &Tx<'_>,
    AdmittedRun { run: (row, workflow_name, mutation, values), limited }: AdmittedRun,
    worker: WorkerId,
    lease: Duration,
) -> Result<ClaimedRun> {
    let queued = RunState {
        kind: row.kind.0,
        phase: row.phase.0,
        status: row.status.0,
        outcome: outcome(row.mutation_outcome, row.refused),
        mutation: mutation.map(|Db(status)| status),
    };
    let state = queued.claim()?.run;
    let row = RunRow { fence: row.fence + 1, ..row };
    // A claim that waited for the lock on the workflow has an instant from before the run was queued.
    let started_at = At(tx.now).max(row.created_at);
    diesel::update(handler_runs::table.filter(handler_runs::id.eq(row.id)))
        .set((
            handler_runs::status.eq(Db(state.status)),
            handler_runs::phase.eq(Db(state.phase)),
            handler_runs::claimed_by.eq(Some(Db(worker))),
            handler_runs::lease_expires_at.eq(Some(At(tx.now.after(lease)))),
            handler_runs::fence.eq(row.fence),
            handler_runs::limited.eq(limited),
            handler_runs::started_at.eq(Some(started_at)),
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    claimed(tx, Enqueued { run: row, state, values }, workflow_name).await
}

/// A claimed run with everything that its worker needs.
pub(super) async fn claimed(
    tx: &Tx<'_>,
    Enqueued { run, state, values }: Enqueued,
    workflow_name: String,
) -> Result<ClaimedRun> {
    let (mutation_result, refusal) = mutation_end(tx, &run).await?;
    let trial = trial(tx, &run).await?;
    let graph = match run.kind.0 {
        HandlerKind::Node => Some(graph::load::graph(tx, run.script_id.0).await?),
        HandlerKind::Producer | HandlerKind::Consumer => None,
    };
    let (workspace, workflow) = (run.workspace_id.0, run.workflow_id.0);
    Ok(ClaimedRun {
        claim: Claim { workspace, workflow, run: run.id.0, fence: run.fence },
        state,
        workflow_name,
        session: run.session_id.0,
        script: run.script_id.0,
        graph,
        handler: run.handler_name,
        trial,
        input_state: values.input_state.map(|Json(value)| value),
        prepare_result: values.prepare_result.map(|Json(value)| value),
        mutation_result,
        refusal,
    })
}

/// The trial that the run is, if it is one.
async fn trial(tx: &Tx<'_>, run: &RunRow) -> Result<Option<TrialRun>> {
    let Some((event, Db(trial))) = run.trial_event_id.zip(run.trial) else { return Ok(None) };
    let tried = events::table
        .inner_join(topics::table)
        .filter(events::id.eq(event))
        .select((topics::name, events::message_id));
    let (topic, message_id) = tried.first(tx.conn).await?;
    Ok(Some(TrialRun { trial, topic, message_id }))
}

/// The result of the run's mutation, if it was applied, and why it was refused, if the run goes on with that.
async fn mutation_end(tx: &Tx<'_>, run: &RunRow) -> Result<(Option<Value>, Option<String>)> {
    let Some(mutation) = run.mutation_id else { return Ok((None, None)) };
    let settled = mutations::table
        .filter(mutations::id.eq(mutation))
        .filter(mutations::status.eq_any([MutationStatus::Applied, MutationStatus::Failed].map(Db)))
        .select((mutations::result, mutations::error));
    let settled: Option<(Option<Json>, Option<String>)> = settled.optional(tx.conn).await?;
    let (result, error) = settled.unwrap_or_default();
    Ok((result.map(|Json(value)| value), error.filter(|_| run.refused)))
}
