//! Workers.

use diesel::prelude::*;
use windlass_core::WorkspaceId;

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::model::Worker;
use crate::rows::{Db, WorkerRow};
use crate::schema::workers;

/// The workers of all workspaces, or those that work for one.
pub(in super::super) async fn workers(
    conn: &Conn,
    workspace: Option<WorkspaceId>,
) -> Result<Vec<Worker>> {
    let rows = WorkerRow::query().order((workers::started_at, workers::id));
    let rows: Vec<WorkerRow> = match workspace {
        None => rows.load(conn).await?,
        Some(workspace) => {
            let serves =
                workers::workspace_id.is_null().or(workers::workspace_id.eq(Db(workspace)));
            rows.filter(serves).load(conn).await?
        }
    };
    Ok(rows.into_iter().map(Worker::from).collect())
}
