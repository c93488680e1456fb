//! The steps of a claimed run, and the records of runs.

use windlass_core::{RunId, SessionId, WorkflowId, WorkspaceId};

use super::role;
use crate::model::{BegunMutation, Committed, LogEntry, Run, Session};
use crate::page::{Listed, Page, RunCursor, SessionCursor};
use crate::params::{
    AppendLogs, ApplyMutation, BeginMutation, CaptureMutation, CheckpointPrepare, CommitConsumer,
    CommitNode, CommitProducer, DoubtMutation, FailMutation, LogFilter, RunFilter, StopRun,
};

role! {
    /// The steps of a claimed run, and the records of runs, sessions and logs.
    pub trait RunStore {
        /// Checkpoints `prepare`: result, reservations, wake time, phase `prepared`.
        ///
        /// [`StoreError::ReservationRefused`](crate::StoreError::ReservationRefused) where an event is unknown, not pending, or of
        /// a topic that the consumer does not subscribe to.
        write async fn checkpoint_prepare(&self, params: CheckpointPrepare) -> Result<()>;

        /// Writes the ledger row as `in_flight`: only after this may the request leave.
        write async fn begin_mutation(&self, params: BeginMutation) -> Result<BegunMutation>;

        /// The effect happened: ledger `applied`, phase `mutated`.
        ///
        /// Where the claim is lost, what the worker knows is kept beside the ledger row as late evidence, and
        /// [`StoreError::ClaimLost`](crate::StoreError::ClaimLost) is returned; so also for the two methods below.
        write async fn apply_mutation(&self, params: ApplyMutation) -> Result<()>;

        /// The effect did not happen: ledger `failed`, events released, the run stopped by the failure's class.
        write async fn fail_mutation(&self, params: FailMutation) -> Result<()>;

        /// Nobody knows: ledger `needs_reconcile` where the tool can look the effect up, else `indeterminate`; events kept, the run
        /// and the workflow wait for the lookup or for a person.
        write async fn doubt_mutation(&self, params: DoubtMutation) -> Result<()>;

        /// A dry run captured the mutation: ledger `would_send`, phase `mutated`. For stores that hold a copy, never for the real
        /// one.
        write async fn capture_mutation(&self, params: CaptureMutation) -> Result<()>;

        /// Commits a producer's run.
        write async fn commit_producer(&self, params: CommitProducer) -> Result<Committed>;

        /// Commits a consumer's run.
        write async fn commit_consumer(&self, params: CommitConsumer) -> Result<Committed>;

        /// Commits the run of a node: its attempt is judged, and the run of its graph goes on. In a run that is over, only the
        /// handler run changes.
        write async fn commit_node(&self, params: CommitNode) -> Result<()>;

        /// Stops a run: its events, its session and its workflow follow the failure's class and the mutation boundary.
        write async fn stop_run(&self, params: StopRun) -> Result<()>;

        /// Appends lines to the log of the run's session while the run goes on. After an error of the connection it is unknown whether
        /// they are there: appended again, they are there twice.
        write async fn append_logs(&self, params: AppendLogs) -> Result<()>;

        /// Runs, newest first.
        read async fn runs(&self, filter: RunFilter) -> Result<Listed<Run, RunCursor>>;

        /// One run.
        read async fn run(&self, workspace: WorkspaceId, run: RunId) -> Result<Run>;

        /// One session.
        read async fn session(&self, workspace: WorkspaceId, session: SessionId) -> Result<Session>;

        /// A workflow's sessions, newest first.
        read async fn sessions(
            &self,
            workspace: WorkspaceId,
            workflow: WorkflowId,
            page: Page<SessionCursor>,
        ) -> Result<Listed<Session, SessionCursor>>;

        /// Log lines of a run or a session, in order.
        read async fn logs(&self, filter: LogFilter) -> Result<Listed<LogEntry, u32>>;
    }
}
