//! Makes a tool of a typed function. Its schemas come from the function's types.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_core::Actor;
use windlass_core::graph::mismatches;

use super::refusal::Refusal;
use crate::service::{PlanChecker, Service};

/// What a tool is given beside its input: whose call it is, and what it may use.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The operations, in the agent's workspace.
    pub(super) service: Service,
    /// The agent.
    pub(super) actor: Actor,
    /// Checks the drafts of plans.
    pub(super) plans: Arc<PlanChecker>,
}

/// What a client is told of a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    /// Its name for programs.
    pub(super) name: &'static str,
    /// Its name for people.
    pub(super) title: &'static str,
    /// What it does and when to call it, for the model.
    pub(super) docs: &'static str,
    /// What calling it changes.
    pub(super) effect: Effect,
    /// A field whose object may stand for all arguments: `{"plan": {…}}` is then the same as `{…}`.
    pub(super) wrapper: Option<&'static str>,
}

/// What calling a tool changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Reads,
    /// Each call adds something.
    Adds,
    /// It changes something, and the same call again changes nothing more.
    Sets,
    /// It takes something away, and the same call again changes nothing more.
    Removes,
}

impl Effect {
    /// The hints for clients. No tool reaches beyond the database.
    fn hints(self) -> ToolAnnotations {
        ToolAnnotations::new()
            .read_only(self == Self::Reads)
            .destructive(self == Self::Removes)
            .idempotent(self != Self::Adds)
            .open_world(false)
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send>>;

/// A tool of the server.
#[derive(Clone)]
pub(super) struct AgentTool {
    /// What clients are told.
    pub(super) listed: Tool,
    call: Arc<dyn Fn(Caller, JsonObject) -> Answer + Send + Sync>,
}

impl fmt::Debug for AgentTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AgentTool").field(&self.listed.name).finish()
    }
}

impl AgentTool {
    /// Calls it. The answer is the object that its output schema describes.
    pub(super) async fn call(&self, caller: Caller, input: JsonObject) -> Result<Value, Refusal> {
        (self.call)(caller, input).await
    }
}

/// A tool that calls a function.
pub(super) fn tool<I, O, F>(about: About, function: fn(Caller, I) -> F) -> AgentTool
where
    I: DeserializeOwned + JsonSchema + 'static,
    O: Serialize + JsonSchema,
    F: Future<Output = Result<O, Refusal>> + Send + 'static,
{
    let input = schema::<I>(SchemaSettings::draft2020_12().for_deserialize());
    let output = schema::<O>(SchemaSettings::draft2020_12().for_serialize());
    let listed = listed(about, &input, &output);
    let call = move |caller: Caller, arguments: JsonObject| -> Answer {
        let arguments = Value::Object(unwrapped(arguments, about.wrapper));
        match parse::<I>(about.name, &input, arguments) {
            Ok(input) => {
                let answer = function(caller, input);
                Box::pin(async move { to_json(&answer.await?) })
            }
            Err(refusal) => Box::pin(std::future::ready(Err(refusal))),
        }
    };
    AgentTool { listed, call: Arc::new(call) }
}

/// A tool that calls a function which judges its input itself. Its schemas are given.
pub(super) fn tool_of_schema<O, F>(
    about: About,
    (input, output): (Value, Value),
    function: fn(Caller, JsonObject) -> F,
) -> AgentTool
where
    O: Serialize,
    F: Future<Output = Result<O, Refusal>> + Send + 'static,
{
    let listed = listed(about, &input, &output);
    let call = move |caller: Caller, arguments: JsonObject| -> Answer {
        let answer = function(caller, unwrapped(arguments, about.wrapper));
        Box::pin(async move { to_json(&answer.await?) })
    };
    AgentTool { listed, call: Arc::new(call) }
}

fn listed(about: About, input: &Value, output: &Value) -> Tool {
    Tool::new(about.name, about.docs, as_object(input))
        .with_title(about.title)
        .with_raw_output_schema(Arc::new(as_object(output)))
        .with_annotations(about.effect.hints())
}

/// The schema of a type without references, which not every client follows.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let inline = settings.with(|it| it.inline_subschemas = true);
    let mut schema = inline.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.remove("description");
    RecursiveTransform(|inner: &mut Schema| {
        // The widths of numbers are no formats of JSON Schema.
        if inner.get("type").is_some_and(|it| it != "string") {
            inner.remove("format");
        }
        list_words(inner);
    })
    .transform(&mut schema);
    schema.to_value()
}

/// Makes one list of words of alternatives that are one word each. Their documentation goes into that of the whole.
fn list_words(schema: &mut Schema) {
    let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let word = |it: &Value| Some((it.get("const")?.clone(), it.get("description").cloned()));
    let Some(words) = alternatives.iter().map(word).collect::<Option<Vec<_>>>() else { return };
    let lines = words.iter().map(|(word, docs)| {
        let docs = docs.as_ref().and_then(Value::as_str).unwrap_or_default();
        format!("\n{word}: {docs}")
    });
    let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = lines.fold(before.to_owned(), |text, line| text + &line);
    schema.remove("oneOf");
    schema.insert("description".to_owned(), description.into());
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), words.into_iter().map(|(word, _)| word).collect());
}

fn as_object(schema: &Value) -> JsonObject {
    schema.as_object().cloned().unwrap_or_default()
}

fn unwrapped(mut arguments: JsonObject, wrapper: Option<&str>) -> JsonObject {
    let is_wrapped = arguments.len() == 1;
    match wrapper.filter(|_| is_wrapped).and_then(|name| arguments.get_mut(name)) {
        Some(Value::Object(inner)) => std::mem::take(inner),
        Some(_) | None => arguments,
    }
}

/// Reads the arguments of a call. All that is wrong with them is told at once.
fn parse<I: DeserializeOwned>(name: &str, schema: &Value, input: Value) -> Result<I, Refusal> {
    let wrong = mismatches(schema, &input);
    if !wrong.is_empty() {
        let problems = wrong.into_iter().map(|it| {
            let words = words_at(schema, &it.path).unwrap_or_default();
            let place = if it.path.is_empty() { String::new() } else { format!("`{}`: ", it.path) };
            format!("{place}{}{words}", it.message)
        });
        let what = format!("`{name}` cannot take these arguments");
        return Err(Refusal::listing(&what, problems));
    }
    serde_json::from_value(input)
        .map_err(|error| Refusal::new(format!("`{name}` cannot take these arguments: {error}")))
}

/// The words that a field may have, where it may have only some.
fn words_at(schema: &Value, path: &str) -> Option<String> {
    let field = path.split('.').try_fold(schema, |at, name| {
        at.get("properties").and_then(|fields| fields.get(name)).or_else(|| at.get("items"))
    })?;
    let words: Vec<&str> =
        field.get("enum")?.as_array()?.iter().filter_map(Value::as_str).collect();
    Some(format!("; it may be {}", words.join(", ")))
}

fn to_json(output: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(output)
        .map_err(|error| Refusal::new(format!("the answer cannot be written as JSON: {error}")))
}
