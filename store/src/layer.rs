//! A store with something around each of its operations.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use windlass_core::{
    EventId, InputId, MutationId, MutationStatus, RunId, ScriptId, SessionId, Timestamp, WorkerId,
    WorkflowId, WorkspaceId,
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
use crate::store::{AnyId, Inspect, SharedStore, Store, WakeUps};

/// What is done around each operation of a store: measuring it, delaying it, refusing it.
#[async_trait]
pub trait Layer: std::fmt::Debug + Send + Sync {
    /// Makes `call`, an operation that changes something, or refuses it by dropping it.
    async fn operation<T: Wrote>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T>;

    /// Makes `call`, which only looks.
    async fn look<T: Send>(
        &self,
        _name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        call.await
    }
}

/// What an operation answers: whether it wrote anything.
pub trait Wrote: Send {
    /// Not where it found nothing to do.
    fn wrote(&self) -> bool {
        true
    }
}

impl<T: Send> Wrote for Vec<T> {
    fn wrote(&self) -> bool {
        !self.is_empty()
    }
}

impl Wrote for bool {
    fn wrote(&self) -> bool {
        *self
    }
}

impl Wrote for Pruned {
    fn wrote(&self) -> bool {
        self.count > 0
    }
}

impl Wrote for usize {
    fn wrote(&self) -> bool {
        *self > 0
    }
}

/// A store seen through a layer.
#[derive(Debug)]
pub struct Layered<L> {
    /// The store itself.
    pub inner: SharedStore,
    /// What is around it.
    pub layer: L,
}

/// Every method of both traits, forwarded through the layer.
macro_rules! layered {
    (
        operations { $($operation:ident($($o_arg:ident: $o_type:ty),*) -> $o_result:ty;)+ }
        looks { $($look:ident($($l_arg:ident: $l_type:ty),*) -> $l_result:ty;)+ }
    ) => {
        /// The names of all methods of both traits, as a [`Layer`] is told them.
        pub const METHODS: &[&str] = &[$(stringify!($operation),)+ $(stringify!($look)),+];

        #[async_trait]
        impl<L: Layer> Store for Layered<L> {
            $(async fn $operation(&self, $($o_arg: $o_type),*) -> Result<$o_result> {
                let call = self.inner.$operation($($o_arg),*);
                self.layer.operation(stringify!($operation), call).await
            })+
        }

        #[async_trait]
        impl<L: Layer> Inspect for Layered<L> {
            fn wake_ups(&self) -> WakeUps {
                self.inner.wake_ups()
            }

            $(async fn $look(&self, $($l_arg: $l_type),*) -> Result<$l_result> {
                self.layer.look(stringify!($look), self.inner.$look($($l_arg),*)).await
            })+
        }
    };
}

layered! {
    operations {
        ensure_workspace(name: &str) -> WorkspaceId;
        save_script(params: SaveScript) -> SavedScript;
        activate_script(params: ActivateScript) -> Workflow;
        control_workflow(params: ControlWorkflow) -> Workflow;
        start_session(params: StartSession) -> SessionId;
        enqueue_due(limit: u32) -> usize;
        claim_runs(params: ClaimRuns) -> Vec<ClaimedRun>;
        heartbeat(params: Heartbeat) -> LeaseRenewal;
        set_limit(params: SetLimit) -> ();
        deregister_worker(worker: WorkerId) -> Vec<RecoveredRun>;
        route_workflow(params: RouteWorkflow) -> Workflow;
        recover_runs(params: RecoverRuns) -> Vec<RecoveredRun>;
        checkpoint_prepare(params: CheckpointPrepare) -> ();
        begin_mutation(params: BeginMutation) -> BegunMutation;
        apply_mutation(params: ApplyMutation) -> ();
        fail_mutation(params: FailMutation) -> ();
        doubt_mutation(params: DoubtMutation) -> ();
        commit_producer(params: CommitProducer) -> Committed;
        commit_consumer(params: CommitConsumer) -> Committed;
        stop_run(params: StopRun) -> ();
        resolve_mutation(params: ResolveMutation) -> Mutation;
        capture_mutation(params: CaptureMutation) -> ();
        claim_lookups(params: ClaimLookups) -> Vec<DueLookup>;
        settle_lookup(params: SettleLookup) -> MutationStatus;
        settle_event(params: SettleEvent) -> Event;
        begin_pruning(every: Duration) -> bool;
        prune(params: Prune) -> Pruned;
        add_message(params: ScriptMessage) -> ();
    }
    looks {
        now() -> Timestamp;
        agenda(filter: &ClaimFilter) -> Agenda;
        workers(workspace: Option<WorkspaceId>) -> Vec<Worker>;
        workspaces() -> Vec<Workspace>;
        limits(workspace: WorkspaceId) -> Vec<Limit>;
        workflows(workspace: WorkspaceId) -> Vec<Workflow>;
        find_workflow(workspace: WorkspaceId, name_or_id: &str) -> Workflow;
        overview(workspace: WorkspaceId, workflow: WorkflowId) -> WorkflowOverview;
        script(workspace: WorkspaceId, script: ScriptId) -> ScriptVersion;
        scripts(workspace: WorkspaceId, workflow: WorkflowId) -> Vec<ScriptVersion>;
        handlers(workspace: WorkspaceId, workflow: WorkflowId) -> Vec<HandlerState>;
        events(filter: EventFilter) -> Vec<Event>;
        event(workspace: WorkspaceId, event: EventId) -> Event;
        find_input(key: InputKey) -> Option<InputId>;
        inputs(workspace: WorkspaceId, workflow: WorkflowId) -> Vec<Input>;
        input(workspace: WorkspaceId, input: InputId) -> Input;
        mutations(workspace: WorkspaceId, workflow: WorkflowId) -> Vec<Mutation>;
        mutation(workspace: WorkspaceId, mutation: MutationId) -> Mutation;
        runs(filter: RunFilter) -> Vec<Run>;
        run(workspace: WorkspaceId, run: RunId) -> Run;
        session(workspace: WorkspaceId, session: SessionId) -> Session;
        logs(filter: LogFilter) -> Vec<LogEntry>;
        notifications(workspace: WorkspaceId) -> Vec<Notification>;
        has_message(workspace: WorkspaceId, mutation: MutationId) -> bool;
        journal(workspace: WorkspaceId, workflow: WorkflowId) -> Vec<JournalEntry>;
        journal_for(workspace: WorkspaceId, workflow: WorkflowId, subject: &str) -> Vec<JournalEntry>;
        prunable(params: Prune) -> Pruned;
        resolve_id(workspace: WorkspaceId, prefix: &str) -> AnyId;
    }
}

impl Wrote for () {}
impl Wrote for BegunMutation {}
impl Wrote for Committed {}
impl Wrote for Event {}
impl Wrote for Mutation {}
impl Wrote for MutationStatus {}
impl Wrote for SavedScript {}
impl Wrote for SessionId {}
impl Wrote for LeaseRenewal {}
impl Wrote for Workflow {}
impl Wrote for WorkspaceId {}
