//! What is told: the journal for whoever asks later, notifications for whoever has to act.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_core::{
    Failure, Id, JournalId, NotificationId, RunId, Status, Text, WorkflowId, WorkspaceId,
};

use super::dialect::RunQueryDsl;
use super::locked_run::LockedRun;
use super::{Operation, Tx};
use crate::error::{Result, StoreError};
use crate::model::NotificationKind;
use crate::params::ScriptMessage;
use crate::rows::{
    At, Db, EventRow, JournalRow, Json, MutationRow, NotificationRow, WorkflowRow, storable,
};
use crate::schema::{journal, mutations, notifications};
use crate::tenant::is_of;

/// Who acts where no person does.
const WINDLASS: &str = "windlass";

/// What a settled error settles.
pub(super) const OF_AN_ERROR: &[NotificationKind] =
    &[NotificationKind::Error, NotificationKind::MutationInDoubt];
/// What a repair settles.
pub(super) const OF_A_REPAIR: &[NotificationKind] = &[NotificationKind::ScriptFailed];
/// What a person settles who resumes the workflow.
pub(super) const OF_ANY_STOP: &[NotificationKind] =
    &[NotificationKind::Error, NotificationKind::MutationInDoubt, NotificationKind::ScriptFailed];

/// An entry of the journal.
pub(super) struct Entry<'a> {
    actor: &'a str,
    action: &'static str,
    subject: String,
    reason: Option<String>,
    details: Value,
}

impl<'a> Entry<'a> {
    /// A person did it.
    pub(super) fn by(actor: &'a str, action: &'static str, subject: &impl Text) -> Self {
        Self::on(actor, action, subject.to_text())
    }

    /// A person did it to something that has no id.
    pub(super) fn on(actor: &'a str, action: &'static str, subject: String) -> Self {
        Self { actor, action, subject, reason: None, details: json!({}) }
    }

    /// The engine did it.
    pub(super) fn by_windlass(action: &'static str, subject: &impl Text) -> Self {
        Entry::by(WINDLASS, action, subject)
    }

    pub(super) fn context(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    pub(super) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }
}

/// Enters what was done to a workflow.
pub(super) async fn journal(tx: &Tx<'_>, workflow: &WorkflowRow, entry: Entry<'_>) -> Result<()> {
    journal_of(tx, (workflow.workspace_id, Some(workflow.id)), entry).await
}

/// Enters what was done in a workspace, to one of its workflows or to all.
pub(super) async fn journal_of(
    tx: &Tx<'_>,
    (workspace_id, workflow_id): (Db<WorkspaceId>, Option<Db<WorkflowId>>),
    entry: Entry<'_>,
) -> Result<()> {
    let row = JournalRow {
        id: Db(JournalId::mint(tx.now)),
        workspace_id,
        workflow_id,
        actor: entry.actor.to_owned(),
        action: entry.action.to_owned(),
        subject: entry.subject,
        reason: entry.reason,
        details: Json(entry.details),
        created_at: At(tx.now),
    };
    diesel::insert_into(journal::table).values(&row).execute(tx.conn).await?;
    Ok(())
}

/// A run stopped its workflow, and a person has to act.
pub(super) async fn stopped(tx: &Tx<'_>, locked: &LockedRun, failure: &Failure) -> Result<()> {
    let notice = match locked.state.status {
        Status::PausedReconciliation if locked.state.is_uncertain() => {
            in_doubt(tx, locked, failure).await?
        }
        Status::FailedLogic => Notice {
            kind: NotificationKind::ScriptFailed,
            title: format!("the script of `{}` has to be repaired", locked.workflow.name),
            body: format!("{} failed: {}", subject(locked), explain(failure)),
        },
        Status::Queued
        | Status::Active
        | Status::PausedTransient
        | Status::PausedReconciliation
        | Status::PausedApproval
        | Status::FailedInternal
        | Status::Committed
        | Status::Crashed => Notice {
            kind: NotificationKind::Error,
            title: format!("`{}` waits for you", locked.workflow.name),
            body: format!("{} stopped: {}", subject(locked), explain(failure)),
        },
    };
    notify(tx, locked, notice).await?;
    journal_stop(tx, locked, failure).await
}

/// A run stopped its workflow.
pub(super) async fn journal_stop(tx: &Tx<'_>, locked: &LockedRun, failure: &Failure) -> Result<()> {
    let details =
        json!({ "status": locked.state.status, "class": failure.class, "error": failure.message });
    let entry = Entry::by_windlass("run.stopped", &locked.run.id.0).with(details);
    journal(tx, &locked.workflow, entry).await
}

struct Notice {
    kind: NotificationKind,
    title: String,
    body: String,
}

async fn in_doubt(tx: &Tx<'_>, locked: &LockedRun, failure: &Failure) -> Result<Notice> {
    let row = MutationRow::query().filter(mutations::id.nullable().eq(locked.run.mutation_id));
    let row = row.first(tx.conn).await?;
    Ok(Notice {
        kind: NotificationKind::MutationInDoubt,
        title: format!("`{}` asks whether an effect happened", locked.workflow.name),
        body: format!(
            "`{}.{}` ({}), {}: look at {}, then settle it with `windlass resolve {}`",
            row.tool_namespace,
            row.tool_method,
            row.ui_title,
            explain(failure),
            row.target,
            row.id.0
        ),
    })
}

/// An event was taken out of the way.
pub(super) async fn parked(tx: &Tx<'_>, locked: &LockedRun, event: &EventRow) -> Result<()> {
    let Db(id) = event.id;
    let why = event.blamed_for.as_deref().unwrap_or("the runs that had it were lost");
    let notice = Notice {
        kind: NotificationKind::EventParked,
        title: format!("`{}` parked an event", locked.workflow.name),
        body: format!(
            "event `{}` went wrong {} times, the last time because {why}: look at it with `windlass show {id}`, then put it back or \
             skip it with `windlass event {id}`",
            event.message_id, event.blamed
        ),
    };
    notify(tx, locked, notice).await?;
    let details = json!({ "message_id": event.message_id, "blamed": event.blamed, "error": why });
    let entry = Entry::by_windlass("event.parked", &id).with(details);
    journal(tx, &locked.workflow, entry).await
}

fn subject(locked: &LockedRun) -> String {
    format!("{} `{}`", locked.run.kind.0, locked.run.handler_name)
}

fn explain(failure: &Failure) -> String {
    let mut text = failure.message.clone();
    if let Some(service) = &failure.service {
        let account = service.account.as_ref().map(|name| format!(" as `{name}`"));
        text = format!("{text} (`{}`{})", service.name, account.unwrap_or_default());
    }
    if let Some(at) = &failure.at {
        text = format!("{text}, at {at}");
    }
    text
}

async fn notify(tx: &Tx<'_>, locked: &LockedRun, notice: Notice) -> Result<()> {
    let is_doubt = notice.kind == NotificationKind::MutationInDoubt;
    let row = NotificationRow {
        id: Db(NotificationId::mint(tx.now)),
        workspace_id: locked.workflow.workspace_id,
        workflow_id: locked.workflow.id,
        kind: Db(notice.kind),
        run_id: Some(locked.run.id),
        mutation_id: locked.run.mutation_id.filter(|_| is_doubt),
        title: notice.title,
        body: storable(notice.body),
        created_at: At(tx.now),
        acknowledged_at: None,
        resolved_at: None,
    };
    diesel::insert_into(notifications::table).values(&row).execute(tx.conn).await?;
    Ok(())
}

/// The cause of open notifications of these kinds is settled.
pub(super) async fn resolve(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
    kinds: &[NotificationKind],
) -> Result<()> {
    let open = notifications::workflow_id
        .eq(workflow)
        .and(notifications::resolved_at.is_null())
        .and(notifications::kind.eq_any(kinds.iter().map(|kind| Db(*kind))));
    diesel::update(notifications::table.filter(open))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}

impl Operation for ScriptMessage {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let row = NotificationRow {
            id: Db(NotificationId::mint(tx.now)),
            workspace_id: Db(self.workspace),
            workflow_id: Db(self.workflow),
            kind: Db(NotificationKind::ScriptMessage),
            run_id: Some(sender(tx, &self).await?),
            mutation_id: Some(Db(self.mutation)),
            title: storable(self.title),
            body: storable(self.body),
            created_at: At(tx.now),
            acknowledged_at: None,
            resolved_at: None,
        };
        // The one unique constraint of the table that this row can meet is that its mutation has sent it already.
        diesel::insert_into(notifications::table)
            .values(&row)
            .on_conflict_do_nothing()
            .execute(tx.conn)
            .await?;
        Ok(())
    }
}

/// The run of the mutation that sends it.
async fn sender(tx: &Tx<'_>, message: &ScriptMessage) -> Result<Db<RunId>> {
    let run = mutations::table
        .filter(mutations::id.eq(Db(message.mutation)))
        .filter(mutations::workflow_id.eq(Db(message.workflow)))
        .filter(is_of!(message.workspace, Db(message.workflow)))
        .select(mutations::handler_run_id);
    let run = run.first(tx.conn).await.optional()?;
    run.ok_or_else(|| StoreError::not_found("mutation", &message.mutation))
}
