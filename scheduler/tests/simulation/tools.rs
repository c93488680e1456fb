//! The tools of one worker: services of every nature, and a shop that says what there is to do.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::{Failure, Id, LookupResult, MutationId, Timestamp};
use windlass_scheduler::{Effect, Registry, Subject, Tool, ToolCall, ToolError, ToolSpec};

use crate::gate::{Gate, Point};
use crate::outside::{Nature, Outside, Request};
use crate::shop::Shop;

/// Everything that this worker's scripts may call.
pub(crate) fn registry(gate: &Gate, outside: &Arc<Outside>, shop: &Arc<Shop>) -> Registry {
    let service = |nature| {
        Arc::new(Service {
            nature,
            spec: service_spec(nature),
            gate: gate.clone(),
            outside: Arc::clone(outside),
        }) as Arc<dyn Tool>
    };
    let list = List { spec: list_spec(), shop: Arc::clone(shop), outside: Arc::clone(outside) };
    let mut tools: Vec<Arc<dyn Tool>> = Nature::ALL.into_iter().map(service).collect();
    tools.push(Arc::new(list));
    Registry::new(tools).unwrap()
}

fn service_spec(nature: Nature) -> ToolSpec {
    let (namespace, method) = nature.name();
    ToolSpec {
        namespace: namespace.to_owned(),
        method: method.to_owned(),
        docs: "Does what the messages say.".to_owned(),
        input: json!({
            "type": "object",
            "properties": { "messages": { "type": "array", "items": { "type": "string" } } },
            "required": ["messages"],
            "additionalProperties": false,
        }),
        output: json!({
            "type": "object",
            "properties": { "number": { "type": "integer" } },
            "required": ["number"],
        }),
        input_types: Vec::new(),
    }
}

fn list_spec() -> ToolSpec {
    ToolSpec {
        namespace: "Shop".to_owned(),
        method: "list".to_owned(),
        docs: "Lists what has come in so far, from the `from`th on.".to_owned(),
        input: json!({
            "type": "object",
            "properties": { "from": { "type": "integer" } },
            "required": ["from"],
            "additionalProperties": false,
        }),
        output: json!({ "type": "array" }),
        input_types: vec![("Http", "page")],
    }
}

/// The messages that an input is about.
pub(crate) fn messages_of(input: &Value) -> Vec<String> {
    serde_json::from_value(input["messages"].clone()).unwrap()
}

#[derive(Debug)]
struct Service {
    nature: Nature,
    spec: ToolSpec,
    gate: Gate,
    outside: Arc<Outside>,
}

impl Service {
    fn request(&self, call: &ToolCall) -> Request {
        let key = call.mutation.as_ref();
        Request {
            nature: self.nature,
            key: key.map(|key| key.idempotency_key.clone()).unwrap_or_default(),
            mutation: key.map_or_else(|| MutationId::mint(Timestamp::from_micros(0)), |key| key.id),
            messages: messages_of(&call.input),
        }
    }
}

#[async_trait]
impl Tool for Service {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Mutation
    }

    async fn call(&self, call: ToolCall) -> Result<Value, ToolError> {
        let request = self.request(&call);
        self.gate.pass(Point::Leaves(self.nature)).await;
        let answer = self.outside.receive(&request);
        self.gate.pass(Point::Answers(self.nature)).await;
        answer
    }

    fn subject(&self, input: &Value) -> Subject {
        Subject { place: messages_of(input).join(" and "), scope: None }
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        self.nature != Nature::Blind
    }

    async fn reconcile(&self, call: ToolCall) -> LookupResult {
        let request = self.request(&call);
        self.gate.pass(Point::LooksUp(self.nature)).await;
        let found = self.outside.look_up(&request);
        self.gate.pass(Point::LookedUp(self.nature)).await;
        found
    }
}

#[derive(Debug)]
struct List {
    spec: ToolSpec,
    shop: Arc<Shop>,
    outside: Arc<Outside>,
}

#[async_trait]
impl Tool for List {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Read
    }

    async fn call(&self, call: ToolCall) -> Result<Value, ToolError> {
        if self.outside.fails_to_read() {
            return Err(ToolError::not_sent(Failure::network("no answer")));
        }
        let from = usize::try_from(call.input["from"].as_u64().unwrap_or(0)).unwrap();
        Ok(self.shop.list(&call.workflow_name, from))
    }
}
