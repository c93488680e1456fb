//! Notifications for people.

use windlass_core::{MutationId, WorkspaceId};

use super::role;
use crate::model::Notification;
use crate::page::{Listed, NotificationCursor, Page};
use crate::params::ScriptMessage;

role! {
    /// Notifications for people.
    pub trait NotificationStore {
        /// A workspace's notifications, newest first.
        read async fn notifications(
            &self,
            workspace: WorkspaceId,
            page: Page<NotificationCursor>,
        ) -> Result<Listed<Notification, NotificationCursor>>;

        /// Enters a script's message, once per mutation.
        write async fn add_message(&self, params: ScriptMessage) -> Result<()>;

        /// Whether a script's message was entered.
        read async fn has_message(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<bool>;
    }
}
