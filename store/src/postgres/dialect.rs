//! What the operations need of PostgreSQL in particular: locks.
//!
//! A locked row may still be referred to by new rows, so its key is not locked. Whoever takes several rows passes over those
//! that are locked already, and so never waits while it holds some: no two transactions wait for each other.

use diesel::prelude::*;
use windlass_core::{RunId, Timestamp, WorkflowId, WorkspaceId};

pub(super) use super::PostgresStore as Backend;
pub(super) use super::query::RunQueryDsl;
use crate::error::Result;
use crate::queue::{
    From, QueuedRun, due_workflows, one_workflow, queue_of, queued_from, queued_runs,
};
use crate::rows::{Db, LimitRow, WorkflowRow};
use crate::schema::{handler_runs, limits, workflows};

/// The connection that the operations run on.
pub(super) type Conn = diesel_async::AsyncPgConnection;

/// The workflow's row, locked until the transaction ends: what happens to one workflow happens one after the other.
pub(super) async fn lock_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = one_workflow!(workspace, workflow).for_no_key_update();
    Ok(row.first(conn).await.optional()?)
}

/// Those of the workflows that nobody else has locked, locked.
pub(super) async fn lock_free_workflows(
    conn: &Conn,
    workflows: &[Db<WorkflowId>],
) -> Result<Vec<Db<WorkflowId>>> {
    let free = workflows::table
        .filter(workflows::id.eq_any(workflows))
        .select(workflows::id)
        .for_no_key_update()
        .skip_locked();
    Ok(free.load(conn).await?)
}

/// Workflows that are due, longest first, locked.
pub(super) async fn lock_due_workflows(
    conn: &Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<WorkflowRow>> {
    Ok(due_workflows!(now, limit).for_no_key_update().skip_locked().load(conn).await?)
}

/// Up to `limit` queued runs from there, locked.
pub(super) async fn lock_queued_runs(
    conn: &Conn,
    now: Timestamp,
    from: &From<'_>,
    limit: u32,
) -> Result<Vec<QueuedRun>> {
    queued_from!(now, from, |queued| {
        Ok(queued.limit(i64::from(limit)).for_no_key_update().skip_locked().load(conn).await?)
    })
}

/// The queued run of that workflow, locked.
pub(super) async fn lock_queued_run(
    conn: &Conn,
    now: Timestamp,
    (workspace, workflow): (WorkspaceId, WorkflowId),
) -> Result<Vec<QueuedRun>> {
    let queued = queued_runs!(now, queue_of!(workspace, workflow));
    Ok(queued.for_no_key_update().skip_locked().load(conn).await?)
}

/// Those of the runs that nobody has locked, locked.
pub(super) async fn lock_free_runs(conn: &Conn, runs: &[Db<RunId>]) -> Result<Vec<Db<RunId>>> {
    let runs = handler_runs::table.filter(handler_runs::id.eq_any(runs)).select(handler_runs::id);
    Ok(runs.for_no_key_update().skip_locked().load(conn).await?)
}

/// The same as [`lock_workflow`], but none where somebody has locked it.
pub(super) async fn lock_free_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = one_workflow!(workspace, workflow);
    Ok(row.for_no_key_update().skip_locked().first(conn).await.optional()?)
}

/// The limits of those workspaces, locked, always in the same order.
pub(super) async fn lock_limits(conn: &Conn, workspaces: &[WorkspaceId]) -> Result<Vec<LimitRow>> {
    let workspaces: Vec<_> = workspaces.iter().copied().map(Db).collect();
    let rows = LimitRow::query().filter(limits::workspace_id.eq_any(workspaces));
    let rows = rows.order((limits::workspace_id, limits::key));
    Ok(rows.for_no_key_update().load(conn).await?)
}
