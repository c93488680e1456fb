//! Notifications for a person who has to act, and messages of scripts.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Failure, RunId, Status, WorkflowId, reason_of};

use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::locked_run::LockedRun;
use super::{Operation, Tx};
use crate::error::{Result, StoreError};
use crate::literals::IsParked;
use crate::model::NotificationKind;
use crate::params::ScriptMessage;
use crate::rows::{At, Db, EventRow, MutationRow, NotificationRow, WorkflowRow, storable};
use crate::schema::{events, mutations, notifications};
use crate::tenant::in_workspace;

/// The notifications that are resolved when a workflow's error is cleared.
pub(super) const OF_ERROR: &[NotificationKind] =
    &[NotificationKind::Error, NotificationKind::MutationInDoubt];
/// The notifications that are resolved by a repair.
pub(super) const OF_FAILED_SCRIPT: &[NotificationKind] = &[NotificationKind::ScriptFailed];
/// The notifications that are resolved when a person resumes the workflow.
pub(super) const OF_ANY_STOP: &[NotificationKind] = &[
    NotificationKind::Error,
    NotificationKind::MutationInDoubt,
    NotificationKind::ScriptFailed,
    NotificationKind::EffectContradicted,
];

/// Notifies that a run stopped its workflow and a person has to act.
pub(super) async fn workflow_stopped(
    tx: &Tx<'_>,
    locked: &LockedRun,
    failure: &Failure,
) -> Result<()> {
    let notification = match locked.state.status {
        Status::PausedReconciliation if locked.state.is_uncertain() => {
            in_doubt(tx, locked, failure).await?
        }
        Status::FailedLogic => NewNotification {
            kind: NotificationKind::ScriptFailed,
            title: format!("the script of `{}` has to be repaired", locked.workflow.name),
            body: format!("{} failed: {}", subject(locked), explain(failure)),
            reason: None,
        },
        Status::Queued
        | Status::Active
        | Status::PausedTransient
        | Status::PausedReconciliation
        | Status::PausedApproval
        | Status::FailedInternal
        | Status::Committed
        | Status::Crashed => NewNotification {
            kind: NotificationKind::Error,
            title: format!("`{}` waits for you", locked.workflow.name),
            body: format!("{} stopped: {}", subject(locked), explain(failure)),
            reason: None,
        },
    };
    insert(tx, locked, notification).await?;
    journal::add_stop(tx, locked, failure).await
}

/// Notifies that a limit stopped a workflow, whatever became of the run.
pub(super) async fn workflow_limited(
    tx: &Tx<'_>,
    locked: &LockedRun,
    failure: &Failure,
) -> Result<()> {
    let notification = NewNotification {
        kind: NotificationKind::Error,
        title: format!("`{}` waits for you", locked.workflow.name),
        body: explain(failure),
        reason: None,
    };
    insert(tx, locked, notification).await?;
    journal::add_stop(tx, locked, failure).await
}

/// A notification about a run.
struct NewNotification {
    kind: NotificationKind,
    title: String,
    body: String,
    /// The reason of the parked events that it is about.
    reason: Option<String>,
}

async fn in_doubt(tx: &Tx<'_>, locked: &LockedRun, failure: &Failure) -> Result<NewNotification> {
    let row = MutationRow::query().filter(mutations::id.nullable().eq(locked.run.mutation_id));
    let row = row.first(tx.conn).await?;
    Ok(NewNotification {
        kind: NotificationKind::MutationInDoubt,
        title: format!("`{}` asks whether an effect happened", locked.workflow.name),
        body: format!(
            "`{}.{}` ({}), {}: look at {}, then say whether `{}` happened",
            row.tool_namespace,
            row.tool_method,
            row.ui_title,
            explain(failure),
            row.target,
            row.id.0
        ),
        reason: None,
    })
}

/// Notifies that late evidence contradicts what the ledger says of the run's mutation. `is` says how.
pub(super) async fn effect_contradicted(
    tx: &Tx<'_>,
    locked: &LockedRun,
    row: &MutationRow,
    is: &str,
) -> Result<()> {
    let Db(id) = row.id;
    let notification = NewNotification {
        kind: NotificationKind::EffectContradicted,
        title: format!(
            "`{}` is stopped: the ledger was wrong about an effect",
            locked.workflow.name
        ),
        body: format!(
            "`{}.{}` ({}): {is}. Look at {}, put right what is wrong there, skip or put back the parked events of this mutation, then \
             resume `{}`; `{id}` shows what is known",
            row.tool_namespace, row.tool_method, row.ui_title, row.target, locked.workflow.name
        ),
        reason: None,
    };
    insert(tx, locked, notification).await
}

/// Notifies that events were parked because it is not clear any more what became of their effect. `is` says why.
pub(super) async fn events_parked(
    tx: &Tx<'_>,
    locked: &LockedRun,
    count: usize,
    is: &str,
) -> Result<()> {
    let notification = NewNotification {
        kind: NotificationKind::EventParked,
        title: format!("`{}` parked {count} event(s)", locked.workflow.name),
        body: format!(
            "of their effect, {is}: skip them if it happened, or put them back to have it done once more"
        ),
        reason: Some(reason_of(is)),
    };
    insert(tx, locked, notification).await
}

/// Notifies that an event was parked. Events that are parked for the same reason have one notification together.
pub(super) async fn event_parked(
    tx: &Tx<'_>,
    locked: &LockedRun,
    event: &EventRow,
    why: &str,
) -> Result<()> {
    let (workflow, Db(id)) = (&locked.workflow, event.id);
    let details = json!({ "message_id": event.message_id, "error": why });
    let entry = Entry::by_windlass("event.parked", &id).with(details);
    journal::add(tx, workflow, entry).await?;
    let reason = reason_of(why);
    let (title, body) = parked_text(tx, workflow, event, &reason, why).await?;
    let grouped = notifications::workflow_id
        .eq(workflow.id)
        .and(notifications::resolved_at.is_null())
        .and(notifications::kind.eq(Db(NotificationKind::EventParked)))
        .and(notifications::reason.eq(&reason));
    let n_grouped = diesel::update(notifications::table.filter(grouped))
        .set((notifications::title.eq(&title), notifications::body.eq(&body)))
        .execute(tx.conn)
        .await?;
    if n_grouped > 0 {
        return Ok(());
    }
    let kind = NotificationKind::EventParked;
    insert(tx, locked, NewNotification { kind, title, body, reason: Some(reason) }).await
}

/// The title and the body of the notification about all events that are parked for a reason, of which `event` is the last.
async fn parked_text(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    event: &EventRow,
    reason: &str,
    why: &str,
) -> Result<(String, String)> {
    let same = events::table
        .filter(events::workflow_id.eq(workflow.id))
        .filter(IsParked)
        .filter(events::reason.eq(reason))
        .count();
    let n_parked: i64 = same.get_result(tx.conn).await?;
    let (name, message_id, Db(id)) = (&workflow.name, &event.message_id, event.id);
    Ok(if n_parked > 1 {
        let body = format!(
            "the last of them is `{message_id}`, because {why}: mend the cause, then put them back or skip them"
        );
        (format!("`{name}` parked {n_parked} events, same reason"), body)
    } else {
        let body = format!(
            "the runs of event `{message_id}` failed, because {why}: mend the cause, then put `{id}` back or skip it"
        );
        (format!("`{name}` parked an event"), body)
    })
}

/// Resolves the notifications about parked events of which none is parked any more.
pub(super) async fn resolve_parked(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<()> {
    let reasons = events::table
        .filter(events::workflow_id.eq(workflow))
        .filter(IsParked)
        .select(events::reason)
        .distinct();
    let reasons: Vec<Option<String>> = reasons.load(tx.conn).await?;
    let has_without_reason = reasons.contains(&None);
    let left: Vec<String> = reasons.into_iter().flatten().collect();
    let open = || {
        notifications::workflow_id
            .eq(workflow)
            .and(notifications::resolved_at.is_null())
            .and(notifications::kind.eq(Db(NotificationKind::EventParked)))
    };
    let is_over = notifications::reason.is_not_null().and(notifications::reason.ne_all(left));
    diesel::update(notifications::table.filter(open().and(is_over)))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    if !has_without_reason {
        diesel::update(notifications::table.filter(open().and(notifications::reason.is_null())))
            .set(notifications::resolved_at.eq(Some(At(tx.now))))
            .execute(tx.conn)
            .await?;
    }
    Ok(())
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

async fn insert(tx: &Tx<'_>, locked: &LockedRun, notification: NewNotification) -> Result<()> {
    let is_about_mutation = matches!(
        notification.kind,
        NotificationKind::MutationInDoubt | NotificationKind::EffectContradicted
    );
    let row = NotificationRow {
        id: Db(tx.mint()),
        workspace_id: locked.workflow.workspace_id,
        workflow_id: locked.workflow.id,
        kind: Db(notification.kind),
        run_id: Some(locked.run.id),
        mutation_id: locked.run.mutation_id.filter(|_| is_about_mutation),
        title: notification.title,
        body: storable(notification.body),
        reason: notification.reason,
        session_id: None,
        approval_id: None,
        created_at: At(tx.now),
        resolved_at: None,
    };
    diesel::insert_into(notifications::table).values(&row).execute(tx.conn).await?;
    Ok(())
}

/// Resolves the workflow's open notifications of these kinds.
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
            id: Db(tx.mint()),
            workspace_id: Db(self.workspace),
            workflow_id: Db(self.workflow),
            kind: Db(NotificationKind::ScriptMessage),
            run_id: Some(sender(tx, &self).await?),
            mutation_id: Some(Db(self.mutation)),
            title: storable(self.title),
            body: storable(self.body),
            reason: None,
            session_id: None,
            approval_id: None,
            created_at: At(tx.now),
            resolved_at: None,
        };
        // The only conflict is that the mutation has sent this message already.
        diesel::insert_into(notifications::table)
            .values(&row)
            .on_conflict_do_nothing()
            .execute(tx.conn)
            .await?;
        Ok(())
    }
}

/// The run of the mutation that sends the message.
async fn sender(tx: &Tx<'_>, message: &ScriptMessage) -> Result<Db<RunId>> {
    let run = mutations::table
        .filter(mutations::id.eq(Db(message.mutation)))
        .filter(mutations::workflow_id.eq(Db(message.workflow)))
        .filter(in_workspace!(message.workspace, Db(message.workflow)))
        .select(mutations::handler_run_id);
    let run = run.optional(tx.conn).await?;
    run.ok_or_else(|| StoreError::not_found("mutation", &message.mutation))
}
