//! Dying on purpose, in debug builds only: how the crash tests kill this process at every boundary.
//!
//! Every operation of the store and every call of a tool is wrapped between two named points. With `WINDLASS_FAULT_TRACE` a
//! process writes the names of the points it passes to that file; with `WINDLASS_FAULT_KILL=n` it kills itself, as `kill -9`
//! would, at the nth point. A test runs once with the trace and then once for each line of it, so that a boundary which is
//! added later is covered without anyone thinking of it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::{
    EventId, InputId, MutationId, MutationStatus, RunId, ScriptId, SessionId, Timestamp,
    WorkflowId, WorkspaceId,
};
use windlass_scheduler::{
    Effect, Lookup, Reconciliation, Subject, Tool, ToolCall, ToolError, ToolSpec,
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

/// What this process does at the points it passes.
#[derive(Debug)]
pub(crate) struct Faults {
    trace: Option<Mutex<File>>,
    kill_at: Option<u64>,
    passed: Mutex<u64>,
}

impl Faults {
    /// What the environment asks for; nothing in a release build.
    ///
    /// # Errors
    /// Where the trace cannot be opened.
    #[expect(
        clippy::disallowed_methods,
        reason = "the crash tests speak to this process through its environment"
    )]
    pub(crate) fn from_environment() -> std::io::Result<Option<Arc<Self>>> {
        if !cfg!(debug_assertions) {
            return Ok(None);
        }
        let trace = std::env::var("WINDLASS_FAULT_TRACE").ok();
        let kill_at =
            std::env::var("WINDLASS_FAULT_KILL").ok().and_then(|point| point.parse().ok());
        if trace.is_none() && kill_at.is_none() {
            return Ok(None);
        }
        let open = |path| OpenOptions::new().create(true).append(true).open(path).map(Mutex::new);
        let trace = trace.map(open).transpose()?;
        Ok(Some(Arc::new(Self { trace, kill_at, passed: Mutex::new(0) })))
    }

    /// Wraps every operation of a store.
    pub(crate) fn store(self: &Arc<Self>, inner: SharedStore) -> SharedStore {
        Arc::new(FaultyStore { inner, faults: Arc::clone(self) })
    }

    /// Wraps every call of a tool.
    pub(crate) fn tool(self: &Arc<Self>, inner: Arc<dyn Tool>) -> Arc<dyn Tool> {
        Arc::new(FaultyTool { inner, faults: Arc::clone(self) })
    }

    fn point(&self, name: &str, side: &str) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        *passed += 1;
        if let Some(trace) = &self.trace {
            let mut trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = writeln!(trace, "{name}.{side}") {
                tracing::error!(%error, "could not write the trace of fault points");
            }
        }
        if self.kill_at == Some(*passed) {
            let me = rustix::process::getpid();
            if let Err(error) = rustix::process::kill_process(me, rustix::process::Signal::KILL) {
                tracing::error!(%error, "could not kill this process");
            }
        }
    }
}

#[derive(Debug)]
struct FaultyStore {
    inner: SharedStore,
    faults: Arc<Faults>,
}

/// Operations between two points, and looks straight through.
macro_rules! wrapped {
    (
        operations { $($operation:ident($($o_arg:ident: $o_type:ty),*) -> $o_result:ty;)+ }
        looks { $($look:ident($($l_arg:ident: $l_type:ty),*) -> $l_result:ty;)+ }
    ) => {
        #[async_trait]
        impl Store for FaultyStore {
            $(async fn $operation(&self, $($o_arg: $o_type),*) -> Result<$o_result> {
                self.faults.point(stringify!($operation), "before");
                let result = self.inner.$operation($($o_arg),*).await;
                self.faults.point(stringify!($operation), "after");
                result
            })+
        }

        #[async_trait]
        impl Inspect for FaultyStore {
            fn wake_ups(&self) -> WakeUps {
                self.inner.wake_ups()
            }

            $(async fn $look(&self, $($l_arg: $l_type),*) -> Result<$l_result> {
                self.inner.$look($($l_arg),*).await
            })+
        }
    };
}

wrapped! {
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

#[derive(Debug)]
struct FaultyTool {
    inner: Arc<dyn Tool>,
    faults: Arc<Faults>,
}

impl FaultyTool {
    fn point(&self, side: &str) {
        let ToolSpec { namespace, method, .. } = self.inner.spec();
        self.faults.point(&format!("{namespace}.{method}"), side);
    }
}

#[async_trait]
impl Tool for FaultyTool {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }

    fn effect(&self, input: &Value) -> Effect {
        self.inner.effect(input)
    }

    async fn call(&self, call: ToolCall) -> std::result::Result<Value, ToolError> {
        self.point("before");
        let answer = self.inner.call(call).await;
        self.point("after");
        answer
    }

    fn subject(&self, input: &Value) -> Subject {
        self.inner.subject(input)
    }

    fn lookup(&self, input: &Value) -> Option<Lookup> {
        self.inner.lookup(input)
    }

    async fn reconcile(&self, call: ToolCall) -> Reconciliation {
        self.point("reconcile.before");
        let found = self.inner.reconcile(call).await;
        self.point("reconcile.after");
        found
    }
}
