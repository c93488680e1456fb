//! Runs of graphs.

use async_trait::async_trait;
use windlass_core::{ApprovalId, ArtifactId, Grant, ScriptId, WorkspaceId};

use super::Backend;
use super::ops::{Operation, Tx};
use super::reads::{approvals, graph, graphs};
use crate::error::Result;
use crate::model::{
    Approval, Artifact, DeletedExecutions, GraphRuns, GraphVersion, GraphView, JournalEntry,
    RecordedPlan, SettledApproval, StartedGraph, SteeredGraph, SubmittedNode,
};
use crate::page::{ApprovalCursor, Listed, Page};
use crate::params::{
    AddNote, ApprovalFilter, DeleteExecutions, GraphFilter, GraphIncludes, GraphSelector,
    RecordPlan, SetWorkspace, SettleApproval, StartExecution, StartPlan, SteerGraph, SubmitNode,
};
use crate::store::GraphStore;

reads! {
    Operation over Tx<'_>;
    PlanGrant { workspace: WorkspaceId } -> Grant: |tx| graphs::plan_grant(tx.conn, workspace);
    ReadGraph { workspace: WorkspaceId, which: GraphSelector, includes: GraphIncludes } -> Option<GraphView>:
        |tx| graph::view(tx, workspace, which, includes);
    ReadGraphVersion { workspace: WorkspaceId, script: ScriptId } -> GraphVersion: |tx| graph::version(tx, workspace, script);
    Graphs { filter: GraphFilter } -> GraphRuns: |tx| graphs::graphs(tx.conn, &filter);
    ReadArtifact { workspace: WorkspaceId, artifact: ArtifactId } -> Artifact:
        |tx| graph::artifact(tx, workspace, artifact);
    Approvals { filter: ApprovalFilter, page: Page<ApprovalCursor> } -> Listed<Approval, ApprovalCursor>:
        |tx| approvals::approvals(tx.conn, filter, page);
    ReadApproval { workspace: WorkspaceId, approval: ApprovalId } -> Approval:
        |tx| approvals::approval(tx.conn, workspace, approval);
}

#[async_trait]
impl GraphStore for Backend {
    async fn record_plan(&self, params: RecordPlan) -> Result<RecordedPlan> {
        self.write(params).await
    }

    async fn start_execution(&self, params: StartExecution) -> Result<StartedGraph> {
        self.write(params).await
    }

    async fn start_plan(&self, params: StartPlan) -> Result<StartedGraph> {
        self.write(params).await
    }

    async fn submit_node(&self, params: SubmitNode) -> Result<SubmittedNode> {
        self.write(params).await
    }

    async fn settle_approval(&self, params: SettleApproval) -> Result<SettledApproval> {
        self.write(params).await
    }

    async fn steer_graph(&self, params: SteerGraph) -> Result<SteeredGraph> {
        self.write(params).await
    }

    async fn add_note(&self, params: AddNote) -> Result<JournalEntry> {
        self.write(params).await
    }

    async fn delete_executions(&self, params: DeleteExecutions) -> Result<DeletedExecutions> {
        self.write(params).await
    }

    async fn set_workspace(&self, params: SetWorkspace) -> Result<()> {
        self.write(params).await
    }

    async fn plan_grant(&self, workspace: WorkspaceId) -> Result<Grant> {
        self.read(PlanGrant { workspace }).await
    }

    async fn graph(
        &self,
        workspace: WorkspaceId,
        which: GraphSelector,
        includes: GraphIncludes,
    ) -> Result<Option<GraphView>> {
        self.read(ReadGraph { workspace, which, includes }).await
    }

    async fn graph_version(
        &self,
        workspace: WorkspaceId,
        script: ScriptId,
    ) -> Result<GraphVersion> {
        self.read(ReadGraphVersion { workspace, script }).await
    }

    async fn graphs(&self, filter: GraphFilter) -> Result<GraphRuns> {
        self.read(Graphs { filter }).await
    }

    async fn artifact(&self, workspace: WorkspaceId, artifact: ArtifactId) -> Result<Artifact> {
        self.read(ReadArtifact { workspace, artifact }).await
    }

    async fn approvals(
        &self,
        filter: ApprovalFilter,
        page: Page<ApprovalCursor>,
    ) -> Result<Listed<Approval, ApprovalCursor>> {
        self.read(Approvals { filter, page }).await
    }

    async fn approval(&self, workspace: WorkspaceId, approval: ApprovalId) -> Result<Approval> {
        self.read(ReadApproval { workspace, approval }).await
    }
}
