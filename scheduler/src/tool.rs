//! What a tool is: something a script may call, described by schemas, that knows whether its request was sent.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::{Failure, MutationId, RunId, Sent, WorkflowId, WorkspaceId};

/// The description of a tool: one method of one namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// The namespace scripts see, for example `Files`.
    pub namespace: String,
    /// The method, for example `append`.
    pub method: String,
    /// What it does and what to know, for the author of a script (Markdown, first line a summary).
    pub docs: String,
    /// JSON Schema (2020-12) of the one input object. Unknown properties are refused.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// The kinds of input (`source`, `type`) that a producer using this tool would register, for example `("Files", "file")`.
    pub input_types: Vec<(&'static str, &'static str)>,
}

/// What a call does to the outside world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Read,
    /// It may change something.
    Mutation,
}

/// One call of a tool, its input already validated against the schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The input object.
    pub input: Value,
    /// The workspace and workflow on whose behalf.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name, for people.
    pub workflow_name: String,
    /// The handler run.
    pub run: RunId,
    /// For a mutation: its ledger entry.
    pub mutation: Option<MutationKey>,
    /// How long the call may take at most.
    pub time_limit: Duration,
}

/// The identity of a mutation towards the outside world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutationKey {
    /// The ledger entry.
    pub id: MutationId,
    /// What the provider is given so that it can recognise a repetition. Scripts never see it.
    pub idempotency_key: String,
}

/// A failed call, and whether its request was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct ToolError {
    /// What went wrong.
    pub failure: Failure,
    /// Whether the request left: `No` means nothing happened, `Maybe` that nobody knows.
    pub sent: Sent,
}

impl ToolError {
    /// The request did not leave, or was definitely refused.
    #[must_use]
    pub const fn not_sent(failure: Failure) -> Self {
        Self { failure, sent: Sent::No }
    }

    /// The request may have been obeyed.
    #[must_use]
    pub const fn maybe_sent(failure: Failure) -> Self {
        Self { failure, sent: Sent::Maybe }
    }
}

/// What looking for an effect found.
#[derive(Debug, Clone, PartialEq)]
pub enum Reconciliation {
    /// It is there; the result is as close to the original answer as can be had.
    Applied(Value),
    /// It is definitely not there.
    NotApplied,
    /// It could not be looked up this time.
    Retry(Failure),
}

/// What a call is about: where its effect would be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The place as a person would look for it, without secrets: `out/ledger.csv`, `POST https://api.example.com/orders`.
    pub place: String,
    /// What a grant can be narrowed to, for example the server's name.
    pub scope: Option<String>,
}

/// How an effect is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lookup {
    /// How long after the request a missing effect proves that it did not happen. Until then [`Reconciliation::NotApplied`] only
    /// means that it cannot be seen yet.
    pub absence_counts_after: Duration,
}

/// Something a script may call.
#[async_trait]
pub trait Tool: Send + Sync + std::fmt::Debug {
    /// What it is.
    fn spec(&self) -> &ToolSpec;

    /// What a call with this input does. Whoever is not sure answers [`Effect::Mutation`].
    fn effect(&self, input: &Value) -> Effect;

    /// Makes the call.
    ///
    /// # Errors
    /// [`ToolError`], which says whether the request was sent.
    ///
    /// # Cancel safety
    /// None: the effect of a call whose future was dropped is unknown.
    async fn call(&self, call: ToolCall) -> Result<Value, ToolError>;

    /// What a call with this input is about.
    fn subject(&self, _input: &Value) -> Subject {
        Subject { place: self.spec().namespace.clone(), scope: None }
    }

    /// How the effect of a call with this input can be looked up; none where [`reconcile`](Self::reconcile) could tell nothing.
    fn lookup(&self, _input: &Value) -> Option<Lookup> {
        None
    }

    /// Settles whether the effect of an earlier call happened, and never causes a second one.
    async fn reconcile(&self, _call: ToolCall) -> Reconciliation {
        Reconciliation::Retry(Failure::internal("this tool cannot look its effects up"))
    }
}
