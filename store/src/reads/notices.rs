//! What people are told: notifications, and the journal of what was done.

use diesel::prelude::*;
use windlass_core::{MutationId, NotificationId, WorkflowId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::model::{JournalEntry, Notification, NotificationKind};
use crate::rows::{Db, JournalRow, NotificationRow};
use crate::schema::{journal, notifications, workflows};

/// A workspace's notifications, newest first.
pub(super) async fn notifications(
    conn: &Conn,
    workspace: WorkspaceId,
) -> Result<Vec<Notification>> {
    let query = notifications::table
        .inner_join(workflows::table)
        .filter(notifications::workspace_id.eq(Db(workspace)))
        .select((NotificationRow::as_select(), workflows::name))
        .order((notifications::created_at.desc(), notifications::id.desc()));
    let found: Vec<(NotificationRow, String)> = query.load(conn).await?;
    Ok(found.into_iter().map(|(row, workflow)| row.into_notification(workflow)).collect())
}

/// Whether a script's message was entered.
pub(super) async fn has_message(
    conn: &Conn,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<bool> {
    let message = notifications::table
        .filter(notifications::mutation_id.eq(Db(mutation)))
        .filter(notifications::workspace_id.eq(Db(workspace)))
        .filter(notifications::kind.eq(Db(NotificationKind::ScriptMessage)))
        .select(notifications::id);
    Ok(message.first::<Db<NotificationId>>(conn).await.optional()?.is_some())
}

/// A workflow's journal, oldest first.
pub(super) async fn journal(
    conn: &Conn,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Result<Vec<JournalEntry>> {
    let query = JournalRow::query()
        .filter(journal::workflow_id.eq(Db(workflow)))
        .filter(journal::workspace_id.eq(Db(workspace)))
        .order((journal::created_at, journal::id));
    let rows: Vec<JournalRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(JournalEntry::from).collect())
}

/// What was done about one thing of a workflow, oldest first.
pub(super) async fn journal_for(
    conn: &Conn,
    workspace: WorkspaceId,
    (workflow, subject): (WorkflowId, &str),
) -> Result<Vec<JournalEntry>> {
    let query = JournalRow::query()
        .filter(journal::subject.eq(subject))
        .filter(journal::workflow_id.eq(Db(workflow)))
        .filter(journal::workspace_id.eq(Db(workspace)))
        .order((journal::created_at, journal::id));
    let rows: Vec<JournalRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(JournalEntry::from).collect())
}
