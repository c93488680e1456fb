//! Notifications for people.

use windlass_core::{MutationId, WorkspaceId};

use super::role;
use crate::model::{Delivery, DueDelivery, Notification};
use crate::page::{Listed, NotificationCursor, Page};
use crate::params::{ClaimDeliveries, RecordDelivery, ScriptMessage};

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

        /// Takes the notifications that are to be sent through a channel now: those that are open, not older than a week, and not sent
        /// yet. Callers that ask at the same time are given different ones.
        write async fn claim_deliveries(&self, params: ClaimDeliveries) -> Result<Vec<DueDelivery>>;

        /// Records how an attempt to send a notification ended.
        write async fn record_delivery(&self, params: RecordDelivery) -> Result<()>;

        /// What became of sending a workspace's notifications, the newest first.
        read async fn deliveries(&self, workspace: WorkspaceId, limit: u32) -> Result<Vec<Delivery>>;

        /// Whether a script's message was entered.
        read async fn has_message(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<bool>;
    }
}
