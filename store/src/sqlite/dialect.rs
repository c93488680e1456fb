//! What the operations need of SQLite in particular: nothing is locked, for a writing transaction has the whole database to
//! itself.

use std::future::{Ready, ready};

use diesel::prelude::*;
use windlass_core::{RunId, Timestamp, WorkflowId, WorkflowStatus};

pub(super) use super::SqliteStore as Backend;
pub(super) use super::ready::RunQueryDsl;
use crate::error::Result;
use crate::literals::IsQueued;
use crate::rows::{At, Db, WorkflowRow};
use crate::schema::{handler_runs, workflows};

/// The connection that the operations run on.
pub(super) type Conn = SqliteConnection;

/// The workflow's row.
pub(super) async fn lock_workflow(
    conn: &mut Conn,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = WorkflowRow::query().filter(workflows::id.eq(Db(workflow)));
    Ok(row.first(conn).await.optional()?)
}

/// Those of the workflows that nobody else has locked.
pub(super) fn lock_free_workflows(
    _conn: &mut Conn,
    workflows: &[Db<WorkflowId>],
) -> Ready<Result<Vec<Db<WorkflowId>>>> {
    ready(Ok(workflows.to_vec()))
}

/// Workflows that are due, longest first.
pub(super) async fn lock_due_workflows(
    conn: &mut Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<WorkflowRow>> {
    let due = WorkflowRow::query()
        .filter(workflows::due_at.le(At(now)))
        .order((workflows::due_at, workflows::id))
        .limit(i64::from(limit));
    Ok(due.load(conn).await?)
}

/// Queued runs of runnable workflows, by priority and then the one that waits longest.
pub(super) async fn lock_queued_runs(
    conn: &mut Conn,
    now: Timestamp,
    workflow: Option<WorkflowId>,
    limit: u32,
) -> Result<Vec<Db<RunId>>> {
    let queued = || {
        handler_runs::table
            .inner_join(workflows::table)
            .filter(IsQueued)
            .filter(handler_runs::available_at.le(At(now)))
            .filter(workflows::status.eq(Db(WorkflowStatus::Active)))
            .filter(workflows::error.is_null().and(workflows::maintenance.eq(false)))
            .order((handler_runs::priority, handler_runs::available_at, handler_runs::id))
            .select(handler_runs::id)
            .limit(i64::from(limit))
    };
    Ok(match workflow {
        None => queued().load(conn).await?,
        Some(workflow) => {
            queued().filter(handler_runs::workflow_id.eq(Db(workflow))).load(conn).await?
        }
    })
}
