//! What the operations need of SQLite in particular: nothing is locked, for a writing transaction has the whole database to
//! itself.

use std::future::{Ready, ready};

use diesel::prelude::*;
use windlass_core::{RunId, Timestamp, WorkflowId, WorkspaceId};

pub(super) use super::SqliteStore as Backend;
pub(super) use super::ready::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::queue::{
    From, QueuedRun, due_workflows, one_workflow, queue_of, queued_from, queued_runs,
};
use crate::reused::Reuse;
use crate::rows::{Db, LimitRow, WorkflowRow};
use crate::schema::limits;

/// The workflow's row.
pub(super) async fn lock_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = one_workflow!(workspace, workflow);
    Ok(row.first(conn).await.optional()?)
}

/// Those of the workflows that nobody else has locked.
pub(super) fn lock_free_workflows(
    _conn: &Conn,
    workflows: &[Db<WorkflowId>],
) -> Ready<Result<Vec<Db<WorkflowId>>>> {
    ready(Ok(workflows.to_vec()))
}

/// Workflows that are due, longest first.
pub(super) async fn lock_due_workflows(
    conn: &Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<WorkflowRow>> {
    Ok(due_workflows!(now, limit).load(conn).await?)
}

/// Up to `limit` queued runs from there.
pub(super) async fn lock_queued_runs(
    conn: &Conn,
    now: Timestamp,
    from: &From<'_>,
    limit: u32,
) -> Result<Vec<QueuedRun>> {
    queued_from!(now, from, |queued| Ok(queued.limit(i64::from(limit)).reused().load(conn).await?))
}

/// The queued run of that workflow.
pub(super) async fn lock_queued_run(
    conn: &Conn,
    now: Timestamp,
    (workspace, workflow): (WorkspaceId, WorkflowId),
) -> Result<Vec<QueuedRun>> {
    let queued = queued_runs!(now, queue_of!(workspace, workflow));
    Ok(queued.load(conn).await?)
}

/// All of the runs.
pub(super) fn lock_free_runs(
    _conn: &Conn,
    runs: &[Db<RunId>],
) -> impl Future<Output = Result<Vec<Db<RunId>>>> + use<> {
    ready(Ok(runs.to_vec()))
}

/// The workflow's row.
pub(super) async fn lock_free_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    lock_workflow(conn, workspace, workflow).await
}

/// The limits of those workspaces, always in the same order.
pub(super) async fn lock_limits(conn: &Conn, workspaces: &[WorkspaceId]) -> Result<Vec<LimitRow>> {
    let workspaces: Vec<_> = workspaces.iter().copied().map(Db).collect();
    let rows = LimitRow::query().filter(limits::workspace_id.eq_any(workspaces));
    let rows = rows.order((limits::workspace_id, limits::key));
    Ok(rows.reused().load(conn).await?)
}
