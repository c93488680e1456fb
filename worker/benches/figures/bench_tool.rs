//! A tool that does nothing and records its calls: `Bench.apply({ n })` is an effect, `Bench.read({ n })` is a read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::{Clock as _, Failure, SystemClock, Timestamp, WorkflowId};
use windlass_scheduler::{Effect, MutationCall, Tool, ToolCall, ToolError, ToolSpec};

/// The recorded calls.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    applied: Mutex<HashMap<WorkflowId, Vec<u64>>>,
    reads: Mutex<HashMap<u64, Timestamp>>,
}

impl Calls {
    /// The numbers that a workflow applied, in that order.
    pub(crate) fn applied(&self, workflow: WorkflowId) -> Vec<u64> {
        lock(&self.applied).get(&workflow).cloned().unwrap_or_default()
    }

    /// When that number was last read.
    pub(crate) fn read_at(&self, number: u64) -> Option<Timestamp> {
        lock(&self.reads).get(&number).copied()
    }
}

/// Both methods.
pub(crate) fn tools(calls: &Arc<Calls>) -> [Arc<dyn Tool>; 2] {
    [("apply", Effect::Mutation), ("read", Effect::Read)].map(|(method, effect)| {
        let spec = ToolSpec {
            namespace: "Bench".to_owned(),
            method: method.to_owned(),
            docs: "Does nothing.".to_owned(),
            input: json!({
                "type": "object",
                "properties": { "n": { "type": "integer" } },
                "required": ["n"],
                "additionalProperties": false,
            }),
            output: json!({ "type": "object", "additionalProperties": false }),
            input_types: Vec::new(),
        };
        Arc::new(Method { calls: Arc::clone(calls), effect, spec }) as Arc<dyn Tool>
    })
}

#[derive(Debug)]
struct Method {
    calls: Arc<Calls>,
    effect: Effect,
    spec: ToolSpec,
}

#[async_trait]
impl Tool for Method {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        self.effect
    }

    async fn read(&self, call: ToolCall) -> Result<Value, Failure> {
        lock(&self.calls.reads).insert(number(&call)?, SystemClock.now());
        Ok(json!({}))
    }

    async fn mutate(
        &self,
        MutationCall { call, point, .. }: MutationCall,
    ) -> Result<Value, ToolError> {
        let number = number(&call).map_err(ToolError::not_sent)?;
        point.pass()?;
        lock(&self.calls.applied).entry(call.workflow).or_default().push(number);
        Ok(json!({}))
    }
}

fn number(call: &ToolCall) -> Result<u64, Failure> {
    let number = call.input.get("n").and_then(Value::as_u64);
    number.ok_or_else(|| Failure::logic("no number"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
