//! The statements that are specific to SQLite: they lock nothing, because a write transaction locks the whole database.

use std::future::{Ready, ready};

use diesel::prelude::*;
use windlass_core::{CredentialId, RunId, Timestamp, WorkflowId, WorkspaceId};

pub(super) use super::SqliteStore as Backend;
pub(super) use super::query::{Conn, RunQueryDsl};
use crate::cached::CacheStatement;
use crate::error::Result;
use crate::queue::{
    QueueFilter, QueuedRun, due_workflows, queued_runs, run_of_workflow, with_queued_runs,
    workflow_row,
};
use crate::rows::{At, Db, LimitRow, WorkflowRow};
use crate::schema::{credentials, limits};

/// The workflow's row.
pub(super) async fn lock_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = workflow_row!(workspace, workflow);
    row.optional(conn).await
}

/// The workflows that no other transaction has locked: all of them.
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
    due_workflows!(now, limit).load(conn).await
}

/// Up to `limit` queued runs that match the filter.
pub(super) async fn lock_queued_runs(
    conn: &Conn,
    filter: &QueueFilter<'_>,
    limit: u32,
) -> Result<Vec<QueuedRun>> {
    with_queued_runs!(filter, |queued| queued.limit(i64::from(limit)).cached().load(conn).await)
}

/// The queued run of a workflow.
pub(super) async fn lock_queued_run(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Vec<QueuedRun>> {
    let queued = queued_runs!(run_of_workflow!(workspace, workflow));
    queued.load(conn).await
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

/// The limits of the workspaces, always in the same order.
pub(super) async fn lock_limits(conn: &Conn, workspaces: &[WorkspaceId]) -> Result<Vec<LimitRow>> {
    let workspaces: Vec<_> = workspaces.iter().copied().map(Db).collect();
    let rows = LimitRow::query().filter(limits::workspace_id.eq_any(workspaces));
    let rows = rows.order((limits::workspace_id, limits::key));
    rows.cached().load(conn).await
}

/// Up to `limit` credentials that ended or expired before an instant.
pub(super) async fn lock_over_credentials(
    conn: &Conn,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<Db<CredentialId>>> {
    let is_over = credentials::expires_at
        .lt(At(before))
        .or(credentials::ended_at.assume_not_null().lt(At(before)));
    let over = credentials::table.filter(is_over).limit(i64::from(limit)).select(credentials::id);
    over.load(conn).await
}
