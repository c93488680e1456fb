//! Workspaces and workflows.

use async_trait::async_trait;
use windlass_core::{ScriptId, SessionId, WorkflowId, WorkspaceId};

use super::Backend;
use super::ops::workspace::EnsureWorkspace;
use super::ops::{Operation, Tx};
use super::reads::{identify, limits, overview, workflows};
use crate::error::Result;
use crate::model::{
    HandlerState, Limit, SavedScript, ScriptVersion, Workflow, WorkflowOverview, Workspace,
};
use crate::page::{Listed, Page, VersionCursor};
use crate::params::{
    ActivateScript, ControlWorkflow, RouteWorkflow, SaveScript, SetLimit, StartSession,
};
use crate::rows::storable;
use crate::store::{AnyId, WorkflowStore};

reads! {
    Operation over Tx<'_>;
    Workspaces {} -> Vec<Workspace>: |tx| workflows::workspaces(tx.conn);
    ResolveId { workspace: WorkspaceId, prefix: String } -> AnyId:
        |tx| identify::resolve_id(tx.conn, workspace, &prefix);
    Workflows { workspace: WorkspaceId, page: Page<String> } -> Listed<Workflow, String>:
        |tx| workflows::workflows(tx.conn, workspace, page);
    FindWorkflow { workspace: WorkspaceId, name_or_id: String } -> Workflow:
        |tx| identify::find_workflow(tx.conn, workspace, &name_or_id);
    Overview { workspace: WorkspaceId, workflow: WorkflowId } -> WorkflowOverview:
        |tx| overview::overview(tx.conn, (tx.policy, tx.now), (workspace, workflow));
    Script { workspace: WorkspaceId, script: ScriptId } -> ScriptVersion: |tx| workflows::script(tx.conn, workspace, script);
    Scripts { workspace: WorkspaceId, workflow: WorkflowId, page: Page<VersionCursor> } -> Listed<ScriptVersion, VersionCursor>:
        |tx| workflows::scripts(tx.conn, (workspace, workflow), page);
    Handlers { workspace: WorkspaceId, workflow: WorkflowId } -> Vec<HandlerState>: |tx| workflows::handlers(tx.conn, workspace, workflow);
    Limits { workspace: WorkspaceId } -> Vec<Limit>: |tx| limits::limits(tx.conn, tx.now, workspace);
}

#[async_trait]
impl WorkflowStore for Backend {
    async fn ensure_workspace(&self, name: &str) -> Result<WorkspaceId> {
        self.write(EnsureWorkspace { name: name.to_owned() }).await
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(Workspaces {}).await
    }

    async fn resolve_id(&self, workspace: WorkspaceId, prefix: &str) -> Result<AnyId> {
        self.read(ResolveId { workspace, prefix: prefix.to_owned() }).await
    }

    async fn workflows(
        &self,
        workspace: WorkspaceId,
        page: Page<String>,
    ) -> Result<Listed<Workflow, String>> {
        self.read(Workflows { workspace, page }).await
    }

    async fn find_workflow(&self, workspace: WorkspaceId, name_or_id: &str) -> Result<Workflow> {
        self.read(FindWorkflow { workspace, name_or_id: storable(name_or_id.to_owned()) }).await
    }

    async fn overview(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<WorkflowOverview> {
        self.read(Overview { workspace, workflow }).await
    }

    async fn save_script(&self, params: SaveScript) -> Result<SavedScript> {
        self.write(params).await
    }

    async fn activate_script(&self, params: ActivateScript) -> Result<Workflow> {
        self.write(params).await
    }

    async fn script(&self, workspace: WorkspaceId, script: ScriptId) -> Result<ScriptVersion> {
        self.read(Script { workspace, script }).await
    }

    async fn scripts(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        page: Page<VersionCursor>,
    ) -> Result<Listed<ScriptVersion, VersionCursor>> {
        self.read(Scripts { workspace, workflow, page }).await
    }

    async fn handlers(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<HandlerState>> {
        self.read(Handlers { workspace, workflow }).await
    }

    async fn control_workflow(&self, params: ControlWorkflow) -> Result<Workflow> {
        self.write(params).await
    }

    async fn route_workflow(&self, params: RouteWorkflow) -> Result<Workflow> {
        self.write(params).await
    }

    async fn start_session(&self, params: StartSession) -> Result<SessionId> {
        self.write(params).await
    }

    async fn set_limit(&self, params: SetLimit) -> Result<()> {
        self.write(params).await
    }

    async fn limits(&self, workspace: WorkspaceId) -> Result<Vec<Limit>> {
        self.read(Limits { workspace }).await
    }
}
