//! Workspaces.

use diesel::prelude::*;
use windlass_core::WorkspaceId;

use super::dialect::{Conn, RunQueryDsl};
use super::{Operation, Tx};
use crate::error::Result;
use crate::rows::{At, Db, Json, WorkspaceRow, WorkspaceSettings};
use crate::schema::workspaces;

/// Finds the workspace of a name, or creates it.
#[derive(Clone)]
pub(in super::super) struct EnsureWorkspace {
    pub(in super::super) name: String,
}

impl Operation for EnsureWorkspace {
    type Output = WorkspaceId;

    async fn run(self, tx: &Tx<'_>) -> Result<WorkspaceId> {
        let row = WorkspaceRow {
            id: Db(tx.mint()),
            name: self.name,
            settings: Json(WorkspaceSettings::default()),
            created_at: At(tx.now),
        };
        diesel::insert_into(workspaces::table)
            .values(&row)
            .on_conflict(workspaces::name)
            .do_nothing()
            .execute(tx.conn)
            .await?;
        let id = workspaces::table.filter(workspaces::name.eq(&row.name)).select(workspaces::id);
        let Db(id) = id.first(tx.conn).await?;
        Ok(id)
    }
}

/// The name of a workspace; none if there is no such workspace.
pub(super) async fn name(conn: &Conn, workspace: WorkspaceId) -> Result<Option<String>> {
    let name = workspaces::table.find(Db(workspace)).select(workspaces::name);
    name.optional(conn).await
}
