//! Workspaces, workflows, their script versions and their handlers.

use diesel::dsl::max;
use diesel::prelude::*;
use windlass_core::{ScriptId, Timestamp, WorkflowId, WorkflowKind, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::convert::to_u32;
use crate::error::{Result, StoreError};
use crate::keyset::VersionsBefore;
use crate::model::{HandlerState, ScriptVersion, Workflow, Workspace};
use crate::page::{Listed, Page, VersionCursor};
use crate::rows::{At, Db, HandlerRow, ScriptRow, WorkflowRow};
use crate::schema::{handler_state, scripts, workflows, workspaces};
use crate::tenant::in_workspace;

/// All workspaces, by name.
pub(in super::super) async fn workspaces(conn: &Conn) -> Result<Vec<Workspace>> {
    let query = workspaces::table.select((workspaces::id, workspaces::name));
    let rows: Vec<(Db<WorkspaceId>, String)> = query.load(conn).await?;
    let mut found: Vec<_> = rows.into_iter().map(|(Db(id), name)| Workspace { id, name }).collect();
    // Sorted here: the order of texts differs between databases.
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// When a workflow last changed; none if there is no workflow.
pub(in super::super) async fn latest_change(conn: &Conn) -> Result<Option<Timestamp>> {
    let latest: Option<At> =
        workflows::table.select(max(workflows::updated_at)).first(conn).await?;
    Ok(latest.map(|At(at)| at))
}

/// The workflows of a workspace, by name. Recorded plans are not among them: there is one for each plan that an agent recorded.
pub(in super::super) async fn workflows(
    conn: &Conn,
    workspace: WorkspaceId,
    page: Page<String>,
) -> Result<Listed<Workflow, String>> {
    // Both databases compare names byte by byte: PostgreSQL's column has the collation "C".
    let mut query = WorkflowRow::query()
        .filter(workflows::workspace_id.eq(Db(workspace)))
        .filter(workflows::kind.ne(Db(WorkflowKind::Journal)))
        .order(workflows::name)
        .limit(page.n_rows())
        .into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(workflows::name.gt(after.clone()));
    }
    let rows: Vec<WorkflowRow> = query.load(conn).await?;
    Ok(page.of(rows, |row| row.name.clone(), Workflow::from))
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
    let row: Option<WorkflowRow> = query.optional(conn).await?;
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
    let row: Option<ScriptRow> = query.optional(conn).await?;
    row.map(ScriptVersion::from).ok_or_else(|| StoreError::not_found("script version", &script))
}

/// The versions of a workflow's script, newest first.
pub(in super::super) async fn scripts(
    conn: &Conn,
    (workspace, workflow): (WorkspaceId, WorkflowId),
    page: Page<VersionCursor>,
) -> Result<Listed<ScriptVersion, VersionCursor>> {
    let mut query = ScriptRow::query()
        .filter(scripts::workflow_id.eq(Db(workflow)))
        .filter(in_workspace!(workspace, Db(workflow)))
        .order((scripts::major.desc(), scripts::minor.desc()))
        .limit(page.n_rows())
        .into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(VersionsBefore::from(after));
    }
    let rows: Vec<ScriptRow> = query.load(conn).await?;
    let place =
        |row: &ScriptRow| VersionCursor { major: to_u32(row.major), minor: to_u32(row.minor) };
    Ok(page.of(rows, place, ScriptVersion::from))
}

/// The handlers of a workflow's active script, producers first, by name.
pub(in super::super) async fn handlers(
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
