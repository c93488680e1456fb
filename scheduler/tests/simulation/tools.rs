//! The tools of one worker: services of every kind, and a shop that says what there is to do.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::{Age, Failure, LookupResult};
use windlass_scheduler::{
    Effect, MutationCall, Place, Registry, Subject, Tool, ToolCall, ToolError, ToolSpec,
};

use crate::gate::{Gate, Point};
use crate::services::{Request, ServiceKind, Services};
use crate::shop::Shop;

/// Everything that this worker's scripts may call.
pub(crate) fn registry(gate: &Gate, services: &Arc<Services>, shop: &Arc<Shop>) -> Registry {
    let service = |kind| {
        Arc::new(Service {
            kind,
            spec: service_spec(kind),
            gate: gate.clone(),
            services: Arc::clone(services),
        }) as Arc<dyn Tool>
    };
    let list = List { spec: list_spec(), shop: Arc::clone(shop), services: Arc::clone(services) };
    let mut tools: Vec<Arc<dyn Tool>> = ServiceKind::ALL.into_iter().map(service).collect();
    tools.push(Arc::new(list));
    Registry::new(tools).unwrap()
}

fn service_spec(kind: ServiceKind) -> ToolSpec {
    let (namespace, method) = kind.name();
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
    kind: ServiceKind,
    spec: ToolSpec,
    gate: Gate,
    services: Arc<Services>,
}

impl Service {
    fn request(&self, MutationCall { call, key, .. }: &MutationCall) -> Request {
        Request {
            kind: self.kind,
            key: key.idempotency_key.clone(),
            mutation: key.id,
            place: self.services.place(self.gate.worker),
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

    async fn mutate(&self, call: MutationCall) -> Result<Value, ToolError> {
        let request = self.request(&call);
        self.gate.pass(Point::Commit(self.kind)).await;
        call.point.pass().inspect_err(|_refused| self.services.refused_at_commit_point())?;
        self.services.passed(request.mutation);
        let looked_at = self.services.now();
        self.gate.pass(Point::SendRequest(self.kind)).await;
        let answer = self.services.receive(&request, looked_at);
        self.gate.pass(Point::ReceiveAnswer(self.kind)).await;
        answer
    }

    fn subject(&self, input: &Value) -> Subject {
        Subject { place: messages_of(input).join(" and "), scope: None }
    }

    async fn place(&self, _input: &Value) -> Result<Option<Place>, Failure> {
        if self.kind != ServiceKind::Local {
            return Ok(None);
        }
        let place = self.services.place(self.gate.worker);
        Ok(Some(Place::new("folder".to_owned(), &json!(place))))
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        self.kind != ServiceKind::Opaque
    }

    fn keys_kept(&self, _input: &Value) -> Option<Age> {
        (self.kind == ServiceKind::Idempotent).then(|| self.services.keys_kept())
    }

    async fn reconcile(&self, call: MutationCall) -> LookupResult {
        let request = self.request(&call);
        self.gate.pass(Point::StartLookup(self.kind)).await;
        // It is looked up by sending the request again.
        if self.kind == ServiceKind::Idempotent
            && let Err(refused) = call.point.pass()
        {
            return LookupResult::Unknown(refused.into());
        }
        let found = self.services.look_up(&request);
        self.gate.pass(Point::FinishLookup(self.kind)).await;
        found
    }
}

#[derive(Debug)]
struct List {
    spec: ToolSpec,
    shop: Arc<Shop>,
    services: Arc<Services>,
}

#[async_trait]
impl Tool for List {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Read
    }

    async fn read(&self, call: ToolCall) -> Result<Value, Failure> {
        if self.services.fails_to_read() {
            return Err(Failure::network("no answer"));
        }
        let from = usize::try_from(call.input["from"].as_u64().unwrap_or(0)).unwrap();
        Ok(self.shop.list(&call.workflow_name, from))
    }
}
