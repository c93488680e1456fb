//! Notifications.

use async_trait::async_trait;
use windlass_core::{MutationId, WorkspaceId};

use super::Backend;
use super::dialect::Conn;
use super::ops::{Operation, Query, Tx};
use super::reads::notifications;
use crate::error::Result;
use crate::model::{Delivery, DueDelivery, Notification};
use crate::page::{Listed, NotificationCursor, Page};
use crate::params::{ClaimDeliveries, RecordDelivery, ScriptMessage};
use crate::store::NotificationStore;

reads! {
    Query over Conn;
    Deliveries { workspace: WorkspaceId, limit: u32 } -> Vec<Delivery>: |conn| notifications::deliveries(conn, workspace, limit);
    HasMessage { workspace: WorkspaceId, mutation: MutationId } -> bool: |conn| notifications::has_message(conn, workspace, mutation);
}

reads! {
    Operation over Tx<'_>;
    Notifications { workspace: WorkspaceId, page: Page<NotificationCursor> } -> Listed<Notification, NotificationCursor>:
        |tx| notifications::notifications(tx.conn, workspace, page);
}

#[async_trait]
impl NotificationStore for Backend {
    async fn notifications(
        &self,
        workspace: WorkspaceId,
        page: Page<NotificationCursor>,
    ) -> Result<Listed<Notification, NotificationCursor>> {
        self.read(Notifications { workspace, page }).await
    }

    async fn add_message(&self, params: ScriptMessage) -> Result<()> {
        self.write(params).await
    }

    async fn claim_deliveries(&self, params: ClaimDeliveries) -> Result<Vec<DueDelivery>> {
        self.write(params).await
    }

    async fn record_delivery(&self, params: RecordDelivery) -> Result<()> {
        self.write(params).await
    }

    async fn deliveries(&self, workspace: WorkspaceId, limit: u32) -> Result<Vec<Delivery>> {
        self.query(Deliveries { workspace, limit }).await
    }

    async fn has_message(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<bool> {
        self.query(HasMessage { workspace, mutation }).await
    }
}
