//! The world as one phase of a run sees it: reads through tools, topics through the store, everything else buffered.

mod asked;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Capability, EventStatus, Failure, FailureClass, Grant, Id, InputId, Manifest, Operation,
    ScriptPhase,
};
use windlass_sandbox::{Host, HostCall, Reply};
use windlass_store::{ClaimedRun, EventFilter, NewEvent, NewInput, SharedStore, StoreError};

use self::asked::{GetByIds, Peek, Publish, RegisterInput, parse};
use crate::inputs::{check_id, check_input_kind};
use crate::registry::{Registry, Target, TopicsFunction};
use crate::tool::{Effect, Tool, ToolCall, ToolSpec};

/// What a phase published and registered. It becomes true with the commit of its run, or never.
#[derive(Debug, Default)]
pub(crate) struct Buffered {
    /// Registered inputs.
    pub(crate) inputs: Vec<NewInput>,
    /// Published events, in order.
    pub(crate) events: Vec<NewEvent>,
}

/// Answers the host calls of one phase of one run.
pub(crate) struct RunHost {
    pub(crate) store: SharedStore,
    pub(crate) registry: Arc<Registry>,
    pub(crate) run: ClaimedRun,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) grant: Arc<Grant>,
    pub(crate) phase: ScriptPhase,
    pub(crate) time_limit: Duration,
    pub(crate) buffered: Arc<Mutex<Buffered>>,
}

impl Host for RunHost {
    fn operation(&self, call: &HostCall) -> Result<Operation, Failure> {
        let (target, input) = self.validated(call)?;
        Ok(match target {
            Target::Topics(function) => function.operation(),
            Target::Tool(tool) => match tool.effect(&input) {
                Effect::Read => Operation::Read,
                Effect::Mutation => Operation::Mutation,
            },
        })
    }

    fn call(&self, call: HostCall) -> Reply {
        match self.validated(&call) {
            Ok((Target::Tool(tool), input)) => self.read(tool, input),
            Ok((Target::Topics(function), input)) => self.topics(function, input),
            Err(failure) => Reply::Now(Err(failure)),
        }
    }
}

impl RunHost {
    fn validated(&self, call: &HostCall) -> Result<(Target, Value), Failure> {
        let callable = self.registry.find(&call.namespace, &call.method).ok_or_else(|| {
            Failure::logic(format!("there is no tool `{}.{}`", call.namespace, call.method))
        })?;
        let mut input = call.input.clone();
        callable.validate_input(&mut input)?;
        if let Target::Tool(tool) = callable.target() {
            check_grant(&self.grant, tool.as_ref(), &input)?;
        }
        Ok((callable.target().clone(), input))
    }

    fn read(&self, tool: Arc<dyn Tool>, input: Value) -> Reply {
        let call = tool_call(&self.run, input, self.time_limit);
        let (registry, time_limit) = (Arc::clone(&self.registry), self.time_limit);
        Reply::Later(Box::pin(async move {
            let name = (tool.spec().namespace.clone(), tool.spec().method.clone());
            let answer = match tokio::time::timeout(time_limit, tool.call(call)).await {
                Ok(answer) => answer.map_err(|error| error.failure)?,
                Err(_elapsed) => {
                    let message =
                        format!("`{}.{}` did not answer within {time_limit:?}", name.0, name.1);
                    return Err(Failure::network(message));
                }
            };
            if let Some(callable) = registry.find(&name.0, &name.1) {
                callable.check_output(&answer)?;
            }
            Ok(answer)
        }))
    }

    fn topics(&self, function: TopicsFunction, input: Value) -> Reply {
        match function {
            TopicsFunction::Peek => self.peek(input),
            TopicsFunction::GetByIds => self.get_by_ids(input),
            TopicsFunction::Publish => self.publish(input),
            TopicsFunction::RegisterInput => self.register_input(input),
        }
    }

    fn peek(&self, input: Value) -> Reply {
        let Peek { topic, limit } = match parse(input) {
            Ok(peek) => peek,
            Err(failure) => return Reply::Now(Err(failure)),
        };
        self.events(EventFilter {
            workspace: self.run.claim.workspace,
            workflow: self.run.claim.workflow,
            topic: Some(topic),
            status: Some(EventStatus::Pending),
            message_ids: None,
            limit,
        })
    }

    fn get_by_ids(&self, input: Value) -> Reply {
        let GetByIds { topic, ids } = match parse(input) {
            Ok(wanted) => wanted,
            Err(failure) => return Reply::Now(Err(failure)),
        };
        let limit = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        self.events(EventFilter {
            workspace: self.run.claim.workspace,
            workflow: self.run.claim.workflow,
            topic: Some(topic),
            status: None,
            message_ids: Some(ids),
            limit,
        })
    }

    fn events(&self, filter: EventFilter) -> Reply {
        let topic = filter.topic.as_deref().unwrap_or_default();
        let subscribes = self
            .manifest
            .consumers
            .get(&self.run.handler)
            .is_some_and(|consumer| consumer.subscribe.contains(topic));
        if !subscribes {
            let message =
                format!("consumer `{}` does not subscribe to topic `{topic}`", self.run.handler);
            return Reply::Now(Err(Failure::logic(format!("{message}: add it to `subscribe`"))));
        }
        let store = Arc::clone(&self.store);
        Reply::Later(Box::pin(async move {
            let events = store.events(filter).await.map_err(|error| store_failure(&error))?;
            let seen = events.into_iter().map(|event| {
                json!({
                    "messageId": event.message_id,
                    "title": "",
                    "payload": event.payload,
                    "status": event.status,
                    "createdAt": event.created_at,
                })
            });
            Ok(seen.collect())
        }))
    }

    fn publish(&self, input: Value) -> Reply {
        let publish = match parse::<Publish>(input).and_then(|publish| self.may_publish(publish)) {
            Ok(publish) => publish,
            Err(failure) => return Reply::Now(Err(failure)),
        };
        let event = NewEvent {
            topics: publish.topic.into_vec(),
            message_id: publish.event.message_id,
            payload: publish.event.payload,
            caused_by: publish.event.input_id.into_iter().collect(),
        };
        let mut buffered = self.buffered();
        let is_known = |input: &InputId| buffered.inputs.iter().any(|known| known.id == *input);
        if event.caused_by.iter().all(is_known) {
            buffered.events.push(event);
            return Reply::Now(Ok(Value::Null));
        }
        drop(buffered);
        self.publish_for_earlier_input(event)
    }

    /// Publishes for an input that this run has not registered: it has to be one of the workflow's.
    fn publish_for_earlier_input(&self, event: NewEvent) -> Reply {
        let (store, buffered) = (Arc::clone(&self.store), Arc::clone(&self.buffered));
        let (workspace, workflow) = (self.run.claim.workspace, self.run.claim.workflow);
        Reply::Later(Box::pin(async move {
            for input in &event.caused_by {
                let known = match store.input(workspace, *input).await {
                    Ok(known) => known.workflow_id == workflow,
                    Err(StoreError::NotFound { .. }) => false,
                    Err(error) => return Err(store_failure(&error)),
                };
                if !known {
                    let hint = "pass the `inputId` that `Topics.registerInput` returned";
                    return Err(Failure::logic(format!(
                        "there is no input `{input}` in this workflow: {hint}"
                    )));
                }
            }
            lock(&buffered).events.push(event);
            Ok(Value::Null)
        }))
    }

    fn may_publish(&self, publish: Publish) -> Result<Publish, Failure> {
        check_id("messageId", &publish.event.message_id)?;
        let (kind, declared) = if self.phase == ScriptPhase::Producer {
            (
                "producer",
                self.manifest.producers.get(&self.run.handler).map(|producer| &producer.publishes),
            )
        } else {
            (
                "consumer",
                self.manifest.consumers.get(&self.run.handler).map(|consumer| &consumer.publishes),
            )
        };
        let undeclared = publish
            .topic
            .as_slice()
            .iter()
            .find(|topic| !declared.is_some_and(|declared| declared.contains(*topic)));
        if let Some(topic) = undeclared {
            let message = format!(
                "{kind} `{}` does not declare that it publishes to `{topic}`",
                self.run.handler
            );
            return Err(Failure::logic(format!("{message}: add it to `publishes`")));
        }
        match (self.phase, publish.event.input_id) {
            (ScriptPhase::Producer, None) => Err(Failure::logic(
                "a producer says which input caused an event: pass the `inputId` that `Topics.registerInput` returned",
            )),
            (ScriptPhase::Producer, Some(_)) | (_, None) => Ok(publish),
            (_, Some(_)) => Err(Failure::logic(
                "`next` may not pass an `inputId`: its events inherit the inputs of the events that the run reserved",
            )),
        }
    }

    fn register_input(&self, input: Value) -> Reply {
        let wanted = match parse::<RegisterInput>(input).and_then(|wanted| {
            check_input_kind(&wanted.source, &wanted.input_type)?;
            check_id("id", &wanted.id).map(|()| wanted)
        }) {
            Ok(wanted) => wanted,
            Err(failure) => return Reply::Now(Err(failure)),
        };
        if let Some(known) = lock(&self.buffered).inputs.iter().find(|known| wanted.names(known)) {
            return Reply::Now(Ok(json!(known.id)));
        }
        let (store, buffered) = (Arc::clone(&self.store), Arc::clone(&self.buffered));
        let key = wanted.key(&self.run);
        Reply::Later(Box::pin(async move {
            let existing = store.find_input(key).await;
            let now = store.now().await.map_err(|error| store_failure(&error))?;
            let id = existing
                .map_err(|error| store_failure(&error))?
                .unwrap_or_else(|| InputId::mint(now));
            let mut buffered = lock(&buffered);
            // The same input may have been registered while this call was looking it up.
            if let Some(known) = buffered.inputs.iter().find(|known| wanted.names(known)) {
                return Ok(json!(known.id));
            }
            buffered.inputs.push(NewInput {
                id,
                source: wanted.source,
                input_type: wanted.input_type,
                external_id: wanted.id,
                title: wanted.title,
            });
            Ok(json!(id))
        }))
    }

    fn buffered(&self) -> std::sync::MutexGuard<'_, Buffered> {
        lock(&self.buffered)
    }
}

/// Refuses what the person who deployed the script did not allow.
pub(crate) fn check_grant(grant: &Grant, tool: &dyn Tool, input: &Value) -> Result<(), Failure> {
    let called = called(tool, input);
    if grant.allows(&called) {
        return Ok(());
    }
    let ToolSpec { namespace, method, .. } = tool.spec();
    let place = called.scope().map(|scope| format!(" on `{scope}`")).unwrap_or_default();
    Err(Failure::new(
        FailureClass::Permission,
        format!(
            "the script may not call `{namespace}.{method}`{place}: whoever deployed it did not allow that, and can with \
             `windlass deploy --allow {namespace}.{method}`"
        ),
    ))
}

/// What a call with this input needs to be allowed.
pub(crate) fn called(tool: &dyn Tool, input: &Value) -> Capability {
    let ToolSpec { namespace, method, .. } = tool.spec();
    Capability::tool(&**namespace, &**method).on(tool.subject(input).scope)
}

/// A call of a tool on behalf of a run.
pub(crate) fn tool_call(run: &ClaimedRun, input: Value, time_limit: Duration) -> ToolCall {
    ToolCall {
        input,
        workspace: run.claim.workspace,
        workflow: run.claim.workflow,
        workflow_name: run.workflow_name.clone(),
        run: run.claim.run,
        mutation: None,
        time_limit,
    }
}

/// A store that fails a read is our fault, or for the moment nobody's.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let class = if error.is_transient() { FailureClass::Network } else { FailureClass::Internal };
    Failure::new(class, format!("could not read from the store: {error}"))
}

fn lock(buffered: &Mutex<Buffered>) -> std::sync::MutexGuard<'_, Buffered> {
    buffered.lock().unwrap_or_else(PoisonError::into_inner)
}
