//! Workspaces, workflows, their script versions and their handlers.

use diesel::prelude::*;
use windlass_core::{ScriptId, WorkflowId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::model::{HandlerState, ScriptVersion, Workflow, Workspace};
use crate::rows::{Db, HandlerRow, ScriptRow, WorkflowRow};
use crate::schema::{handler_state, scripts, workflows, workspaces};
use crate::tenant::in_workspace;

/// All workspaces, by name.
pub(super) async fn workspaces(conn: &Conn) -> Result<Vec<Workspace>> {
    let query = workspaces::table.select((workspaces::id, workspaces::name));
    let rows: Vec<(Db<WorkspaceId>, String)> = query.load(conn).await?;
    let mut found: Vec<_> = rows.into_iter().map(|(Db(id), name)| Workspace { id, name }).collect();
    // Sorted here: the order of texts differs between databases.
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// All workflows of a workspace, by name.
pub(super) async fn workflows(conn: &Conn, workspace: WorkspaceId) -> Result<Vec<Workflow>> {
    let query = WorkflowRow::query().filter(workflows::workspace_id.eq(Db(workspace)));
    let rows: Vec<WorkflowRow> = query.load(conn).await?;
    let mut found: Vec<_> = rows.into_iter().map(Workflow::from).collect();
    // Sorted here: the order of texts differs between databases.
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// A workflow, as it is stored.
pub(super) async fn row(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<WorkflowRow> {
    let query = WorkflowRow::query()
        .filter(workflows::id.eq(Db(workflow)))
        .filter(workflows::workspace_id.eq(Db(workspace)));
    let row: Option<WorkflowRow> = query.first(conn).await.optional()?;
    row.ok_or_else(|| StoreError::not_found("workflow", &workflow))
}

/// A script version.
pub(in super::super) async fn script(
    conn: &Conn,
    workspace: WorkspaceId,
    script: ScriptId,
) -> Result<ScriptVersion> {
    let query = ScriptRow::query()
        .filter(scripts::id.eq(Db(script)))
        .filter(in_workspace!(workspace, scripts::workflow_id));
    let row: Option<ScriptRow> = query.first(conn).await.optional()?;
    row.map(ScriptVersion::from).ok_or_else(|| StoreError::not_found("script version", &script))
}

/// All versions of a workflow's script, newest first.
pub(super) async fn scripts(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Vec<ScriptVersion>> {
    let query = ScriptRow::query()
        .filter(scripts::workflow_id.eq(Db(workflow)))
        .filter(in_workspace!(workspace, Db(workflow)))
        .order((scripts::major.desc(), scripts::minor.desc()));
    let rows: Vec<ScriptRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(ScriptVersion::from).collect())
}

/// The handlers of a workflow's active script, producers first, by name.
pub(super) async fn handlers(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Vec<HandlerState>> {
    let query = HandlerRow::query()
        .filter(handler_state::workflow_id.eq(Db(workflow)).and(handler_state::declared.eq(true)))
        .filter(in_workspace!(workspace, Db(workflow)));
    let rows: Vec<HandlerRow> = query.load(conn).await?;
    let mut found: Vec<_> = rows.into_iter().map(HandlerState::from).collect();
    // Sorted here: the order of texts differs between databases.
    found.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    Ok(found)
}
