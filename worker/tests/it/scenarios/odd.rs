//! A tool that does whatever a test needs: `Odd.look({ name })` and `Odd.change({ name })`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::{Failure, LookupResult, Sent};
use windlass_scheduler::{Effect, Tool, ToolCall, ToolError, ToolSpec};

/// What a call comes to.
#[derive(Debug, Clone, Default)]
pub(crate) enum Does {
    /// It succeeds.
    #[default]
    Well,
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
pub(crate) struct Odd(Mutex<HashMap<String, Known>>);

#[derive(Debug, Default)]
struct Known {
    does: Does,
    n_calls: usize,
    /// What looking the effect up tells, one after the other; none where it cannot be looked up.
    sees: Option<VecDeque<LookupResult>>,
}

impl Odd {
    /// What a call by this name comes to from now on; without this it succeeds.
    pub(crate) fn does(&self, name: &str, does: Does) {
        self.with(name, |known| known.does = does);
    }

    /// What looking the effect of a call by this name up tells.
    pub(crate) fn sees(&self, name: &str, seen: impl Into<VecDeque<LookupResult>>) {
        self.with(name, |known| known.sees = Some(seen.into()));
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
pub(crate) fn tools(odd: &Arc<Odd>) -> [Arc<dyn Tool>; 2] {
    [("look", Effect::Read), ("change", Effect::Mutation)].map(|(method, effect)| {
        let spec = ToolSpec {
            namespace: "Odd".to_owned(),
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
        Arc::new(Method { odd: Arc::clone(odd), effect, spec }) as Arc<dyn Tool>
    })
}

#[derive(Debug)]
struct Method {
    odd: Arc<Odd>,
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

    async fn call(&self, call: ToolCall) -> Result<Value, ToolError> {
        let does = self.odd.with(name_of(&call.input), |known| {
            known.n_calls += 1;
            known.does.clone()
        });
        match does {
            Does::Well => Ok(json!({ "done": true })),
            Does::Answer(answer) => Ok(answer),
            Does::Fail(failure, sent) => Err(ToolError { failure, sent }),
            Does::Hang => std::future::pending().await,
            Does::Panic => panic!("the tool fell over"),
        }
    }

    fn can_look_up(&self, input: &Value) -> bool {
        self.odd.with(name_of(input), |known| known.sees.is_some())
    }

    async fn reconcile(&self, call: ToolCall) -> LookupResult {
        let seen = |known: &mut Known| known.sees.as_mut().and_then(VecDeque::pop_front);
        let seen = self.odd.with(name_of(&call.input), seen);
        seen.unwrap_or_else(|| LookupResult::Unknown(Failure::network("nothing can be seen")))
    }
}

fn name_of(input: &Value) -> &str {
    input["name"].as_str().unwrap()
}
