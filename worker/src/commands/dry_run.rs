//! `run --dry-run`: the real script on real inputs, in a copy of the workflow that nobody sees and that is gone afterwards.
//!
//! The copy is a store in memory. It is given the active version, what every handler returned last and the events that wait, and then
//! an engine runs one session of it that captures mutations instead of making them. So nothing of the real workflow can change: the
//! engine does not have its store.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use windlass_api::service::Service;
use windlass_core::{
    Clock as _, EventStatus, HandlerKind, Id as _, MutationId, MutationStatus, RunId,
    SessionResult, SystemClock, WorkerId, WorkflowId,
};
use windlass_scheduler::Effects;
use windlass_store::{
    ActivateScript, Bump, CheckpointPrepare, ClaimRuns, ClaimScope, ClaimedRun, CommitConsumer,
    CommitProducer, Event, EventFilter, Mutation, NewEvent, NewInput, RunFilter, SaveScript,
    ScriptVersion,
};

use super::engine::Working;
use super::{Context, engine, run};
use crate::exit::{CommandError, Ending, Result};
use crate::output::{Answer, Page};

/// How many waiting events are copied, the oldest first.
const MAX_EVENTS: u32 = 1_000;

/// The copy lives in this process alone.
const IN_MEMORY: &str = "sqlite::memory:";

#[derive(Debug, Serialize)]
struct Rehearsed {
    result: Option<SessionResult>,
    /// Why it did not come to its end.
    error: Option<String>,
    /// What would have gone out.
    would_send: Vec<Captured>,
    difference: Difference,
    #[serde(skip)]
    name: String,
}

#[derive(Debug, Serialize)]
struct Captured {
    id: MutationId,
    tool: String,
    status: MutationStatus,
    title: String,
    target: String,
    params: Value,
}

/// What would go out now, compared with what went out when the workflow ran last.
#[derive(Debug, Default, Serialize)]
struct Difference {
    /// What would go out now and did not then.
    added: Vec<String>,
    /// What went out then and would not now.
    removed: Vec<String>,
    /// How many would be the same.
    same: usize,
}

/// Rehearses one session of a workflow.
pub(crate) async fn run(
    context: &Context,
    service: &Service,
    workflow: WorkflowId,
) -> Result<Ending> {
    let found = service.store.overview(service.workspace, workflow).await?.workflow;
    let Some(script) = found.active_script_id else {
        return Err(CommandError::Refused {
            code: "not_active",
            message: format!("no version of `{}` runs", found.name),
            hint: "activate one first; a dry run takes the active version".to_owned(),
        });
    };
    let script = service.store.script(service.workspace, script).await?;
    let copy = Copy::make(context, service, &script, &found.name).await?;
    let engine = engine::assemble(
        &context.without_faults(),
        &copy.service,
        run::observer(&context.output),
        Working { effects: Effects::Capture, ..Working::of(&context.settings) },
    )
    .await?;
    let session = engine.run_session(copy.service.workspace, copy.workflow, &context.actor).await?;

    let captured = copy.service.store.mutations(copy.service.workspace, copy.workflow).await?;
    let earlier = last_outputs(service, workflow).await?;
    let rehearsed = Rehearsed {
        result: session.result,
        error: session.error,
        difference: compare(&captured, &earlier),
        would_send: captured.into_iter().map(Captured::from).collect(),
        name: found.name,
    };
    let is_complete = rehearsed.result == Some(SessionResult::Completed);
    context.output.answer(&rehearsed)?;
    Ok(if is_complete { Ending::Done } else { Ending::Failed })
}

/// A workflow in a store of its own.
struct Copy {
    service: Service,
    workflow: WorkflowId,
    worker: WorkerId,
}

impl Copy {
    async fn make(
        context: &Context,
        from: &Service,
        script: &ScriptVersion,
        name: &str,
    ) -> Result<Self> {
        let policy = context.settings.policy.clone();
        let options = windlass_store::Options { policy, ..windlass_store::Options::default() };
        let store = windlass_store::open(IN_MEMORY, options).await?;
        let workspace = store.ensure_workspace(context.global.workspace()).await?;
        let service = Service { store, workspace, actor: context.actor.clone() };
        let actor = context.actor.clone();
        let params = SaveScript {
            workspace,
            name: name.to_owned(),
            file_name: script.file_name.clone(),
            source: script.source.clone(),
            manifest: script.manifest.clone(),
            grant: script.grant.clone(),
            comment: script.comment.clone(),
            bump: Bump::Major,
            actor: actor.clone(),
        };
        let saved = service.store.save_script(params).await?.script;
        let params =
            ActivateScript { workspace, workflow: saved.workflow_id, script: saved.id, actor };
        service.store.activate_script(params).await?;
        let worker = WorkerId::mint(SystemClock.now());
        let copy = Self { service, workflow: saved.workflow_id, worker };
        copy.fill(Original::read(from, script).await?).await?;
        Ok(copy)
    }

    /// Lets each handler have run once, with the state that the real one returned last. The last of them leaves the events, so that
    /// whoever subscribes has work when the session begins.
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
                self.rest(&run, state, events).await?;
            }
        }
        Ok(())
    }

    async fn claim(&self) -> Result<Option<ClaimedRun>> {
        self.service.store.enqueue_due(1).await?;
        let lease = Duration::from_secs(60);
        let params = ClaimRuns {
            worker: self.worker,
            limit: 1,
            lease,
            scope: ClaimScope::Workflow(self.service.workspace, self.workflow),
        };
        Ok(self.service.store.claim_runs(params).await?.pop())
    }

    async fn rest(
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

/// What the copy is given.
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
            limit: MAX_EVENTS,
        };
        let pending = from.store.events(filter).await?;
        let is_declared = |event: &Event| manifest.topics.contains(&event.topic);
        let events = pending.into_iter().filter(is_declared).map(new_event).collect();
        let inputs = from.store.inputs(from.workspace, workflow).await?;
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

/// What went out in the last session that had anything to send.
async fn last_outputs(service: &Service, workflow: WorkflowId) -> Result<Vec<Mutation>> {
    let outputs = service.store.mutations(service.workspace, workflow).await?;
    let Some(last) = outputs.last() else { return Ok(Vec::new()) };
    let session = service.store.run(service.workspace, last.handler_run_id).await?.session_id;
    let filter = RunFilter {
        workspace: service.workspace,
        workflow,
        session: Some(session),
        limit: u32::MAX,
    };
    let runs: Vec<RunId> = service.store.runs(filter).await?.iter().map(|run| run.id).collect();
    Ok(outputs.into_iter().filter(|it| runs.contains(&it.handler_run_id)).collect())
}

/// Compares by tool and exact input.
fn compare(now: &[Mutation], then: &[Mutation]) -> Difference {
    let key = |it: &Mutation| {
        (it.tool_namespace.clone(), it.tool_method.clone(), it.params_digest.clone())
    };
    let mut left: BTreeMap<_, Vec<&Mutation>> = BTreeMap::new();
    for mutation in then {
        left.entry(key(mutation)).or_default().push(mutation);
    }
    let mut difference = Difference::default();
    for mutation in now {
        match left.get_mut(&key(mutation)).and_then(Vec::pop) {
            Some(_) => difference.same += 1,
            None => difference.added.push(line(mutation)),
        }
    }
    difference.removed = left.into_values().flatten().map(line).collect();
    difference
}

fn line(mutation: &Mutation) -> String {
    let Mutation { tool_namespace, tool_method, ui_title, target, .. } = mutation;
    format!("{tool_namespace}.{tool_method} on {target}: {ui_title}")
}

impl From<Mutation> for Captured {
    fn from(mutation: Mutation) -> Self {
        Self {
            id: mutation.id,
            tool: format!("{}.{}", mutation.tool_namespace, mutation.tool_method),
            status: mutation.status,
            title: mutation.ui_title,
            target: mutation.target,
            params: mutation.params,
        }
    }
}

impl Answer for Rehearsed {
    fn write(&self, page: &mut Page) {
        // Above stands what was told while it ran.
        page.line("");
        page.line(format_args!(
            "A dry run of `{}`: {} effect(s) would go out, and nothing did.",
            self.name,
            self.would_send.len()
        ));
        if let Some(error) = &self.error {
            page.line(format_args!("It did not come to its end: {error}"));
        }
        for captured in &self.would_send {
            page.heading(format_args!("~ {}", captured.title));
            page.field("tool", &captured.tool);
            page.field("target", &captured.target);
            page.json("request", &captured.params);
        }
        let Difference { added, removed, same } = &self.difference;
        page.heading(format_args!(
            "Compared with what went out last: {same} the same, {} more, {} fewer.",
            added.len(),
            removed.len()
        ));
        for line in added {
            page.line(format_args!("  + {line}"));
        }
        for line in removed {
            page.line(format_args!("  - {line}"));
        }
    }
}

impl Context {
    /// The same, but nothing dies on purpose: the crash tests count the points of the real store.
    fn without_faults(&self) -> Self {
        Self { faults: None, ..self.clone() }
    }
}
