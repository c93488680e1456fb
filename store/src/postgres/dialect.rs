//! The statements that are specific to PostgreSQL: they lock rows.
//!
//! They do not lock the key, so that new rows can refer to a locked row. A statement that locks several rows skips those that are
//! locked already, so no two transactions wait for each other.

use diesel::prelude::*;
use windlass_core::{CredentialId, RunId, Timestamp, WorkflowId, WorkspaceId};

pub(super) use super::PostgresStore as Backend;
pub(super) use super::query::RunQueryDsl;
use crate::error::Result;
use crate::queue::{
    QueueFilter, QueuedRun, due_workflows, queued_runs, run_of_workflow, with_queued_runs,
    workflow_row,
};
use crate::rows::{At, Db, LimitRow, WorkflowRow};
use crate::schema::{credentials, handler_runs, limits, workflows};

/// The connection that the operations run on.
pub(super) type Conn = diesel_async::AsyncPgConnection;

/// The workflow's row, locked until the transaction ends, so that transactions on one workflow run one after the other.
pub(super) async fn lock_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = workflow_row!(workspace, workflow).for_no_key_update();
    row.optional(conn).await
}

/// Locks the workflows that no other transaction has locked.
pub(super) async fn lock_free_workflows(
    conn: &Conn,
    workflows: &[Db<WorkflowId>],
) -> Result<Vec<Db<WorkflowId>>> {
    let free = workflows::table
        .filter(workflows::id.eq_any(workflows))
        .select(workflows::id)
        .for_no_key_update()
        .skip_locked();
    free.load(conn).await
}

/// Workflows that are due, longest first, locked.
pub(super) async fn lock_due_workflows(
    conn: &Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<WorkflowRow>> {
    due_workflows!(now, limit).for_no_key_update().skip_locked().load(conn).await
}

/// Up to `limit` queued runs that match the filter, locked.
pub(super) async fn lock_queued_runs(
    conn: &Conn,
    filter: &QueueFilter<'_>,
    limit: u32,
) -> Result<Vec<QueuedRun>> {
    with_queued_runs!(filter, |queued| {
        queued.limit(i64::from(limit)).for_no_key_update().skip_locked().load(conn).await
    })
}

/// The queued run of a workflow, locked.
pub(super) async fn lock_queued_run(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Vec<QueuedRun>> {
    let queued = queued_runs!(run_of_workflow!(workspace, workflow));
    queued.for_no_key_update().skip_locked().load(conn).await
}

/// Locks the runs that no other transaction has locked.
pub(super) async fn lock_free_runs(conn: &Conn, runs: &[Db<RunId>]) -> Result<Vec<Db<RunId>>> {
    let runs = handler_runs::table.filter(handler_runs::id.eq_any(runs)).select(handler_runs::id);
    runs.for_no_key_update().skip_locked().load(conn).await
}

/// Does the same as [`lock_workflow`], but returns nothing if another transaction has locked the row.
pub(super) async fn lock_free_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = workflow_row!(workspace, workflow);
    row.for_no_key_update().skip_locked().optional(conn).await
}

/// The limits of the workspaces, locked, always in the same order.
pub(super) async fn lock_limits(conn: &Conn, workspaces: &[WorkspaceId]) -> Result<Vec<LimitRow>> {
    let workspaces: Vec<_> = workspaces.iter().copied().map(Db).collect();
    let rows = LimitRow::query().filter(limits::workspace_id.eq_any(workspaces));
    let rows = rows.order((limits::workspace_id, limits::key));
    rows.for_no_key_update().load(conn).await
}

/// Up to `limit` credentials that ended or expired before an instant, locked.
pub(super) async fn lock_over_credentials(
    conn: &Conn,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Db<CredentialId>>> {
    let is_over = credentials::expires_at
        .lt(At(before))
        .or(credentials::ended_at.assume_not_null().lt(At(before)));
    let over = credentials::table.filter(is_over).limit(i64::from(limit)).select(credentials::id);
    over.for_update().skip_locked().load(conn).await
}
