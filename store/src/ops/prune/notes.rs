//! Old notifications and entries of the journal.

use std::collections::{HashMap, HashSet};

use diesel::dsl::min;
use diesel::prelude::*;
use windlass_core::{JournalId, MutationId, NotificationId, RunId, ScriptId, WorkflowId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::{Step, Way, old, place};
use crate::error::Result;
use crate::literals::{IsOpen, IsUnsettled};
use crate::model::NotificationKind;
use crate::params::Pruned;
use crate::rows::{At, Db};
use crate::schema::{handler_runs, journal, mutations, notifications, workflows};

/// A notification as far as it matters here: id, instant, kind, when it was settled, and what sent it.
type OldNotification =
    (Db<NotificationId>, At, Db<NotificationKind>, Option<At>, Option<Db<MutationId>>);

/// Notifications whose cause was settled long ago, and messages of scripts, which ask for nothing.
pub(super) async fn notifications(tx: &Tx<'_>, step: &Step<'_>) -> Result<Pruned> {
    let found: Vec<OldNotification> = old!(tx, step, notifications.created_at where notifications::id.is_not_null(),
                                           notifications::kind, notifications::resolved_at, notifications::mutation_id);
    let senders: Vec<_> = found.iter().filter_map(|(.., mutation)| *mutation).collect();
    let mut unsettled = HashSet::new();
    for batch in senders.chunks(BATCH) {
        let open = mutations::table
            .filter(mutations::id.eq_any(batch))
            .filter(IsUnsettled)
            .select(mutations::id);
        let open: Vec<Db<MutationId>> = open.load(tx.conn).await?;
        unsettled.extend(open);
    }
    let over = found.iter().filter(|(_, _, Db(kind), resolved_at, mutation)| {
        let is_over = *kind == NotificationKind::ScriptMessage
            || resolved_at.is_some_and(|resolved_at| resolved_at <= step.cutoff);
        is_over && !mutation.is_some_and(|mutation| unsettled.contains(&mutation))
    });
    let ids: Vec<_> = over.map(|(id, ..)| *id).collect();
    if step.way == Way::Remove {
        for batch in ids.chunks(BATCH) {
            let removed = notifications::table.filter(notifications::id.eq_any(batch));
            diesel::delete(removed).execute(tx.conn).await?;
        }
    }
    let last = found.last().and_then(|(id, at, ..)| place(id, Some(*at)));
    Ok(step.pruned(ids.len(), found.len(), last))
}

/// An entry as far as it matters here: id, instant, workflow, and what it is about.
type OldEntry = (Db<JournalId>, At, Option<Db<WorkflowId>>, String);

/// Entries that are about nothing open, and of no workflow with an effect in doubt that is as old as they are.
pub(super) async fn journal(tx: &Tx<'_>, step: &Step<'_>) -> Result<Pruned> {
    let found: Vec<OldEntry> = old!(tx, step, journal.created_at where journal::id.is_not_null(),
                                    journal::workflow_id, journal::subject);
    let mut ids = Vec::new();
    for batch in found.chunks(BATCH) {
        let doubts = doubts(tx, batch.iter().filter_map(|(_, _, workflow, _)| *workflow)).await?;
        let subjects: Vec<String> = batch.iter().map(|(.., subject)| subject.clone()).collect();
        let open = open_subjects(tx, &subjects).await?;
        let over = batch.iter().filter(|(_, at, workflow, subject)| {
            let doubted = workflow.and_then(|workflow| doubts.get(&workflow));
            doubted.is_none_or(|since| at < since) && !open.contains(subject)
        });
        let over: Vec<_> = over.map(|(id, ..)| *id).collect();
        if step.way == Way::Remove {
            let removed = journal::table.filter(journal::id.eq_any(&over));
            diesel::delete(removed).execute(tx.conn).await?;
        }
        ids.extend(over);
    }
    let last = found.last().and_then(|(id, at, ..)| place(id, Some(*at)));
    Ok(step.pruned(ids.len(), found.len(), last))
}

/// Since when each workflow has an effect that nobody knows of.
async fn doubts(
    tx: &Tx<'_>,
    of: impl Iterator<Item = Db<WorkflowId>>,
) -> Result<HashMap<Db<WorkflowId>, At>> {
    let of: Vec<_> = of.collect::<HashSet<_>>().into_iter().collect();
    let doubts = mutations::table
        .filter(mutations::workflow_id.eq_any(of))
        .filter(IsUnsettled)
        .group_by(mutations::workflow_id)
        .select((mutations::workflow_id, min(mutations::created_at)));
    let doubts: Vec<(Db<WorkflowId>, Option<At>)> = doubts.load(tx.conn).await?;
    Ok(doubts.into_iter().filter_map(|(workflow, since)| Some((workflow, since?))).collect())
}

/// What of that is open: events, runs that are under way or hold their workflow, and the script versions that run.
async fn open_subjects(tx: &Tx<'_>, subjects: &[String]) -> Result<HashSet<String>> {
    let mut open = HashSet::new();
    let pending = super::pins::open_events(tx, subjects).await?;
    open.extend(pending.into_iter().map(|Db(id)| id.to_string()));
    let under_way = handler_runs::table
        .filter(handler_runs::id.eq_any(subjects))
        .filter(IsOpen)
        .select(handler_runs::id);
    let under_way: Vec<Db<RunId>> = under_way.load(tx.conn).await?;
    open.extend(under_way.into_iter().map(|Db(id)| id.to_string()));
    macro_rules! hold {
        ($column:ident: $id:ty) => {
            let locked = workflows::table.filter(workflows::$column.eq_any(subjects));
            let locked: Vec<Option<Db<$id>>> =
                locked.select(workflows::$column).load(tx.conn).await?;
            open.extend(locked.into_iter().flatten().map(|Db(id)| id.to_string()));
        };
    }
    hold!(stopped_by_run_id: RunId);
    hold!(pending_retry_run_id: RunId);
    hold!(active_script_id: ScriptId);
    Ok(open)
}
