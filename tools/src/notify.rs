//! `User.notify`: sends a message to the people of a workspace.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::{Failure, MutationId, WorkflowId, WorkspaceId};
use windlass_scheduler::{Effect, MutationCall, Subject, Tool, ToolError};

use super::method::{Method, MethodDescription, TypedTool};

/// A message from a script to the people of its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Whose people get it.
    pub workspace: WorkspaceId,
    /// Which workflow sends it.
    pub workflow: WorkflowId,
    /// The mutation that sends it. There is one notification per mutation.
    pub mutation: MutationId,
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
}

/// Stores notifications.
#[async_trait]
pub trait Notifier: Send + Sync + Debug {
    /// Stores a notification. Repeated calls for one mutation store it once.
    ///
    /// # Errors
    /// A failure if it may not have been stored.
    ///
    /// # Cancel safety
    /// The notification may have been stored although the future was dropped; [`was_notified`](Self::was_notified) tells.
    async fn notify(&self, notification: Notification) -> Result<(), Failure>;

    /// Whether the notification of this mutation was stored.
    ///
    /// # Errors
    /// A failure if that could not be looked up.
    async fn was_notified(
        &self,
        workspace: WorkspaceId,
        mutation: MutationId,
    ) -> Result<bool, Failure>;
}

/// The tool of the namespace `User`.
pub(super) fn tool(notifier: Arc<dyn Notifier>) -> Arc<dyn Tool> {
    Arc::new(TypedTool::new(Notify { notifier }))
}

#[derive(Debug)]
struct Notify {
    notifier: Arc<dyn Notifier>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NotifyInput {
    /// One line that says what happened.
    #[schemars(length(min = 1))]
    title: String,
    /// What there is to know.
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NotifyOutput {
    /// Always true: a notification that could not be kept is an error.
    notified: bool,
}

#[async_trait]
impl Method for Notify {
    type Input = NotifyInput;
    type Output = NotifyOutput;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: "User",
            method: "notify",
            docs: "\
Tells the user something: `User.notify({title, text})` → `{notified}`.

It appears in the list of notifications.",
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    async fn mutate(
        &self,
        input: NotifyInput,
        call: MutationCall,
    ) -> Result<NotifyOutput, ToolError> {
        let NotifyInput { title, text } = input;
        let notification = Notification {
            workspace: call.call.workspace,
            workflow: call.call.workflow,
            mutation: call.key.id,
            title,
            text,
        };
        call.point.pass()?;
        self.notifier.notify(notification).await.map_err(ToolError::maybe_sent)?;
        Ok(NotifyOutput { notified: true })
    }

    fn subject(&self, _input: &NotifyInput) -> Subject {
        Subject { place: "the list of notifications".to_owned(), scope: None }
    }

    fn absence_counts_after(&self, _input: &NotifyInput) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    async fn reconcile(
        &self,
        _input: NotifyInput,
        call: MutationCall,
    ) -> Result<Option<NotifyOutput>, Failure> {
        let was_notified = self.notifier.was_notified(call.call.workspace, call.key.id).await?;
        Ok(was_notified.then_some(NotifyOutput { notified: true }))
    }
}
