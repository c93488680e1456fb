//! A copy of a workflow in a store in memory.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use windlass_core::{
    Clock as _, EventStatus, HandlerKind, Id as _, Policy, SystemClock, WorkerId, WorkflowId,
};
use windlass_store::{
    Bump, CheckpointPrepare, ClaimRuns, ClaimScope, ClaimedRun, CommitConsumer, CommitProducer,
    Event, EventFilter, NewEvent, NewInput, Page, SaveScript, ScriptVersion, SharedStore,
    StartSession,
};

use crate::service::error::Result;
use crate::service::handle::Service;

/// How many waiting events are copied, the oldest first.
const MAX_EVENTS: u32 = 1_000;

/// The copy lives in this process alone.
const IN_MEMORY: &str = "sqlite::memory:";

/// The name of the copy's only workspace.
const WORKSPACE: &str = "copy";

/// A copy of a workflow in a store of its own.
#[derive(Debug)]
pub struct WorkflowCopy {
    pub(super) service: Service,
    /// The real workflow.
    pub(super) original: WorkflowId,
    /// Its copy.
    pub(super) workflow: WorkflowId,
    pub(super) name: String,
    worker: WorkerId,
}

impl WorkflowCopy {
    /// The copy's store, for the engine that runs it.
    #[must_use]
    pub const fn store(&self) -> &SharedStore {
        &self.service.store
    }

    pub(super) async fn make(
        from: &Service,
        script: &ScriptVersion,
        name: &str,
        policy: Policy,
    ) -> Result<Self> {
        let options = windlass_store::Options { policy, ..windlass_store::Options::default() };
        let store = windlass_store::open(IN_MEMORY, options).await?;
        let workspace = store.ensure_workspace(WORKSPACE).await?;
        let service = Service { store, workspace, actor: from.actor.clone() };
        let params = SaveScript {
            workspace,
            name: name.to_owned(),
            file_name: script.file_name.clone(),
            source: script.source.clone(),
            manifest: script.manifest.clone(),
            grant: script.grant.clone(),
            comment: script.comment.clone(),
            bump: Bump::Major,
            actor: from.actor.clone(),
        };
        let saved = service.store.save_script(params).await?.script;
        service.activate_script(saved.workflow_id, saved.id).await?;
        // Every producer is due, whatever its schedule says.
        let (workflow, actor) = (saved.workflow_id, from.actor.clone());
        service.store.start_session(StartSession { workspace, workflow, actor }).await?;
        let copy = Self {
            service,
            original: script.workflow_id,
            workflow: saved.workflow_id,
            name: name.to_owned(),
            worker: WorkerId::mint(SystemClock.now()),
        };
        copy.fill(Original::read(from, script).await?).await?;
        Ok(copy)
    }

    /// Commits one run of each handler with the state that the real handler returned last. The last of them publishes the events, so
    /// that their subscribers have work when the session begins.
    async fn fill(&self, mut original: Original) -> Result<()> {
        while !original.states.is_empty() {
            let Some(run) = self.claim().await? else { return Ok(()) };
            let state = original.states.remove(&(run.state.kind, run.handler.clone())).flatten();
            let is_last = original.states.is_empty();
            let events = if is_last { std::mem::take(&mut original.events) } else { Vec::new() };
            if run.state.kind == HandlerKind::Producer {
                let params = CommitProducer {
                    claim: run.claim,
                    state,
                    inputs: std::mem::take(&mut original.inputs),
                    events,
                    logs: Vec::new(),
                    follow_up: None,
                };
                self.service.store.commit_producer(params).await?;
            } else {
                self.commit_consumer(&run, state, events).await?;
            }
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<ClaimedRun>> {
        let Service { store, workspace, .. } = &self.service;
        store.enqueue_due(1).await?;
        let params = ClaimRuns {
            worker: self.worker,
            limit: 1,
            lease: Duration::from_secs(60),
            scope: ClaimScope::Workflow(*workspace, self.workflow),
        };
        Ok(store.claim_runs(params).await?.pop())
    }

    async fn commit_consumer(
        &self,
        run: &ClaimedRun,
        state: Option<Value>,
        events: Vec<NewEvent>,
    ) -> Result<()> {
        let prepared = CheckpointPrepare {
            claim: run.claim,
            result: Value::Null,
            reservations: Vec::new(),
            wake_at: None,
            logs: Vec::new(),
        };
        self.service.store.checkpoint_prepare(prepared).await?;
        let params =
            CommitConsumer { claim: run.claim, state, events, logs: Vec::new(), follow_up: None };
        self.service.store.commit_consumer(params).await?;
        Ok(())
    }
}

/// What the copy is given of the real workflow.
struct Original {
    states: HashMap<(HandlerKind, String), Option<Value>>,
    inputs: Vec<NewInput>,
    events: Vec<NewEvent>,
}

impl Original {
    async fn read(from: &Service, script: &ScriptVersion) -> Result<Self> {
        let workflow = script.workflow_id;
        let mut states: HashMap<_, _> = HashMap::new();
        let manifest = &script.manifest;
        let producers = manifest.producers.keys().map(|name| (HandlerKind::Producer, name.clone()));
        let consumers = manifest.consumers.keys().map(|name| (HandlerKind::Consumer, name.clone()));
        states.extend(producers.chain(consumers).map(|handler| (handler, None)));
        for handler in from.store.handlers(from.workspace, workflow).await? {
            if let Some(state) = states.get_mut(&(handler.kind, handler.name)) {
                *state = handler.state;
            }
        }
        let filter = EventFilter {
            workspace: from.workspace,
            workflow,
            topic: None,
            status: Some(EventStatus::Pending),
            message_ids: None,
            page: Page::first(MAX_EVENTS),
        };
        let pending = from.store.all_events(filter).await?;
        let is_declared = |event: &Event| manifest.topics.contains(&event.topic);
        let events = pending.into_iter().filter(is_declared).map(new_event).collect();
        let inputs = from.store.all_inputs(from.workspace, workflow).await?;
        let inputs = inputs.into_iter().map(|input| NewInput {
            id: input.id,
            source: input.source,
            input_type: input.input_type,
            external_id: input.external_id,
            title: input.title,
        });
        Ok(Self { states, inputs: inputs.collect(), events })
    }
}

fn new_event(event: Event) -> NewEvent {
    NewEvent {
        topics: vec![event.topic],
        message_id: event.message_id,
        payload: event.payload,
        caused_by: Vec::new(),
    }
}
