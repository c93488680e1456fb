//! Workspaces and workflows: their scripts, controls, limits and sessions.

use windlass_core::{ScriptId, SessionId, WorkflowId, WorkspaceId};

use super::{AnyId, role};
use crate::model::{
    HandlerState, Limit, SavedScript, ScriptVersion, Workflow, WorkflowOverview, Workspace,
};
use crate::page::{Listed, Page, VersionCursor};
use crate::params::{
    ActivateScript, ControlWorkflow, RouteWorkflow, SaveScript, SetLimit, StartSession,
};

role! {
    /// Workspaces and workflows: their scripts, controls, limits and sessions.
    pub trait WorkflowStore {
        /// Finds the workspace of that name, or makes it.
        write async fn ensure_workspace(&self, name: &str) -> Result<WorkspaceId>;

        /// All workspaces, by name. They are as many as people have made.
        read async fn workspaces(&self) -> Result<Vec<Workspace>>;

        /// Which record of a workspace an id, or the beginning of one, belongs to.
        read async fn resolve_id(&self, workspace: WorkspaceId, prefix: &str) -> Result<AnyId>;

        /// The workflows of a workspace but for recorded plans, by name; a page begins after a name.
        read async fn workflows(&self, workspace: WorkspaceId, page: Page<String>) -> Result<Listed<Workflow, String>>;

        /// The workflow of that name, or whose id begins so.
        read async fn find_workflow(&self, workspace: WorkspaceId, name_or_id: &str) -> Result<Workflow>;

        /// Everything that a workflow's status page shows.
        read async fn overview(&self, workspace: WorkspaceId, workflow: WorkflowId) -> Result<WorkflowOverview>;

        /// Saves a script version, never changing which one runs. The same text as the newest version makes no new one.
        write async fn save_script(&self, params: SaveScript) -> Result<SavedScript>;

        /// Makes a version the one that runs: handlers and schedules follow it, every producer is due now, every consumer has
        /// work, a repair under way is over. A pending retry stays. A queued run that is no retry is withdrawn.
        write async fn activate_script(&self, params: ActivateScript) -> Result<Workflow>;

        /// A script version.
        read async fn script(&self, workspace: WorkspaceId, script: ScriptId) -> Result<ScriptVersion>;

        /// The versions of a workflow's script, newest first.
        read async fn scripts(
            &self,
            workspace: WorkspaceId,
            workflow: WorkflowId,
            page: Page<VersionCursor>,
        ) -> Result<Listed<ScriptVersion, VersionCursor>>;

        /// The handlers of a workflow's active script: producers first, by name. They are as many as the script declares.
        read async fn handlers(&self, workspace: WorkspaceId, workflow: WorkflowId) -> Result<Vec<HandlerState>>;

        /// Pauses, resumes, archives or unarchives. To resume also clears the error, the maintenance and the back-off; it is
        /// refused while an effect is in doubt.
        write async fn control_workflow(&self, params: ControlWorkflow) -> Result<Workflow>;

        /// Says which workers may take a workflow's runs, the queued one included, and which priority they have.
        write async fn route_workflow(&self, params: RouteWorkflow) -> Result<Workflow>;

        /// Begins a manual session: every producer is due, a back-off is over. A session whose run still waits for a worker is
        /// joined and becomes manual. Refused while a run is active or the workflow does not run.
        write async fn start_session(&self, params: StartSession) -> Result<SessionId>;

        /// Sets or removes a limit on what runs of a workspace have in common. Runs under way go on.
        write async fn set_limit(&self, params: SetLimit) -> Result<()>;

        /// The limits of a workspace, by key. They are as many as people have set.
        read async fn limits(&self, workspace: WorkspaceId) -> Result<Vec<Limit>>;
    }
}
