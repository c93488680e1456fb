//! What people decide for a workspace.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::Text as _;

use super::super::dialect::RunQueryDsl;
use super::super::journal::{self, Entry};
use super::super::{Operation, Tx};
use crate::error::{Result, StoreError};
use crate::params::SetWorkspace;
use crate::rows::{Db, Json, WorkspaceSettings};
use crate::schema::workspaces;

impl Operation for SetWorkspace {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let workspace = workspaces::table.find(Db(self.workspace));
        let stored: Option<Json<WorkspaceSettings>> =
            workspace.select(workspaces::settings).optional(tx.conn).await?;
        let missing = || StoreError::not_found("workspace", &self.workspace);
        let Json(stored) = stored.ok_or_else(missing)?;
        let settings = WorkspaceSettings { plan_grant: self.plan_grant.clone(), ..stored };
        diesel::update(workspace)
            .set(workspaces::settings.eq(Json(settings)))
            .execute(tx.conn)
            .await?;
        let actor = self.actor.to_text();
        let entry = Entry::by(&actor, "workspace.set", &self.workspace)
            .with(json!({ "planGrant": self.plan_grant }));
        journal::add_to_workspace(tx, Db(self.workspace), entry).await
    }
}
