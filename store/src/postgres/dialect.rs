//! What the operations need of PostgreSQL in particular: locks.
//!
//! A locked row may still be referred to by new rows, so its key is not locked. Whoever takes several rows passes over those
//! that are locked already, and so never waits while it holds some: no two transactions wait for each other.

use diesel::prelude::*;
use windlass_core::{RunId, Timestamp, WorkflowId, WorkflowStatus};

pub(super) use diesel_async::RunQueryDsl;

pub(super) use super::PostgresStore as Backend;
use crate::error::Result;
use crate::literals::IsQueued;
use crate::rows::{At, Db, WorkflowRow};
use crate::schema::{handler_runs, workflows};

/// The connection that the operations run on.
pub(super) type Conn = diesel_async::AsyncPgConnection;

/// The workflow's row, locked until the transaction ends: what happens to one workflow happens one after the other.
pub(super) async fn lock_workflow(
    conn: &mut Conn,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = WorkflowRow::query().filter(workflows::id.eq(Db(workflow))).for_no_key_update();
    Ok(row.first(conn).await.optional()?)
}

/// Those of the workflows that nobody else has locked, locked.
pub(super) async fn lock_free_workflows(
    conn: &mut Conn,
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
    conn: &mut Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<WorkflowRow>> {
    let due = WorkflowRow::query()
        .filter(workflows::due_at.le(At(now)))
        .order((workflows::due_at, workflows::id))
        .limit(i64::from(limit))
        .for_no_key_update()
        .skip_locked();
    Ok(due.load(conn).await?)
}

/// Queued runs of runnable workflows, by priority and then the one that waits longest, locked with their workflows.
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
        None => queued().for_no_key_update().skip_locked().load(conn).await?,
        Some(workflow) => {
            let of_workflow = queued().filter(handler_runs::workflow_id.eq(Db(workflow)));
            of_workflow.for_no_key_update().skip_locked().load(conn).await?
        }
    })
}
