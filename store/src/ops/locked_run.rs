//! A run together with what its state depends on, and a worker's right to write to it.

use diesel::prelude::*;
use windlass_core::{
    Id, MutationStatus, Policy, Recourse, RunId, RunState, Status, StopContext, WorkerId,
    WorkflowId, WorkspaceId,
};

use super::Tx;
use super::dialect::{self, Conn, RunQueryDsl};
use crate::convert::count;
use crate::error::Result;
use crate::joined::joined;
use crate::model::Claim;
use crate::rows::{Db, RunHead, SessionHead, WorkflowRow};
use crate::schema::{handler_runs, mutations, sessions};

/// A run whose workflow is locked.
pub(in super::super) struct LockedRun {
    pub(super) workflow: WorkflowRow,
    pub(super) run: RunHead,
    pub(super) session: SessionHead,
    pub(super) state: RunState,
    /// What can be done about its mutation, should it be in doubt.
    pub(super) recourse: Recourse,
    /// What its mutation costs if it happens, in microdollars.
    pub(super) price: i64,
}

impl LockedRun {
    /// The run, where it is one of that workflow.
    fn new(workflow: WorkflowRow, loaded: Loaded) -> Option<Self> {
        let Loaded { run, session, state, recourse, price } = loaded;
        let is_its = run.workflow_id == workflow.id;
        is_its.then_some(Self { workflow, run, session, state, recourse, price })
    }

    /// What a stop depends on.
    pub(super) fn stop_context<'a>(&self, policy: &'a Policy) -> StopContext<'a> {
        StopContext {
            transient_failures: count(self.workflow.transient_failures),
            backoff: &policy.transient,
            seed: self.run.id.0.seed(),
            recourse: self.recourse,
        }
    }

    /// Whether that worker drives the run.
    pub(super) fn is_held_by(&self, worker: WorkerId) -> bool {
        self.state.status == Status::Active && self.run.claimed_by == Some(Db(worker))
    }

    /// Whether the run belongs to the script version that is active now.
    ///
    /// A run of an older version, which was under way when the new one was activated, does not answer what the activation asked
    /// for: every producer is still due, and every consumer still has work.
    pub(super) fn is_current(&self) -> bool {
        self.workflow.active_script_id == Some(self.run.script_id)
    }
}

/// The run that `claim` gives the right to write to, with its workflow locked; none where the claim is lost.
///
/// A lease that has expired does not lose it: only that another worker claimed the run, or that it was stopped in the meantime.
/// So a worker that was merely slow loses nothing while nobody missed it.
pub(super) async fn lock_claimed_run(conn: &Conn, claim: Claim) -> Result<Option<LockedRun>> {
    // The run is looked at when the lock is taken.
    let (workflow, run) = joined!(
        dialect::lock_workflow(conn, claim.workspace, claim.workflow),
        load(conn, claim.run),
    )?;
    let locked = workflow.zip(run).and_then(|(workflow, run)| LockedRun::new(workflow, run));
    let is_active = |locked: &LockedRun| locked.run.status.0 == Status::Active;
    Ok(locked.filter(|locked| locked.run.fence == claim.fence && is_active(locked)))
}

/// The run of that workspace, with its workflow locked.
pub(super) async fn find(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<Option<LockedRun>> {
    let Some(workflow) = workflow_of(tx, workspace, run).await? else { return Ok(None) };
    let locked = dialect::lock_workflow(tx.conn, workspace, workflow).await?;
    with_run(tx, locked, run).await
}

/// The same, but none where somebody has locked the workflow just now.
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
    let workflow: Option<Db<WorkflowId>> = workflow.first(tx.conn).await.optional()?;
    Ok(workflow.map(|Db(workflow)| workflow))
}

async fn with_run(
    tx: &Tx<'_>,
    locked: Option<WorkflowRow>,
    run: RunId,
) -> Result<Option<LockedRun>> {
    let Some(workflow) = locked else { return Ok(None) };
    // Read only now: whoever held the lock may have changed the run.
    Ok(load(tx.conn, run).await?.and_then(|loaded| LockedRun::new(workflow, loaded)))
}

/// A run and what its state depends on.
pub(super) struct Loaded {
    pub(super) run: RunHead,
    session: SessionHead,
    pub(super) state: RunState,
    recourse: Recourse,
    price: i64,
}

/// What a ledger row says of its mutation's fate, whether its tool can look it up, and what it costs.
type LedgerState = (Db<MutationStatus>, bool, i64);

/// A run without what its script made, its session and its ledger row.
type HeadRow = (RunHead, SessionHead, Option<LedgerState>);

impl From<HeadRow> for Loaded {
    fn from((run, session, mutation): HeadRow) -> Self {
        let state = RunState {
            kind: run.kind.0,
            phase: run.phase.0,
            status: run.status.0,
            outcome: run.mutation_outcome.map(|Db(outcome)| outcome),
            mutation: mutation.map(|(Db(status), ..)| status),
        };
        let can_look_up = mutation.is_some_and(|(_, reconcilable, _)| reconcilable);
        let recourse = if can_look_up { Recourse::LookUp } else { Recourse::Ask };
        let price = mutation.map_or(0, |(.., cost)| cost);
        Self { run, session, state, recourse, price }
    }
}

/// The run and its state.
pub(super) async fn load(conn: &Conn, run: RunId) -> Result<Option<Loaded>> {
    let mutation = (mutations::status, mutations::reconcilable, mutations::cost);
    let head = handler_runs::table
        .inner_join(sessions::table)
        .left_join(mutations::table)
        .filter(handler_runs::id.eq(Db(run)))
        .select((RunHead::as_select(), SessionHead::as_select(), mutation.nullable()));
    let found: Option<HeadRow> = head.first(conn).await.optional()?;
    Ok(found.map(Loaded::from))
}
