//! Locks a run's workflow and reads the run with its state, for a worker with a claim or for the engine.

use diesel::prelude::*;
use windlass_core::{
    HandlerKind, Id, MutationStatus, Policy, Recourse, RunId, RunState, Status, StopContext,
    Suspects, WorkerId, WorkflowId, WorkspaceId,
};

use super::dialect::{self, Conn, RunQueryDsl};
use super::{Tx, graph};
use crate::convert::{outcome, to_u32};
use crate::error::Result;
use crate::model::Claim;
use crate::pipeline::pipeline;
use crate::rows::{Db, RunHead, SessionHead, WorkflowRow};
use crate::schema::{handler_runs, mutations, sessions};

/// A run whose workflow is locked.
pub(in super::super) struct LockedRun {
    pub(super) workflow: WorkflowRow,
    pub(super) run: RunHead,
    pub(super) session: SessionHead,
    pub(super) state: RunState,
    /// How its mutation is settled if it is in doubt.
    pub(super) recourse: Recourse,
    /// What its mutation costs if it is applied, in microdollars.
    pub(super) price: i64,
    /// The network failures in a row: of the workflow, or of the node that the run has.
    pub(super) transient_failures: i32,
}

impl LockedRun {
    /// The run, if it belongs to the workflow.
    pub(super) fn new(workflow: WorkflowRow, loaded: LoadedRun) -> Option<Self> {
        let LoadedRun { run, session, state, recourse, price } = loaded;
        let is_its_own = run.workflow_id == workflow.id;
        let transient_failures = workflow.transient_failures;
        is_its_own.then_some(Self {
            workflow,
            run,
            session,
            state,
            recourse,
            price,
            transient_failures,
        })
    }

    /// What the transition of a stop depends on.
    pub(super) fn stop_context<'a>(
        &self,
        policy: &'a Policy,
        suspects: Suspects<'a>,
    ) -> StopContext<'a> {
        StopContext {
            transient_failures: to_u32(self.transient_failures),
            backoff: &policy.transient,
            jitter_seed: self.run.id.0.seed(),
            recourse: self.recourse,
            suspects,
        }
    }

    /// Whether the worker has claimed the run.
    pub(super) fn is_claimed_by(&self, worker: WorkerId) -> bool {
        self.state.status == Status::Active && self.run.claimed_by == Some(Db(worker))
    }

    /// Whether the transition to `after` ends the run with a mutation of its own. A run that retries another has none of its own.
    pub(super) fn ends_with_mutation(&self, after: &RunState) -> bool {
        let ends = self.state.status.is_open() && !after.status.is_open();
        ends && after.mutation.is_some() && self.run.retry_of.is_none()
    }

    /// Whether the run's script version is the active one.
    ///
    /// A run of an older version, which was active when the new one was activated, does not count as a run of the new one: every
    /// producer is still due, and every consumer still has work.
    pub(super) fn is_current(&self) -> bool {
        self.workflow.active_script_id == Some(self.run.script_id)
    }
}

/// Locks the workflow of a claimed run and reads the run; returns nothing if the claim is lost.
///
/// A claim is lost when the run was recovered or stopped, not when its lease expires: a worker that was merely slow keeps its run
/// until another one takes it over.
pub(super) async fn lock_claimed_run(conn: &Conn, claim: Claim) -> Result<Option<LockedRun>> {
    // The run is read after the lock is taken.
    let (workflow, run) = pipeline!(
        dialect::lock_workflow(conn, claim.workspace, claim.workflow),
        load(conn, claim.run),
    )?;
    let locked = workflow.zip(run).and_then(|(workflow, run)| LockedRun::new(workflow, run));
    let is_active = |locked: &LockedRun| locked.run.status.0 == Status::Active;
    let locked = locked.filter(|locked| locked.run.fence == claim.fence && is_active(locked));
    with_failures_of_node(conn, locked).await
}

/// Locks the workflow of a run and reads the run.
pub(super) async fn find(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<Option<LockedRun>> {
    let Some(workflow) = workflow_of(tx, workspace, run).await? else { return Ok(None) };
    let locked = dialect::lock_workflow(tx.conn, workspace, workflow).await?;
    with_run(tx, locked, run).await
}

/// Does the same, but returns nothing if another transaction has locked the workflow.
pub(super) async fn find_free(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<Option<LockedRun>> {
    let Some(workflow) = workflow_of(tx, workspace, run).await? else { return Ok(None) };
    let locked = dialect::lock_free_workflow(tx.conn, workspace, workflow).await?;
    with_run(tx, locked, run).await
}

async fn workflow_of(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<Option<WorkflowId>> {
    let workflow = handler_runs::table
        .filter(handler_runs::id.eq(Db(run)))
        .filter(handler_runs::workspace_id.eq(Db(workspace)))
        .select(handler_runs::workflow_id);
    let workflow: Option<Db<WorkflowId>> = workflow.optional(tx.conn).await?;
    Ok(workflow.map(|Db(workflow)| workflow))
}

async fn with_run(
    tx: &Tx<'_>,
    locked: Option<WorkflowRow>,
    run: RunId,
) -> Result<Option<LockedRun>> {
    let Some(workflow) = locked else { return Ok(None) };
    // Read under the lock: the run may have changed before.
    let locked = load(tx.conn, run).await?.and_then(|loaded| LockedRun::new(workflow, loaded));
    with_failures_of_node(tx.conn, locked).await
}

/// The same, knowing the network failures of the node that the run has.
async fn with_failures_of_node(
    conn: &Conn,
    locked: Option<LockedRun>,
) -> Result<Option<LockedRun>> {
    match locked {
        Some(locked) if locked.run.kind.0 == HandlerKind::Node => {
            let transient_failures = graph::commit::transient_failures(conn, &locked).await?;
            Ok(Some(LockedRun { transient_failures, ..locked }))
        }
        other => Ok(other),
    }
}

/// A run with its state.
pub(super) struct LoadedRun {
    pub(super) run: RunHead,
    session: SessionHead,
    pub(super) state: RunState,
    recourse: Recourse,
    price: i64,
}

/// The status of a mutation, whether its tool can look it up, and its cost.
type LedgerState = (Db<MutationStatus>, bool, i64);

/// A run without its values, its session and its mutation.
type HeadRow = (RunHead, SessionHead, Option<LedgerState>);

impl From<HeadRow> for LoadedRun {
    fn from((run, session, mutation): HeadRow) -> Self {
        let state = RunState {
            kind: run.kind.0,
            phase: run.phase.0,
            status: run.status.0,
            outcome: outcome(run.mutation_outcome, run.refused),
            mutation: mutation.map(|(Db(status), ..)| status),
        };
        let can_look_up = mutation.is_some_and(|(_, reconcilable, _)| reconcilable);
        let recourse = if can_look_up { Recourse::LookUp } else { Recourse::Ask };
        let price = mutation.map_or(0, |(.., cost)| cost);
        Self { run, session, state, recourse, price }
    }
}

/// Reads a run and its state.
pub(super) async fn load(conn: &Conn, run: RunId) -> Result<Option<LoadedRun>> {
    let mutation = (mutations::status, mutations::reconcilable, mutations::cost);
    let head = handler_runs::table
        .inner_join(sessions::table)
        .left_join(mutations::table)
        .filter(handler_runs::id.eq(Db(run)))
        .select((RunHead::as_select(), SessionHead::as_select(), mutation.nullable()));
    let found: Option<HeadRow> = head.optional(conn).await?;
    Ok(found.map(LoadedRun::from))
}
