//! A tool of a server as scripts call it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmcp::model::CallToolResult;
use serde_json::{Map, Value};
use tokio::time::Instant;
use windlass_core::{Failure, FailureClass, LookupResult, Sent};
use windlass_scheduler::{
    CommitPoint, Effect, MutationCall, Place, Subject, Tool, ToolCall, ToolError, ToolSpec,
};

use super::config::ErrorMeaning;
use super::definition::Definition;
use super::failure::{message_line, server_failure};
use super::lookup::{EffectLookup, OriginalCall, Presence};
use super::server::Server;
use super::{result, schema};

/// A tool of a server.
#[derive(Debug)]
pub(super) struct ConnectorTool {
    pub(super) server: Arc<Server>,
    pub(super) definition: Definition,
    pub(super) spec: ToolSpec,
    pub(super) effect: Effect,
    pub(super) errors: ErrorMeaning,
    pub(super) key_argument: Option<String>,
    /// How its effects are looked up, and the tool that does it.
    pub(super) lookup: Option<(EffectLookup, Definition)>,
}

/// The description of a tool for scripts. `hidden` is an argument that scripts do not see.
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

    /// The arguments for the server: the script's input, and the idempotency key if the tool takes one.
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

    /// The value or error that a script gets from a result.
    fn convert(&self, result: CallToolResult) -> Result<Value, ToolError> {
        let Self { server, definition, .. } = self;
        let failure = |class, message: String| {
            server_failure(&server.name, class, format!("`{}`: {message}", definition.name))
        };
        if result.is_error == Some(true) {
            let sent = match self.errors {
                ErrorMeaning::Refused => Sent::No,
                ErrorMeaning::Unknown => Sent::Maybe,
            };
            let failure =
                failure(FailureClass::Logic, message_line(&server.secrets, &result::text(&result)));
            return Err(ToolError { failure, sent });
        }
        // The call succeeded, although its result cannot be used.
        result::value(result, definition.output.is_some()).map_err(|message| ToolError {
            failure: failure(FailureClass::Internal, message),
            sent: Sent::Yes,
        })
    }

    /// Calls the tool. With a `point`, the request leaves only if the point lets it pass.
    async fn request(
        &self,
        call: ToolCall,
        key: Option<&str>,
        point: Option<CommitPoint>,
    ) -> Result<Value, ToolError> {
        let until = self.until(call.time_limit);
        let arguments = self.arguments(call.input, key);
        self.convert(self.server.call(&self.definition, arguments, point, until).await?)
    }

    /// Calls the reading tool and evaluates its result.
    async fn look_up(
        &self,
        lookup: &EffectLookup,
        reader: &Definition,
        MutationCall { call, key, .. }: &MutationCall,
    ) -> Result<(Presence, Value), Failure> {
        let original = OriginalCall { input: &call.input, key: &key.idempotency_key };
        let arguments = lookup.arguments(original)?;
        let until = self.until(call.time_limit);
        let result = self.server.call(reader, arguments, None, until).await;
        let result = result.map_err(|error| error.failure)?;
        if result.is_error == Some(true) {
            let text = result::text(&result);
            let unclear = || {
                let message =
                    format!("`{}`: {}", reader.name, message_line(&self.server.secrets, &text));
                server_failure(&self.server.name, FailureClass::Internal, message)
            };
            return Ok((lookup.evaluate_error(&text).ok_or_else(unclear)?, Value::Null));
        }
        let value = result::value(result, reader.output.is_some()).map_err(Failure::internal)?;
        Ok((lookup.evaluate(&value, original)?, value))
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

    async fn read(&self, call: ToolCall) -> Result<Value, Failure> {
        self.request(call, None, None).await.map_err(|error| error.failure)
    }

    async fn mutate(&self, call: MutationCall) -> Result<Value, ToolError> {
        let MutationCall { call, key, point, .. } = call;
        self.request(call, Some(&key.idempotency_key), Some(point)).await
    }

    fn subject(&self, _input: &Value) -> Subject {
        let place = format!("{} ({})", self.server.name, self.server.address());
        Subject { place, scope: None }
    }

    async fn place(&self, _input: &Value) -> Result<Option<Place>, Failure> {
        self.server.place().await.map(Some)
    }

    fn can_look_up(&self, input: &Value) -> bool {
        let original = OriginalCall { input, key: "" };
        self.lookup.as_ref().is_some_and(|(lookup, _)| lookup.arguments(original).is_ok())
    }

    async fn reconcile(&self, call: MutationCall) -> LookupResult {
        let Some((lookup, reader)) = &self.lookup else {
            return LookupResult::Unknown(Failure::internal(
                "this tool cannot look its effects up",
            ));
        };
        match self.look_up(lookup, reader, &call).await {
            Ok((Presence::Present, value)) => LookupResult::Applied(value),
            Ok((Presence::Absent, _)) => match lookup.absence_counts_after() {
                Some(counts_after) => LookupResult::Absent { counts_after },
                None => LookupResult::Unknown(server_failure(
                    &self.server.name,
                    FailureClass::Network,
                    format!("`{}` does not show the effect, which proves nothing yet", reader.name),
                )),
            },
            Err(failure) => LookupResult::Unknown(failure),
        }
    }
}
