//! A tool of a server as scripts call it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::CallToolResult;
use serde_json::{Map, Value};
use tokio::time::Instant;
use windlass_core::{Failure, FailureClass, LookupResult, Sent};
use windlass_scheduler::{Effect, Subject, Tool, ToolCall, ToolError, ToolSpec};

use super::config::Errors;
use super::definition::Definition;
use super::failure::{cropped, of_server};
use super::look_up::{LookUp, Original, Seen};
use super::server::Server;
use super::{answer, schema};

/// A tool of a server.
#[derive(Debug)]
pub(super) struct ConnectorTool {
    pub(super) server: Arc<Server>,
    pub(super) definition: Definition,
    pub(super) spec: ToolSpec,
    pub(super) effect: Effect,
    pub(super) errors: Errors,
    pub(super) key_argument: Option<String>,
    pub(super) look_up: Option<(LookUp, Definition)>,
}

/// What scripts are told of a tool.
pub(super) fn spec(
    server: &Server,
    namespace: &str,
    method: String,
    definition: &Definition,
    hidden: Option<&str>,
) -> ToolSpec {
    let Definition { name, description, .. } = definition;
    let separator = if description.is_empty() { "" } else { "\n\n" };
    ToolSpec {
        namespace: namespace.to_owned(),
        method,
        docs: format!("{description}{separator}It is `{name}` of the connector `{}`.", server.name),
        input: schema::input(definition, hidden),
        output: schema::output(definition),
        input_types: Vec::new(),
    }
}

impl ConnectorTool {
    fn until(&self, time_limit: Duration) -> Instant {
        Instant::now() + self.server.config.timeout.min(time_limit)
    }

    /// What the server is sent: what the script passed, and the key where the server takes one.
    fn arguments(&self, input: Value, call_key: Option<&str>) -> Map<String, Value> {
        let mut arguments = match input {
            Value::Object(properties) => properties,
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Map::new(),
        };
        if let (Some(argument), Some(key)) = (&self.key_argument, call_key) {
            arguments.insert(argument.clone(), key.into());
        }
        arguments
    }

    /// What a script gets of an answer.
    fn read(&self, answer: CallToolResult) -> Result<Value, ToolError> {
        let Self { server, definition, .. } = self;
        let failure = |class, message: String| {
            of_server(&server.name, class, format!("`{}`: {message}", definition.name))
        };
        if answer.is_error == Some(true) {
            let sent = match self.errors {
                Errors::Refused => Sent::No,
                Errors::Unknown => Sent::Maybe,
            };
            let failure = failure(FailureClass::Logic, cropped(&answer::text(&answer)));
            return Err(ToolError { failure, sent });
        }
        // The call was made: that its answer cannot be used does not undo it.
        answer::value(answer, definition.output.is_some()).map_err(|message| ToolError {
            failure: failure(FailureClass::Internal, message),
            sent: Sent::Yes,
        })
    }

    /// Asks the reading tool; none where its answer tells nothing.
    async fn look(
        &self,
        look_up: &LookUp,
        reader: &Definition,
        call: &ToolCall,
    ) -> Result<(Seen, Value), Failure> {
        let key = call.mutation.as_ref().map_or("", |it| &it.idempotency_key);
        let original = Original { input: &call.input, key };
        let arguments = look_up.arguments(original)?;
        let until = self.until(call.time_limit);
        let answer = self.server.call(reader, arguments, until).await.map_err(|it| it.failure)?;
        if answer.is_error == Some(true) {
            let text = answer::text(&answer);
            let unclear = || {
                let message = format!("`{}`: {}", reader.name, cropped(&text));
                of_server(&self.server.name, FailureClass::Internal, message)
            };
            return Ok((look_up.judge_error(&text).ok_or_else(unclear)?, Value::Null));
        }
        let answer = answer::value(answer, reader.output.is_some()).map_err(Failure::internal)?;
        Ok((look_up.judge(&answer, original)?, answer))
    }
}

#[async_trait]
impl Tool for ConnectorTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        self.effect
    }

    async fn call(&self, call: ToolCall) -> Result<Value, ToolError> {
        let until = self.until(call.time_limit);
        let key = call.mutation.as_ref().map(|it| it.idempotency_key.as_str());
        let arguments = self.arguments(call.input, key);
        let answer = self.server.call(&self.definition, arguments, until).await;
        answer.and_then(|answer| self.read(answer)).map_err(|error| match self.effect {
            // Whoever only looked changed nothing, whatever became of the answer.
            Effect::Read => ToolError::not_sent(error.failure),
            Effect::Mutation => error,
        })
    }

    fn subject(&self, _input: &Value) -> Subject {
        let place = format!("{} ({})", self.server.name, self.server.place());
        Subject { place, scope: None }
    }

    fn can_look_up(&self, input: &Value) -> bool {
        let arguments =
            |(look_up, _): &(LookUp, Definition)| look_up.arguments(Original { input, key: "" });
        self.look_up.as_ref().is_some_and(|it| arguments(it).is_ok())
    }

    async fn reconcile(&self, call: ToolCall) -> LookupResult {
        let Some((look_up, reader)) = &self.look_up else {
            return LookupResult::Unknown(Failure::internal(
                "this tool cannot look its effects up",
            ));
        };
        match self.look(look_up, reader, &call).await {
            Ok((Seen::Effect, answer)) => LookupResult::Applied(answer),
            Ok((Seen::Nothing, _)) => match look_up.absence_counts_after() {
                Some(counts_after) => LookupResult::Absent { counts_after },
                None => LookupResult::Unknown(of_server(
                    &self.server.name,
                    FailureClass::Network,
                    format!("`{}` does not show the effect, which proves nothing yet", reader.name),
                )),
            },
            Err(failure) => LookupResult::Unknown(failure),
        }
    }
}
