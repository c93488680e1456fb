//! The host of one phase of a run: it reads through tools, reads topics from the store, and buffers everything else.

mod topics_input;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use windlass_core::{
    EventId, EventStatus, Failure, Grant, Id, InputId, Manifest, Operation, ScriptLimits,
    ScriptPhase,
};
use windlass_sandbox::{AcceptedCall, Host, HostCall, Reply};
use windlass_store::{ClaimedRun, EventFilter, NewEvent, NewInput, Page, SharedStore, StoreError};

use self::topics_input::{GetByIds, Peek, Publish, RegisterInput, parse};
use crate::inputs::{check_id, check_kind_in_workflow};
use crate::registry::{Registry, TopicsFunction};
use crate::store_failure::store_failure;
use crate::tool_request::{ResolvedCall, ToolRequest};

/// What the script has done in a phase. It takes effect with the next transaction of its run, or never.
#[derive(Debug, Default)]
pub(crate) struct Buffered {
    /// Registered inputs.
    pub(crate) inputs: Vec<NewInput>,
    /// Published events, in order.
    pub(crate) events: Vec<NewEvent>,
    /// The bytes of their payloads, counted once for each topic.
    pub(crate) published_bytes: u64,
    /// The events that the script was given: a failure may be about them.
    pub(crate) seen: Vec<EventId>,
    /// The mutation that the script called last. If the phase permits mutations, it has ended the script.
    pub(crate) mutation: Option<ToolRequest>,
}

/// Answers the host calls of one phase of one run. Clones share what is buffered.
#[derive(Clone)]
pub(crate) struct RunHost {
    pub(crate) store: SharedStore,
    pub(crate) registry: Arc<Registry>,
    pub(crate) run: Arc<ClaimedRun>,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) grant: Arc<Grant>,
    pub(crate) phase: ScriptPhase,
    pub(crate) limits: ScriptLimits,
    pub(crate) buffered: Arc<Mutex<Buffered>>,
}

impl Host for RunHost {
    fn accept(&self, call: HostCall) -> Result<AcceptedCall, Failure> {
        let call = ResolvedCall::new(&self.registry, &self.grant, call)?;
        let operation = call.operation();
        if let (ResolvedCall::Tool(request), Operation::Mutation) = (&call, operation) {
            self.buffered().mutation = Some(request.clone());
        }
        let host = self.clone();
        Ok(AcceptedCall::new(operation, move || match call {
            ResolvedCall::Tool(request) => host.read(request),
            ResolvedCall::Topics(function, input) => host.topics(function, input),
        }))
    }
}

impl RunHost {
    fn read(&self, request: ToolRequest) -> Reply {
        let time_limit = self.limits.wall_time();
        let call = request.tool_call(&self.run, time_limit);
        Reply::Later(Box::pin(async move {
            let answer = match tokio::time::timeout(time_limit, request.tool.read(call)).await {
                Ok(answer) => answer?,
                Err(_elapsed) => {
                    let name = request.callable.name();
                    let message = format!("`{name}` did not answer within {time_limit:?}");
                    return Err(Failure::network(message));
                }
            };
            request.callable.check_output(&answer)?;
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
        let only = self.run.trial.as_ref().map(|trial| trial.visible(&topic, None));
        self.events(EventFilter {
            workspace: self.run.claim.workspace,
            workflow: self.run.claim.workflow,
            topic: Some(topic),
            status: Some(EventStatus::Pending),
            message_ids: only,
            page: Page::first(limit),
        })
    }

    fn get_by_ids(&self, input: Value) -> Reply {
        let GetByIds { topic, ids } = match parse(input) {
            Ok(wanted) => wanted,
            Err(failure) => return Reply::Now(Err(failure)),
        };
        let limit = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        let ids = match &self.run.trial {
            Some(trial) => trial.visible(&topic, Some(ids)),
            None => ids,
        };
        self.events(EventFilter {
            workspace: self.run.claim.workspace,
            workflow: self.run.claim.workflow,
            topic: Some(topic),
            status: None,
            message_ids: Some(ids),
            page: Page::first(limit),
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
        let (store, buffered) = (Arc::clone(&self.store), Arc::clone(&self.buffered));
        Reply::Later(Box::pin(async move {
            let listed = store.events(filter).await.map_err(|error| read_failure(&error))?;
            lock(&buffered).seen.extend(listed.items.iter().map(|event| event.id));
            let seen = listed.items.into_iter().map(|event| {
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
        if let Err(failure) = self.count_published(&event) {
            return Reply::Now(Err(failure));
        }
        let mut buffered = self.buffered();
        let is_known = |input: &InputId| buffered.inputs.iter().any(|known| known.id == *input);
        if event.caused_by.iter().all(is_known) {
            buffered.events.push(event);
            return Reply::Now(Ok(Value::Null));
        }
        drop(buffered);
        self.publish_for_earlier_input(event)
    }

    /// Refuses to publish more than one call may publish: the store keeps a copy for each topic.
    fn count_published(&self, event: &NewEvent) -> Result<(), Failure> {
        let topics = u64::try_from(event.topics.len()).unwrap_or(u64::MAX);
        let bytes = json_bytes(&event.payload).saturating_mul(topics);
        let max = self.limits.published_bytes;
        let mut buffered = self.buffered();
        buffered.published_bytes = buffered.published_bytes.saturating_add(bytes);
        if buffered.published_bytes > max {
            return Err(Failure::logic(format!(
                "the script publishes too much in one call: the limit is `limits.script.published_bytes` = {max}, \
                 and an event counts once for each of its topics"
            )));
        }
        Ok(())
    }

    /// Publishes an event for an input that this run has not registered. The workflow must have it already.
    fn publish_for_earlier_input(&self, event: NewEvent) -> Reply {
        let (store, buffered) = (Arc::clone(&self.store), Arc::clone(&self.buffered));
        let (workspace, workflow) = (self.run.claim.workspace, self.run.claim.workflow);
        Reply::Later(Box::pin(async move {
            for input in &event.caused_by {
                let known = match store.input(workspace, *input).await {
                    Ok(known) => known.workflow_id == workflow,
                    Err(StoreError::NotFound { .. }) => false,
                    Err(error) => return Err(read_failure(&error)),
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
            let declared = &self.manifest.inputs;
            check_kind_in_workflow(declared, &wanted.source, &wanted.input_type)?;
            check_id("id", &wanted.id).map(|()| wanted)
        }) {
            Ok(wanted) => wanted,
            Err(failure) => return Reply::Now(Err(failure)),
        };
        if let Some(known) =
            lock(&self.buffered).inputs.iter().find(|known| wanted.is_same_as(known))
        {
            return Reply::Now(Ok(json!(known.id)));
        }
        let (store, buffered) = (Arc::clone(&self.store), Arc::clone(&self.buffered));
        let key = wanted.key(&self.run);
        Reply::Later(Box::pin(async move {
            let existing = store.find_input(key).await;
            let now = store.now().await.map_err(|error| read_failure(&error))?;
            let id = existing
                .map_err(|error| read_failure(&error))?
                .unwrap_or_else(|| InputId::mint(now));
            let mut buffered = lock(&buffered);
            // Another call may have registered the same input in the meantime.
            if let Some(known) = buffered.inputs.iter().find(|known| wanted.is_same_as(known)) {
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

    fn buffered(&self) -> MutexGuard<'_, Buffered> {
        lock(&self.buffered)
    }
}

/// How many bytes the JSON of a value has.
fn json_bytes(value: &Value) -> u64 {
    struct Counter(u64);
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

fn read_failure(error: &StoreError) -> Failure {
    store_failure("could not read from the store", error)
}

fn lock(buffered: &Mutex<Buffered>) -> MutexGuard<'_, Buffered> {
    buffered.lock().unwrap_or_else(PoisonError::into_inner)
}
