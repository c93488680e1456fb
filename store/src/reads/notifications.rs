//! Notifications for people, and the journal of what was done.

use diesel::prelude::*;
use windlass_core::{MutationId, NotificationId, WorkflowId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::keyset::{JournalAfter, NotificationsBefore};
use crate::model::{Delivery, JournalEntry, Notification, NotificationKind};
use crate::page::{JournalCursor, Listed, NotificationCursor, Page, Position};
use crate::rows::{Db, DeliveryRow, JournalRow, NotificationRow};
use crate::schema::{deliveries, journal, notifications, workflows};

/// A workspace's notifications, newest first.
pub(in super::super) async fn notifications(
    conn: &Conn,
    workspace: WorkspaceId,
    page: Page<NotificationCursor>,
) -> Result<Listed<Notification, NotificationCursor>> {
    let mut query = notifications::table
        .inner_join(workflows::table)
        .filter(notifications::workspace_id.eq(Db(workspace)))
        .select((NotificationRow::as_select(), workflows::name))
        .order((notifications::created_at.desc(), notifications::id.desc()))
        .limit(page.n_rows())
        .into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(NotificationsBefore::from(after));
    }
    let found: Vec<(NotificationRow, String)> = query.load(conn).await?;
    let position =
        |(row, _): &(NotificationRow, String)| Position { at: row.created_at.0, id: row.id.0 };
    Ok(page.of(found, position, |(row, workflow)| row.into_notification(workflow)))
}

/// What became of sending a workspace's notifications, the newest first.
pub(in super::super) async fn deliveries(
    conn: &Conn,
    workspace: WorkspaceId,
    limit: u32,
) -> Result<Vec<Delivery>> {
    let query = deliveries::table
        .inner_join(notifications::table)
        .filter(deliveries::workspace_id.eq(Db(workspace)))
        .select((DeliveryRow::as_select(), notifications::title))
        .order((deliveries::created_at.desc(), deliveries::notification_id.desc()))
        .limit(i64::from(limit));
    let found: Vec<(DeliveryRow, String)> = query.load(conn).await?;
    Ok(found.into_iter().map(|(row, title)| row.into_delivery(title)).collect())
}

/// Whether a script's message was entered.
pub(in super::super) async fn has_message(
    conn: &Conn,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<bool> {
    let message = notifications::table
        .filter(notifications::mutation_id.eq(Db(mutation)))
        .filter(notifications::workspace_id.eq(Db(workspace)))
        .filter(notifications::kind.eq(Db(NotificationKind::ScriptMessage)))
        .select(notifications::id);
    Ok(message.optional::<Db<NotificationId>>(conn).await?.is_some())
}

/// A workflow's journal, or what of it is about one subject, oldest first.
pub(in super::super) async fn journal(
    conn: &Conn,
    (workspace, workflow): (WorkspaceId, WorkflowId),
    subject: Option<&str>,
    page: Page<JournalCursor>,
) -> Result<Listed<JournalEntry, JournalCursor>> {
    let mut query = JournalRow::query()
        .filter(journal::workflow_id.eq(Db(workflow)))
        .filter(journal::workspace_id.eq(Db(workspace)))
        .order((journal::created_at, journal::id))
        .limit(page.n_rows())
        .into_boxed();
    if let Some(subject) = subject {
        query = query.filter(journal::subject.eq(subject));
    }
    if let Some(after) = &page.after {
        query = query.filter(JournalAfter::from(after));
    }
    let rows: Vec<JournalRow> = query.load(conn).await?;
    let position = |row: &JournalRow| Position { at: row.created_at.0, id: row.id.0 };
    Ok(page.of(rows, position, JournalEntry::from))
}
