//! What the operations need of PostgreSQL in particular.

use diesel::prelude::*;
use windlass_core::WorkflowId;

pub(super) use diesel_async::RunQueryDsl;

pub(super) use super::PostgresStore as Backend;
use crate::error::Result;
use crate::rows::{Db, WorkflowRow};
use crate::schema::workflows;

/// The connection that the operations run on.
pub(super) type Conn = diesel_async::AsyncPgConnection;

/// The workflow's row, locked until the transaction ends: what happens to one workflow happens one after the other.
pub(super) async fn lock_workflow(
    conn: &mut Conn,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = WorkflowRow::query().filter(workflows::id.eq(Db(workflow))).for_update();
    Ok(row.first(conn).await.optional()?)
}
