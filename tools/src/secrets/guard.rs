//! A tool that keeps the secrets of its configuration to itself.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::{Failure, LookupResult};
use windlass_scheduler::{Effect, Subject, Tool, ToolCall, ToolError, ToolSpec};

use super::Secrets;

/// A tool, and what it must not repeat to scripts, people and the store.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) inner: Arc<dyn Tool>,
    pub(super) secrets: Arc<Secrets>,
}

#[async_trait]
impl Tool for Guarded {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }

    fn effect(&self, input: &Value) -> Effect {
        self.inner.effect(input)
    }

    async fn call(&self, call: ToolCall) -> Result<Value, ToolError> {
        match self.inner.call(call).await {
            Ok(answer) => Ok(self.secrets.blot_value(answer)),
            Err(ToolError { failure, sent }) => {
                Err(ToolError { failure: self.secrets.blot_failure(failure), sent })
            }
        }
    }

    fn subject(&self, input: &Value) -> Subject {
        self.inner.subject(input)
    }

    fn can_look_up(&self, input: &Value) -> bool {
        self.inner.can_look_up(input)
    }

    async fn reconcile(&self, call: ToolCall) -> LookupResult {
        match self.inner.reconcile(call).await {
            LookupResult::Applied(result) => LookupResult::Applied(self.secrets.blot_value(result)),
            absent @ LookupResult::Absent { .. } => absent,
            LookupResult::Unknown(failure) => {
                LookupResult::Unknown(self.secrets.blot_failure(failure))
            }
        }
    }
}

impl Secrets {
    fn blot_text(&self, text: String) -> String {
        match self.blot(&text) {
            std::borrow::Cow::Owned(clean) => clean,
            std::borrow::Cow::Borrowed(_) => text,
        }
    }

    pub(super) fn blot_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.blot_text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.blot_value(item)).collect(),
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, item)| (self.blot_text(key), self.blot_value(item)))
                .collect(),
            Value::Number(number) => match self.blot(&number.to_string()) {
                std::borrow::Cow::Owned(clean) => Value::String(clean),
                std::borrow::Cow::Borrowed(_) => Value::Number(number),
            },
            Value::Null | Value::Bool(_) => value,
        }
    }

    fn blot_failure(&self, failure: Failure) -> Failure {
        let service = failure.service.map(|mut service| {
            service.name = self.blot_text(service.name);
            service.account = service.account.map(|account| self.blot_text(account));
            service
        });
        Failure { message: self.blot_text(failure.message), service, ..failure }
    }
}
