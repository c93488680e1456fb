//! The one interface of the store: what happens together, and what can be looked at.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use windlass_core::{
    EventId, InputId, MutationId, MutationStatus, NotificationId, RunId, ScriptId, SessionId,
    Timestamp, WorkerId, WorkflowId, WorkspaceId,
};

use crate::error::Result;
use crate::model::{
    Agenda, BegunMutation, ClaimedRun, Committed, DueLookup, Event, HandlerState, Input,
    JournalEntry, LeaseRenewal, Limit, LogEntry, Mutation, Notification, RecoveredRun, Run,
    SavedScript, ScriptVersion, Session, Worker, Workflow, WorkflowOverview, Workspace,
};
use crate::params::{
    ActivateScript, ApplyMutation, BeginMutation, CaptureMutation, CheckpointPrepare, ClaimFilter,
    ClaimLookups, ClaimRuns, CommitConsumer, CommitProducer, ControlWorkflow, DoubtMutation,
    EventFilter, FailMutation, Heartbeat, InputKey, LogFilter, Prune, Pruned, RecoverRuns,
    ResolveMutation, RouteWorkflow, RunFilter, SaveScript, ScriptMessage, SetLimit, SettleEvent,
    SettleLookup, StartSession, StopRun,
};

/// What changes together. Each method is one transaction: it happened wholly, or not at all.
///
/// After a method has returned `Ok`, what it wrote survives a crash of the machine. An `Err` means that nothing was written,
/// but for [`StoreError::Unavailable`](crate::StoreError::Unavailable), where the answer may have been lost: every method is
/// safe to call again. What a run's worker asks for a second time is answered as the first time, and written once; anything else
/// the claim or the state machine refuses.
///
/// Every method that changes a workflow also decides, in the same transaction, what the workflow does next: it enqueues the
/// next run, or notes when the workflow is due. Nothing has to be put right afterwards.
///
/// Workspaces do not see each other: whatever names a thing says in which workspace, and a thing of another one is not found, as
/// if there were none. So it is with [`Inspect`].
#[async_trait]
pub trait Store: Inspect {
    /// Finds the workspace of that name, or makes it.
    async fn ensure_workspace(&self, name: &str) -> Result<WorkspaceId>;

    /// Saves a script version, never changing which one runs. The same text as the newest version makes no new one.
    async fn save_script(&self, params: SaveScript) -> Result<SavedScript>;

    /// Makes a version the one that runs: handlers and schedules follow it, every producer is due now, every consumer has work,
    /// a repair under way is over. A pending retry stays. A queued run that is no retry is withdrawn.
    async fn activate_script(&self, params: ActivateScript) -> Result<Workflow>;

    /// Pauses, resumes, archives or unarchives. To resume also clears the error, the maintenance and the back-off; it is refused
    /// while an effect is in doubt.
    async fn control_workflow(&self, params: ControlWorkflow) -> Result<Workflow>;

    /// Begins a manual session: every producer is due, a back-off is over. A session whose run still waits for a worker is pipeline
    /// and becomes manual. Refused while a run is active or the workflow does not run.
    async fn start_session(&self, params: StartSession) -> Result<SessionId>;

    /// Enqueues the next run of up to `limit` workflows that are due. Returns how many were looked at.
    async fn enqueue_due(&self, limit: u32) -> Result<usize>;

    /// Sets or takes away a limit on what runs of a workspace have in common. What runs already goes on.
    async fn set_limit(&self, params: SetLimit) -> Result<()>;

    /// Takes queued runs of runnable workflows: from all workspaces in turn, and within one by their ranks,
    /// passing over those that a limit keeps waiting.
    async fn claim_runs(&self, params: ClaimRuns) -> Result<Vec<ClaimedRun>>;

    /// A worker lives, and extends its leases; returns the runs that it still holds. What is missing was lost.
    async fn heartbeat(&self, params: Heartbeat) -> Result<LeaseRenewal>;

    /// A worker stops: what it holds is handed back, as [`recover_runs`](Self::recover_runs) would take it but blaming nothing, and
    /// the worker is no longer listed. A run whose request may just be leaving is not handed back: it is taken over when its lease
    /// has ended.
    async fn deregister_worker(&self, worker: WorkerId) -> Result<Vec<RecoveredRun>>;

    /// Says which workers may take a workflow's runs, the queued one included, and how those stand to others.
    async fn route_workflow(&self, params: RouteWorkflow) -> Result<Workflow>;

    /// Takes active runs whose lease has expired, or whose worker is known to be dead, and brings each to the state from which it
    /// continues: released, marked for a retry, or in doubt.
    async fn recover_runs(&self, params: RecoverRuns) -> Result<Vec<RecoveredRun>>;

    /// Checkpoints `prepare`: result, reservations, wake time, phase `prepared`.
    ///
    /// [`StoreError::ReservationRefused`](crate::StoreError::ReservationRefused) where an event is unknown, not pending, or of a
    /// topic that the consumer does not subscribe.
    async fn checkpoint_prepare(&self, params: CheckpointPrepare) -> Result<()>;

    /// Writes the ledger row as `in_flight`: only after this may the request leave.
    async fn begin_mutation(&self, params: BeginMutation) -> Result<BegunMutation>;

    /// The effect happened: ledger `applied`, phase `mutated`.
    ///
    /// Where the claim is lost, what the worker knows is kept beside the ledger row as late evidence, and
    /// [`StoreError::ClaimLost`](crate::StoreError::ClaimLost) is returned; so also for the two methods below.
    async fn apply_mutation(&self, params: ApplyMutation) -> Result<()>;

    /// The effect did not happen: ledger `failed`, events released, the run stopped by the failure's class.
    async fn fail_mutation(&self, params: FailMutation) -> Result<()>;

    /// Nobody knows: ledger `needs_reconcile` where the tool can look the effect up, else `indeterminate`; events kept, the run and
    /// the workflow wait for the lookup or for a person.
    async fn doubt_mutation(&self, params: DoubtMutation) -> Result<()>;

    /// Commits a producer's run.
    async fn commit_producer(&self, params: CommitProducer) -> Result<Committed>;

    /// Commits a consumer's run.
    async fn commit_consumer(&self, params: CommitConsumer) -> Result<Committed>;

    /// Stops a run: its events, its session and its workflow follow the failure's class and the mutation boundary.
    async fn stop_run(&self, params: StopRun) -> Result<()>;

    /// A person settles a doubtful mutation.
    async fn resolve_mutation(&self, params: ResolveMutation) -> Result<Mutation>;

    /// A dry run captured the mutation: ledger `would_send`, phase `mutated`. For stores that hold a copy, never for the real one.
    async fn capture_mutation(&self, params: CaptureMutation) -> Result<()>;

    /// Takes effects in doubt whose time to be looked up has come, of any workflow. An attempt is counted when it is taken, so that
    /// one whose worker is lost counts too.
    async fn claim_lookups(&self, params: ClaimLookups) -> Result<Vec<DueLookup>>;

    /// Writes what an attempt came to: the mutation is settled, or looked up again later, or put before a person after the last
    /// attempt. Returns what it is now.
    async fn settle_lookup(&self, params: SettleLookup) -> Result<MutationStatus>;

    /// A person puts a parked event back or skips it.
    async fn settle_event(&self, params: SettleEvent) -> Result<Event>;

    /// Whether whoever asks may prune: among all workers one in `every` may.
    async fn begin_pruning(&self, every: Duration) -> Result<bool>;

    /// Removes old records of one kind: one step, which looks at a bounded number of them.
    ///
    /// What is open is never touched, nor what something open depends on: an open run with its session and the runs that it
    /// continues; the run that holds a workflow or was the last to change a handler's state; events that are not over, with the
    /// run that published them and every effect that was attempted for them; an effect in doubt, with its run, its events, its
    /// notifications and the journal since. An event or an input that is removed leaves its name: published or registered again,
    /// it stays over.
    async fn prune(&self, params: Prune) -> Result<Pruned>;

    /// Enters a script's message, once per mutation.
    async fn add_message(&self, params: ScriptMessage) -> Result<()>;
}

/// What can be looked at. Nothing here changes anything.
#[async_trait]
pub trait Inspect: Send + Sync + std::fmt::Debug {
    /// The store's clock: the one that its instants come from.
    async fn now(&self) -> Result<Timestamp>;

    /// What there is to do for a worker that takes such runs, now or later. It looks at a fixed number of records, however many
    /// there are.
    async fn agenda(&self, filter: &ClaimFilter) -> Result<Agenda>;

    /// Hears of everything that may have brought work, from any process. Ask for it before looking for work.
    fn wake_ups(&self) -> WakeUps;

    /// All workspaces, by name.
    async fn workspaces(&self) -> Result<Vec<Workspace>>;

    /// The workers of all workspaces, or those that work for one, in the order in which they started.
    async fn workers(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Worker>>;

    /// The limits of a workspace, by key.
    async fn limits(&self, workspace: WorkspaceId) -> Result<Vec<Limit>>;

    /// All workflows of a workspace, by name.
    async fn workflows(&self, workspace: WorkspaceId) -> Result<Vec<Workflow>>;

    /// The workflow of that name, or whose id begins so.
    async fn find_workflow(&self, workspace: WorkspaceId, name_or_id: &str) -> Result<Workflow>;

    /// Everything that a workflow's status page says.
    async fn overview(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<WorkflowOverview>;

    /// A script version.
    async fn script(&self, workspace: WorkspaceId, script: ScriptId) -> Result<ScriptVersion>;

    /// All versions of a workflow's script, newest first.
    async fn scripts(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<ScriptVersion>>;

    /// A workflow's handlers.
    async fn handlers(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<HandlerState>>;

    /// Events, oldest first.
    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>>;

    /// One event.
    async fn event(&self, workspace: WorkspaceId, event: EventId) -> Result<Event>;

    /// The input with that natural key, where the workflow has it.
    async fn find_input(&self, key: InputKey) -> Result<Option<InputId>>;

    /// A workflow's inputs, oldest first.
    async fn inputs(&self, workspace: WorkspaceId, workflow: WorkflowId) -> Result<Vec<Input>>;

    /// One input.
    async fn input(&self, workspace: WorkspaceId, input: InputId) -> Result<Input>;

    /// A workflow's mutations, oldest first.
    async fn mutations(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<Mutation>>;

    /// One mutation.
    async fn mutation(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<Mutation>;

    /// Runs, newest first.
    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>>;

    /// One run.
    async fn run(&self, workspace: WorkspaceId, run: RunId) -> Result<Run>;

    /// One session.
    async fn session(&self, workspace: WorkspaceId, session: SessionId) -> Result<Session>;

    /// Log lines of a run, in order.
    async fn logs(&self, filter: LogFilter) -> Result<Vec<LogEntry>>;

    /// A workspace's notifications, newest first.
    async fn notifications(&self, workspace: WorkspaceId) -> Result<Vec<Notification>>;

    /// Whether the message that this mutation sends was entered.
    async fn has_message(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<bool>;

    /// A workflow's journal, oldest first.
    async fn journal(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<JournalEntry>>;

    /// What was done about one thing of a workflow, whose id is `subject`, oldest first.
    async fn journal_for(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        subject: &str,
    ) -> Result<Vec<JournalEntry>>;

    /// What [`prune`](Store::prune) would remove in the same step, were everything before it done.
    async fn prunable(&self, params: Prune) -> Result<Pruned>;

    /// What an id, or the beginning of one, stands for in a workspace.
    async fn resolve_id(&self, workspace: WorkspaceId, prefix: &str) -> Result<AnyId>;
}

/// An id of any kind that a person may ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyId {
    /// A workflow.
    Workflow(WorkflowId),
    /// A script version.
    Script(ScriptId),
    /// An event.
    Event(EventId),
    /// An input.
    Input(InputId),
    /// A handler run.
    Run(RunId),
    /// A mutation.
    Mutation(MutationId),
    /// A session.
    Session(SessionId),
    /// A notification.
    Notification(NotificationId),
}

/// Hears of changes that may have brought work.
#[derive(Debug)]
pub struct WakeUps(tokio::sync::watch::Receiver<u64>);

impl WakeUps {
    pub(crate) const fn new(receiver: tokio::sync::watch::Receiver<u64>) -> Self {
        Self(receiver)
    }

    /// Waits for a change after the last one that was heard of; for ever where the store is gone.
    ///
    /// # Cancel safety
    /// Nothing is missed when the future is dropped.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A store that is shared by everything in a process.
pub type SharedStore = Arc<dyn Store>;
