//! Tools: what a script may call, described by schemas. A tool knows whether its request was sent.
//!
//! A tool reads ([`Tool::read`]) or changes something ([`Tool::mutate`]). A mutation passes its [`CommitPoint`] right before its
//! irreversible step, when it has nothing left to wait for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::{
    Age, Capability, Failure, FailureClass, Grant, LookupResult, MutationId, RunId, Sent,
    WorkflowId, WorkspaceId,
};

use crate::commit_point::CommitPoint;
use crate::place::Place;

/// The description of a tool: one method of one namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// The namespace scripts see, for example `Files`.
    pub namespace: String,
    /// The method, for example `append`.
    pub method: String,
    /// Documentation for the author of a script, in Markdown. The first line is a summary.
    pub docs: String,
    /// JSON Schema (2020-12) of the one input object. Unknown properties are refused.
    pub input: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// The kinds of input (`source`, `type`) that a producer using this tool would register, for example `("Files", "file")`.
    pub input_types: Vec<(&'static str, &'static str)>,
}

impl ToolSpec {
    /// Its name in scripts: `Files.append`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.namespace, self.method)
    }
}

/// What a call does to the outside world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Read,
    /// It may change something.
    Mutation,
}

/// One call of a tool. Its input is valid.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The input object.
    pub input: Value,
    /// The workspace of the workflow.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// The workflow's name, for people.
    pub workflow_name: String,
    /// The handler run.
    pub run: RunId,
    /// How long the call may take at most.
    pub time_limit: Duration,
    /// What the script may call. The call itself was checked; a tool checks what it is led to, such as by a redirect.
    pub grant: Arc<Grant>,
}

impl ToolCall {
    /// Checks that the script may also make this call.
    ///
    /// # Errors
    /// The failure for the script if its grant does not contain `capability`.
    pub fn require(&self, capability: &Capability) -> Result<(), Failure> {
        if self.grant.allows(capability) { Ok(()) } else { Err(not_granted(capability)) }
    }
}

/// The failure of a call that the grant does not contain.
pub(crate) fn not_granted(capability: &Capability) -> Failure {
    let name = format!("{}.{}", capability.namespace(), capability.method());
    let scope = capability.scope().map(|scope| format!(" on `{scope}`")).unwrap_or_default();
    Failure::new(
        FailureClass::Permission,
        format!(
            "the script may not call `{name}`{scope}: its grant does not contain that; deploy it again and allow `{name}`"
        ),
    )
}

/// One call that may change something, or the look-up of its effect.
#[derive(Debug, Clone)]
pub struct MutationCall {
    /// The call.
    pub call: ToolCall,
    /// Its entry in the ledger.
    pub key: MutationKey,
    /// The [identity](Place::identity) of the place that the ledger names. A tool whose place can change refuses to act in another.
    pub place: Option<String>,
    /// Passed right before the first step that cannot be undone. A look-up passes it before it sends the request again.
    pub point: CommitPoint,
}

/// Identifies a mutation to the outside world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutationKey {
    /// The ledger entry.
    pub id: MutationId,
    /// The key by which a provider recognises a repeated request. Scripts never see it.
    pub idempotency_key: String,
}

/// A failed call, and whether its request was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct ToolError {
    /// What went wrong.
    pub failure: Failure,
    /// Whether the request was sent. `No`: nothing happened. `Maybe`: it is unknown.
    pub sent: Sent,
}

impl ToolError {
    /// The request was not sent, or was definitely refused.
    #[must_use]
    pub const fn not_sent(failure: Failure) -> Self {
        Self { failure, sent: Sent::No }
    }

    /// The request may have been executed.
    #[must_use]
    pub const fn maybe_sent(failure: Failure) -> Self {
        Self { failure, sent: Sent::Maybe }
    }
}

/// What a call reads or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its name for a person, without secrets: `out/ledger.csv`, `POST https://api.example.com/orders`.
    pub place: String,
    /// What a grant can be limited to, for example the server's name.
    pub scope: Option<String>,
}

/// A function that a script may call.
#[async_trait]
pub trait Tool: Send + Sync + std::fmt::Debug {
    /// Its description.
    fn spec(&self) -> &ToolSpec;

    /// What a call with this input does. A tool that is not sure answers [`Effect::Mutation`].
    fn effect(&self, input: &Value) -> Effect;

    /// Makes a call that only reads.
    ///
    /// # Errors
    /// The failure of the call. It has had no effect.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time.
    async fn read(&self, _call: ToolCall) -> Result<Value, Failure> {
        Err(Failure::internal(format!("`{}` does not read", self.spec().name())))
    }

    /// Makes a call that may change something. It passes the call's [`CommitPoint`] after all waiting (for a name, a connection, a
    /// lock) and right before the first step that cannot be undone. If the point refuses, it does nothing and returns that error.
    ///
    /// # Errors
    /// [`ToolError`], which says whether the request was sent. If the call has not passed its point, it was not.
    ///
    /// # Cancel safety
    /// If the future is dropped before the point was passed, there is no effect. Afterwards it is unknown.
    async fn mutate(&self, _call: MutationCall) -> Result<Value, ToolError> {
        let message = format!("`{}` does not change anything", self.spec().name());
        Err(ToolError::not_sent(Failure::internal(message)))
    }

    /// What a call with this input reads or changes.
    fn subject(&self, _input: &Value) -> Subject {
        Subject { place: self.spec().namespace.clone(), scope: None }
    }

    /// The place in which a call with this input has its effect, as this worker sees it now; none if it is the same for all workers and
    /// at all times. The engine asks before it writes the ledger row, and around each look-up.
    ///
    /// # Errors
    /// A failure if the place cannot be seen. Then a look-up proves nothing.
    ///
    /// # Cancel safety
    /// The future may be dropped at any time.
    async fn place(&self, _input: &Value) -> Result<Option<Place>, Failure> {
        Ok(None)
    }

    /// Whether [`reconcile`](Self::reconcile) can look the effect of a call with this input up.
    fn can_look_up(&self, _input: &Value) -> bool {
        false
    }

    /// For how long the other side recognises the key of a request, and answers a repetition without repeating the effect. None: it
    /// does not, so a look-up never passes its [`CommitPoint`].
    fn keys_kept(&self, _input: &Value) -> Option<Age> {
        None
    }

    /// Looks up whether the effect of an earlier call happened. It never causes a second effect. If it sends the request again to find
    /// out, it passes the call's [`CommitPoint`] first.
    async fn reconcile(&self, _call: MutationCall) -> LookupResult {
        LookupResult::Unknown(Failure::internal("this tool cannot look its effects up"))
    }
}
