//! A store whose every operation goes through two gates.

use std::time::Duration;

use async_trait::async_trait;
use windlass_core::{
    EventId, InputId, MutationId, MutationStatus, RunId, ScriptId, SessionId, Timestamp,
    WorkflowId, WorkspaceId,
};
use windlass_store::{
    ActivateScript, AnyId, ApplyMutation, BeginMutation, BegunMutation, CaptureMutation,
    CheckpointPrepare, ClaimLookups, ClaimRuns, ClaimedRun, CommitConsumer, CommitProducer,
    Committed, ControlWorkflow, DoubtMutation, DueLookup, Event, EventFilter, FailMutation,
    HandlerState, Input, Inspect, JournalEntry, LogEntry, LogFilter, Mutation, Notification,
    RecoverRuns, RecoveredRun, RenewLeases, ResolveMutation, Result, Run, RunFilter, SaveScript,
    SavedScript, ScriptMessage, ScriptVersion, Session, SettleEvent, SettleLookup, SharedStore,
    StartSession, StopRun, Store, WakeUps, Workflow, WorkflowOverview, Workspace,
};

use crate::gate::{Gate, Point, Wrote};

/// The store as one worker sees it.
#[derive(Debug)]
pub(crate) struct GatedStore {
    pub(crate) inner: SharedStore,
    pub(crate) gate: Gate,
}

/// Operations between two gates, and looks straight through.
macro_rules! gated {
    (
        operations { $($operation:ident($($o_arg:ident: $o_type:ty),*) -> $o_result:ty;)+ }
        looks { $($look:ident($($l_arg:ident: $l_type:ty),*) -> $l_result:ty;)+ }
    ) => {
        #[async_trait]
        impl Store for GatedStore {
            $(async fn $operation(&self, $($o_arg: $o_type),*) -> Result<$o_result> {
                self.gate.pass(Point::Before(stringify!($operation))).await;
                let result = {
                    let _busy = self.gate.busy();
                    self.inner.$operation($($o_arg),*).await
                };
                if self.gate.ended(stringify!($operation), &result) {
                    self.gate.pass(Point::After(stringify!($operation))).await;
                }
                result
            })+
        }

        #[async_trait]
        impl Inspect for GatedStore {
            fn wake_ups(&self) -> WakeUps {
                self.inner.wake_ups()
            }

            $(async fn $look(&self, $($l_arg: $l_type),*) -> Result<$l_result> {
                let _busy = self.gate.busy();
                self.inner.$look($($l_arg),*).await
            })+
        }
    };
}

gated! {
    operations {
        ensure_workspace(name: &str) -> WorkspaceId;
        save_script(params: SaveScript) -> SavedScript;
        activate_script(params: ActivateScript) -> Workflow;
        control_workflow(params: ControlWorkflow) -> Workflow;
        start_session(params: StartSession) -> SessionId;
        enqueue_due(limit: u32) -> usize;
        claim_runs(params: ClaimRuns) -> Vec<ClaimedRun>;
        renew_leases(params: RenewLeases) -> Vec<RunId>;
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
        add_message(params: ScriptMessage) -> ();
    }
    looks {
        now() -> Timestamp;
        next_due() -> Option<Duration>;
        workspaces() -> Vec<Workspace>;
        workflows(workspace: WorkspaceId) -> Vec<Workflow>;
        find_workflow(workspace: WorkspaceId, name_or_id: &str) -> Workflow;
        overview(workflow: WorkflowId) -> WorkflowOverview;
        script(script: ScriptId) -> ScriptVersion;
        scripts(workflow: WorkflowId) -> Vec<ScriptVersion>;
        handlers(workflow: WorkflowId) -> Vec<HandlerState>;
        events(filter: EventFilter) -> Vec<Event>;
        event(event: EventId) -> Event;
        find_input(workflow: WorkflowId, source: &str, input_type: &str, external_id: &str) -> Option<InputId>;
        inputs(workflow: WorkflowId) -> Vec<Input>;
        input(input: InputId) -> Input;
        mutations(workflow: WorkflowId) -> Vec<Mutation>;
        mutation(mutation: MutationId) -> Mutation;
        runs(filter: RunFilter) -> Vec<Run>;
        run(run: RunId) -> Run;
        session(session: SessionId) -> Session;
        logs(filter: LogFilter) -> Vec<LogEntry>;
        notifications(workspace: WorkspaceId) -> Vec<Notification>;
        has_message(mutation: MutationId) -> bool;
        journal(workflow: WorkflowId) -> Vec<JournalEntry>;
        story(workflow: WorkflowId, subject: &str) -> Vec<JournalEntry>;
        resolve_id(workspace: WorkspaceId, prefix: &str) -> AnyId;
    }
}

impl<T> Wrote for Vec<T> {
    fn wrote(&self) -> bool {
        !self.is_empty()
    }
}

impl Wrote for usize {
    fn wrote(&self) -> bool {
        *self > 0
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
impl Wrote for Workflow {}
impl Wrote for WorkspaceId {}
