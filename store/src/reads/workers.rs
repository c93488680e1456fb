//! Workers.

use diesel::prelude::*;
use windlass_core::{RunId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::literals::IsActive;
use crate::model::{Claim, Worker};
use crate::rows::{Db, WorkerRow};
use crate::schema::{handler_runs, workers};

/// The runs of these claims that are not claimed like this any more.
pub(in super::super) async fn lost_claims(conn: &Conn, claims: &[Claim]) -> Result<Vec<RunId>> {
    let runs: Vec<_> = claims.iter().map(|claim| Db(claim.run)).collect();
    let claimed = handler_runs::table
        .filter(handler_runs::id.eq_any(runs))
        .filter(IsActive)
        .select((handler_runs::workspace_id, handler_runs::id, handler_runs::fence));
    let claimed: Vec<(Db<WorkspaceId>, Db<RunId>, i64)> = claimed.load(conn).await?;
    let is_lost =
        |claim: &&Claim| !claimed.contains(&(Db(claim.workspace), Db(claim.run), claim.fence));
    Ok(claims.iter().filter(is_lost).map(|claim| claim.run).collect())
}

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
