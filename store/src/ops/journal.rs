//! The journal: who did what, and why.

use serde_json::{Value, json};
use windlass_core::{Failure, Text, WorkflowId, WorkspaceId};

use super::Tx;
use super::dialect::RunQueryDsl;
use super::locked_run::LockedRun;
use crate::error::Result;
use crate::rows::{At, Db, JournalRow, Json, WorkflowRow};
use crate::schema::journal;

/// The actor of what the engine does by itself.
const WINDLASS: &str = "windlass";

/// An entry of the journal.
pub(super) struct Entry<'a> {
    actor: &'a str,
    action: &'static str,
    subject: String,
    reason: Option<String>,
    details: Value,
}

impl<'a> Entry<'a> {
    /// An entry for what a person did.
    pub(super) fn by(actor: &'a str, action: &'static str, subject: &impl Text) -> Self {
        Self::on(actor, action, subject.to_text())
    }

    /// An entry for what a person did to something that has no id.
    pub(super) fn on(actor: &'a str, action: &'static str, subject: String) -> Self {
        Self { actor, action, subject, reason: None, details: json!({}) }
    }

    /// An entry for what the engine did.
    pub(super) fn by_windlass(action: &'static str, subject: &impl Text) -> Self {
        Entry::by(WINDLASS, action, subject)
    }

    /// The same entry with a reason.
    pub(super) fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// The same entry with details.
    pub(super) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

/// Adds an entry about a workflow.
pub(super) async fn add(tx: &Tx<'_>, workflow: &WorkflowRow, entry: Entry<'_>) -> Result<()> {
    insert(tx, workflow.workspace_id, Some(workflow.id), entry).await
}

/// Adds an entry about a workspace.
pub(super) async fn add_to_workspace(
    tx: &Tx<'_>,
    workspace: Db<WorkspaceId>,
    entry: Entry<'_>,
) -> Result<()> {
    insert(tx, workspace, None, entry).await
}

async fn insert(
    tx: &Tx<'_>,
    workspace_id: Db<WorkspaceId>,
    workflow_id: Option<Db<WorkflowId>>,
    entry: Entry<'_>,
) -> Result<()> {
    let row = JournalRow {
        id: Db(tx.mint()),
        workspace_id,
        workflow_id,
        actor: entry.actor.to_owned(),
        action: entry.action.to_owned(),
        subject: entry.subject,
        reason: entry.reason,
        details: Json(entry.details),
        session_id: None,
        seq: None,
        created_at: At(tx.now),
    };
    diesel::insert_into(journal::table).values(&row).execute(tx.conn).await?;
    Ok(())
}

/// Adds an entry about a run that stopped its workflow.
pub(super) async fn add_stop(tx: &Tx<'_>, locked: &LockedRun, failure: &Failure) -> Result<()> {
    let details =
        json!({ "status": locked.state.status, "class": failure.class, "error": failure.message });
    let entry = Entry::by_windlass("run.stopped", &locked.run.id.0).with(details);
    add(tx, &locked.workflow, entry).await
}
