//! What a person decides for a workspace.

use serde::Serialize;
use windlass_core::Grant;
use windlass_store::SetWorkspace;

use super::error::Result;
use super::handle::Service;

/// What a person decided for a workspace.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceSettings {
    /// The tools that plans of agents may call without a person being asked.
    pub plan_grant: Grant,
}

impl Service {
    /// What was decided for the workspace.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn workspace_settings(&self) -> Result<WorkspaceSettings> {
        Ok(WorkspaceSettings { plan_grant: self.store.plan_grant(self.workspace).await? })
    }

    /// Decides which tools plans of agents may call without a person being asked.
    ///
    /// # Errors
    /// Those of the store: only a person decides that.
    pub async fn set_plan_grant(&self, plan_grant: Grant) -> Result<WorkspaceSettings> {
        let (workspace, actor) = (self.workspace, self.acting());
        self.store.set_workspace(SetWorkspace { workspace, plan_grant, actor }).await?;
        self.workspace_settings().await
    }
}
