//! What the operations need of SQLite in particular.

use diesel::prelude::*;
use windlass_core::WorkflowId;

pub(super) use super::ready::RunQueryDsl;
use crate::error::Result;
use crate::rows::{Db, WorkflowRow};
use crate::schema::workflows;

/// The connection that the operations run on.
pub(super) type Conn = SqliteConnection;

/// The workflow's row. The write transaction already has the whole database to itself.
pub(super) async fn lock_workflow(
    conn: &mut Conn,
    workflow: WorkflowId,
) -> Result<Option<WorkflowRow>> {
    let row = WorkflowRow::query().filter(workflows::id.eq(Db(workflow)));
    Ok(row.first(conn).await.optional()?)
}
