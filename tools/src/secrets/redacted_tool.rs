//! A tool whose results and failures contain no secret.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::{Age, Failure, LookupResult};
use windlass_scheduler::{
    Effect, MutationCall, Place, Subject, Tool, ToolCall, ToolError, ToolSpec,
};

use super::Secrets;

/// Wraps a tool. Scripts, people and the store see its results and failures only after redaction.
#[derive(Debug)]
pub(super) struct RedactedTool {
    pub(super) inner: Arc<dyn Tool>,
    pub(super) secrets: Arc<Secrets>,
}

#[async_trait]
impl Tool for RedactedTool {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }

    fn effect(&self, input: &Value) -> Effect {
        self.inner.effect(input)
    }

    async fn read(&self, call: ToolCall) -> Result<Value, Failure> {
        match self.inner.read(call).await {
            Ok(answer) => Ok(self.secrets.redact_value(answer)),
            Err(failure) => Err(self.secrets.redact_failure(failure)),
        }
    }

    async fn mutate(&self, call: MutationCall) -> Result<Value, ToolError> {
        match self.inner.mutate(call).await {
            Ok(answer) => Ok(self.secrets.redact_value(answer)),
            Err(ToolError { failure, sent }) => {
                Err(ToolError { failure: self.secrets.redact_failure(failure), sent })
            }
        }
    }

    fn subject(&self, input: &Value) -> Subject {
        self.inner.subject(input)
    }

    async fn place(&self, input: &Value) -> Result<Option<Place>, Failure> {
        self.inner.place(input).await.map_err(|failure| self.secrets.redact_failure(failure))
    }

    fn can_look_up(&self, input: &Value) -> bool {
        self.inner.can_look_up(input)
    }

    fn keys_kept(&self, input: &Value) -> Option<Age> {
        self.inner.keys_kept(input)
    }

    async fn reconcile(&self, call: MutationCall) -> LookupResult {
        match self.inner.reconcile(call).await {
            LookupResult::Applied(result) => {
                LookupResult::Applied(self.secrets.redact_value(result))
            }
            absent @ LookupResult::Absent { .. } => absent,
            LookupResult::Unknown(failure) => {
                LookupResult::Unknown(self.secrets.redact_failure(failure))
            }
            LookupResult::Impossible(failure) => {
                LookupResult::Impossible(self.secrets.redact_failure(failure))
            }
        }
    }
}

impl Secrets {
    pub(crate) fn redact_text(&self, text: String) -> String {
        match self.redact(&text) {
            Cow::Owned(redacted) => redacted,
            Cow::Borrowed(_) => text,
        }
    }

    pub(crate) fn redact_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact_text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.redact_value(item)).collect(),
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, item)| (self.redact_text(key), self.redact_value(item)))
                .collect(),
            Value::Number(number) => match self.redact(&number.to_string()) {
                Cow::Owned(redacted) => Value::String(redacted),
                Cow::Borrowed(_) => Value::Number(number),
            },
            Value::Null | Value::Bool(_) => value,
        }
    }

    fn redact_failure(&self, failure: Failure) -> Failure {
        let service = failure.service.map(|mut service| {
            service.name = self.redact_text(service.name);
            service.account = service.account.map(|account| self.redact_text(account));
            service
        });
        Failure { message: self.redact_text(failure.message), service, ..failure }
    }
}
