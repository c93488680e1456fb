//! Runs of graphs: plans, and executions that agents record.

use windlass_core::{ApprovalId, ArtifactId, Grant, ScriptId, WorkspaceId};

use super::role;
use crate::model::{
    Approval, Artifact, DeletedExecutions, GraphRuns, GraphVersion, GraphView, JournalEntry,
    RecordedPlan, SettledApproval, StartedGraph, SteeredGraph, SubmittedNode,
};
use crate::page::{ApprovalCursor, Listed, Page};
use crate::params::{
    AddNote, ApprovalFilter, DeleteExecutions, GraphFilter, GraphIncludes, GraphSelector,
    RecordPlan, SetWorkspace, SettleApproval, StartExecution, StartPlan, SteerGraph, SubmitNode,
};

role! {
    /// Runs of graphs: plans, and executions that agents record.
    pub trait GraphStore {
        /// Keeps a plan that an agent will do by itself.
        write async fn record_plan(&self, params: RecordPlan) -> Result<RecordedPlan>;

        /// Begins an execution of a recorded plan. Several of one plan may be under way.
        write async fn start_execution(&self, params: StartExecution) -> Result<StartedGraph>;

        /// Begins a run of a plan, or replaces the active one: all of it happens or nothing. Refused where a run is active that is not
        /// to be replaced, and where another one is active than the caller knows.
        write async fn start_plan(&self, params: StartPlan) -> Result<StartedGraph>;

        /// Takes up a node or submits its result. The same result once more is answered as the first time, unless the node was opened
        /// since.
        write async fn submit_node(&self, params: SubmitNode) -> Result<SubmittedNode>;

        /// Settles what a person was asked, once. A later answer changes nothing and returns how it was settled.
        write async fn settle_approval(&self, params: SettleApproval) -> Result<SettledApproval>;

        /// Resumes, restarts or cancels a run. What is finished stays. To cancel closes everything at once; if the run is over, only the
        /// decision is written down.
        write async fn steer_graph(&self, params: SteerGraph) -> Result<SteeredGraph>;

        /// Writes a note into the journal of a run. Nothing else changes.
        write async fn add_note(&self, params: AddNote) -> Result<JournalEntry>;

        /// Deletes recorded executions that are over, and recorded plans without any.
        write async fn delete_executions(&self, params: DeleteExecutions) -> Result<DeletedExecutions>;

        /// Sets what a person decides for a workspace.
        write async fn set_workspace(&self, params: SetWorkspace) -> Result<()>;

        /// The tools that plans of agents may call without being asked about.
        read async fn plan_grant(&self, workspace: WorkspaceId) -> Result<Grant>;

        /// A run with its nodes, and what was asked for besides; none where there is none.
        read async fn graph(
            &self,
            workspace: WorkspaceId,
            which: GraphSelector,
            includes: GraphIncludes,
        ) -> Result<Option<GraphView>>;

        /// A version of a graph: of a plan, or a recorded plan.
        read async fn graph_version(&self, workspace: WorkspaceId, script: ScriptId) -> Result<GraphVersion>;

        /// Runs of graphs in the order that is asked for, and how many there are.
        read async fn graphs(&self, filter: GraphFilter) -> Result<GraphRuns>;

        /// A version of something that a node made.
        read async fn artifact(&self, workspace: WorkspaceId, artifact: ArtifactId) -> Result<Artifact>;

        /// What people were asked: first what was asked first.
        read async fn approvals(
            &self,
            filter: ApprovalFilter,
            page: Page<ApprovalCursor>,
        ) -> Result<Listed<Approval, ApprovalCursor>>;

        /// One question to a person.
        read async fn approval(&self, workspace: WorkspaceId, approval: ApprovalId) -> Result<Approval>;
    }
}
