//! The steps of a claimed run, and the records of runs.

use async_trait::async_trait;
use windlass_core::{RunId, SessionId, WorkflowId, WorkspaceId};

use super::Backend;
use super::ops::{Operation, Tx};
use super::reads::runs;
use crate::error::Result;
use crate::model::{BegunMutation, Committed, LogEntry, Run, Session};
use crate::page::{Listed, Page, RunCursor, SessionCursor};
use crate::params::{
    AppendLogs, ApplyMutation, BeginMutation, CaptureMutation, CheckpointPrepare, CommitConsumer,
    CommitNode, CommitProducer, DoubtMutation, FailMutation, LogFilter, RunFilter, StopRun,
};
use crate::store::RunStore;

reads! {
    Operation over Tx<'_>;
    Runs { filter: RunFilter } -> Listed<Run, RunCursor>: |tx| runs::runs(tx.conn, &filter);
    OneRun { workspace: WorkspaceId, run: RunId } -> Run: |tx| runs::run(tx.conn, workspace, run);
    OneSession { workspace: WorkspaceId, session: SessionId } -> Session: |tx| runs::session(tx.conn, workspace, session);
    Sessions { workspace: WorkspaceId, workflow: WorkflowId, page: Page<SessionCursor> } -> Listed<Session, SessionCursor>:
        |tx| runs::sessions(tx.conn, (workspace, workflow), page);
    Logs { filter: LogFilter } -> Listed<LogEntry, u32>: |tx| runs::logs(tx.conn, filter);
}

#[async_trait]
impl RunStore for Backend {
    async fn checkpoint_prepare(&self, params: CheckpointPrepare) -> Result<()> {
        self.write(params).await
    }

    async fn begin_mutation(&self, params: BeginMutation) -> Result<BegunMutation> {
        self.write(params).await
    }

    async fn apply_mutation(&self, params: ApplyMutation) -> Result<()> {
        self.write(params).await?.require_in_time()
    }

    async fn fail_mutation(&self, params: FailMutation) -> Result<()> {
        self.write(params).await?.require_in_time()
    }

    async fn doubt_mutation(&self, params: DoubtMutation) -> Result<()> {
        self.write(params).await?.require_in_time()
    }

    async fn capture_mutation(&self, params: CaptureMutation) -> Result<()> {
        self.write(params).await
    }

    async fn commit_producer(&self, params: CommitProducer) -> Result<Committed> {
        self.write(params).await
    }

    async fn commit_consumer(&self, params: CommitConsumer) -> Result<Committed> {
        self.write(params).await
    }

    async fn commit_node(&self, params: CommitNode) -> Result<()> {
        self.write(params).await
    }

    async fn stop_run(&self, params: StopRun) -> Result<()> {
        self.write(params).await
    }

    async fn append_logs(&self, params: AppendLogs) -> Result<()> {
        self.write(params).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Listed<Run, RunCursor>> {
        self.read(Runs { filter }).await
    }

    async fn run(&self, workspace: WorkspaceId, run: RunId) -> Result<Run> {
        self.read(OneRun { workspace, run }).await
    }

    async fn session(&self, workspace: WorkspaceId, session: SessionId) -> Result<Session> {
        self.read(OneSession { workspace, session }).await
    }

    async fn sessions(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        page: Page<SessionCursor>,
    ) -> Result<Listed<Session, SessionCursor>> {
        self.read(Sessions { workspace, workflow, page }).await
    }

    async fn logs(&self, filter: LogFilter) -> Result<Listed<LogEntry, u32>> {
        self.read(Logs { filter }).await
    }
}
