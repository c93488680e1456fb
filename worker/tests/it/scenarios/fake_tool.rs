//! A tool that does whatever a test needs: `FakeTool.read({ name })` and `FakeTool.change({ name })`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::{Failure, LookupResult, Sent};
use windlass_scheduler::{Effect, MutationCall, Tool, ToolCall, ToolError, ToolSpec};

/// What a call comes to.
#[derive(Debug, Clone, Default)]
pub(crate) enum Behavior {
    /// It succeeds.
    #[default]
    Succeed,
    /// It answers this.
    Answer(Value),
    /// It fails.
    Fail(Failure, Sent),
    /// It never ends.
    Hang,
    /// It panics.
    Panic,
}

/// What is known of the calls by each name.
#[derive(Debug, Default)]
pub(crate) struct FakeTool(Mutex<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    behavior: Behavior,
    n_calls: usize,
    /// What looking the effect up tells, one after the other; none where it cannot be looked up.
    lookups: Option<VecDeque<LookupResult>>,
}

impl FakeTool {
    /// What a call by this name comes to from now on; without this it succeeds.
    pub(crate) fn set_behavior(&self, name: &str, behavior: Behavior) {
        self.with(name, |known| known.behavior = behavior);
    }

    /// What looking the effect of a call by this name up tells.
    pub(crate) fn set_lookups(&self, name: &str, lookups: impl Into<VecDeque<LookupResult>>) {
        self.with(name, |known| known.lookups = Some(lookups.into()));
    }

    /// How often it was called by this name.
    pub(crate) fn n_calls(&self, name: &str) -> usize {
        self.with(name, |known| known.n_calls)
    }

    fn with<T>(&self, name: &str, act: impl FnOnce(&mut Known) -> T) -> T {
        act(self.0.lock().unwrap().entry(name.to_owned()).or_default())
    }
}

/// Both methods.
pub(crate) fn tools(fake_tool: &Arc<FakeTool>) -> [Arc<dyn Tool>; 2] {
    [("read", Effect::Read), ("change", Effect::Mutation)].map(|(method, effect)| {
        let spec = ToolSpec {
            namespace: "FakeTool".to_owned(),
            method: method.to_owned(),
            docs: "Does what a test needs.".to_owned(),
            input: json!({
                "type": "object",
                "properties": { "name": { "type": "string" } },
                "required": ["name"],
                "additionalProperties": false,
            }),
            output: json!({
                "type": "object",
                "properties": { "done": { "type": "boolean" } },
                "required": ["done"],
                "additionalProperties": false,
            }),
            input_types: Vec::new(),
        };
        Arc::new(Method { fake_tool: Arc::clone(fake_tool), effect, spec }) as Arc<dyn Tool>
    })
}

#[derive(Debug)]
struct Method {
    fake_tool: Arc<FakeTool>,
    effect: Effect,
    spec: ToolSpec,
}

impl Method {
    async fn behave(&self, call: &ToolCall) -> Result<Value, ToolError> {
        let behavior = self.fake_tool.with(name_of(&call.input), |known| {
            known.n_calls += 1;
            known.behavior.clone()
        });
        match behavior {
            Behavior::Succeed => Ok(json!({ "done": true })),
            Behavior::Answer(answer) => Ok(answer),
            Behavior::Fail(failure, sent) => Err(ToolError { failure, sent }),
            Behavior::Hang => std::future::pending().await,
            Behavior::Panic => panic!("the tool fell over"),
        }
    }
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
        self.behave(&call).await.map_err(|error| error.failure)
    }

    async fn mutate(&self, call: MutationCall) -> Result<Value, ToolError> {
        call.point.pass()?;
        self.behave(&call.call).await
    }

    fn can_look_up(&self, input: &Value) -> bool {
        self.fake_tool.with(name_of(input), |known| known.lookups.is_some())
    }

    async fn reconcile(&self, call: MutationCall) -> LookupResult {
        let seen = |known: &mut Known| known.lookups.as_mut().and_then(VecDeque::pop_front);
        let seen = self.fake_tool.with(name_of(&call.call.input), seen);
        seen.unwrap_or_else(|| LookupResult::Unknown(Failure::network("nothing can be seen")))
    }
}

fn name_of(input: &Value) -> &str {
    input["name"].as_str().unwrap()
}
