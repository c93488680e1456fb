//! Old entries of the journal.

use std::collections::{HashMap, HashSet};

use diesel::dsl::min;
use diesel::prelude::*;
use windlass_core::{JournalId, RunId, ScriptId, SessionId, WorkflowId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::{Mode, Step, cursor_after, old_records};
use crate::error::Result;
use crate::literals::{IsOpen, IsUnsettled};
use crate::params::PruneStep;
use crate::rows::{At, Db};
use crate::schema::{handler_runs, journal, mutations, sessions, workflows};

/// Id, time, workflow, subject and session of an entry.
type OldEntry = (Db<JournalId>, At, Option<Db<WorkflowId>>, String, Option<Db<SessionId>>);

/// Prunes entries, except those about something open, those of runs of graphs that are not over, and those since the oldest unsettled
/// mutation of their workflow.
pub(super) async fn journal(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<OldEntry> = old_records!(tx, step, journal.created_at where journal::id.is_not_null(),
                                    journal::workflow_id, journal::subject, journal::session_id);
    let mut ids = Vec::new();
    for batch in found.chunks(BATCH) {
        let unsettled =
            oldest_unsettled(tx, batch.iter().filter_map(|(_, _, workflow, ..)| *workflow)).await?;
        let subjects: Vec<String> = batch.iter().map(|(.., subject, _)| subject.clone()).collect();
        let open = open_subjects(tx, &subjects).await?;
        let under_way =
            open_sessions(tx, batch.iter().filter_map(|(.., session)| *session)).await?;
        let over = batch.iter().filter(|(_, at, workflow, subject, session)| {
            let since = workflow.and_then(|workflow| unsettled.get(&workflow));
            let is_open = session.is_some_and(|session| under_way.contains(&session));
            since.is_none_or(|since| at < since) && !open.contains(subject) && !is_open
        });
        let over: Vec<_> = over.map(|(id, ..)| *id).collect();
        if step.mode == Mode::Remove {
            let removed = journal::table.filter(journal::id.eq_any(&over));
            diesel::delete(removed).execute(tx.conn).await?;
        }
        ids.extend(over);
    }
    let last = found.last().and_then(|(id, at, ..)| cursor_after(id, Some(*at)));
    Ok(step.pruned(ids.len(), found.len(), last))
}

/// When the oldest unsettled mutation of each workflow was made.
async fn oldest_unsettled(
    tx: &Tx<'_>,
    of: impl Iterator<Item = Db<WorkflowId>>,
) -> Result<HashMap<Db<WorkflowId>, At>> {
    let of: Vec<_> = of.collect::<HashSet<_>>().into_iter().collect();
    let unsettled = mutations::table
        .filter(mutations::workflow_id.eq_any(of))
        .filter(IsUnsettled)
        .group_by(mutations::workflow_id)
        .select((mutations::workflow_id, min(mutations::created_at)));
    let unsettled: Vec<(Db<WorkflowId>, Option<At>)> = unsettled.load(tx.conn).await?;
    Ok(unsettled.into_iter().filter_map(|(workflow, since)| Some((workflow, since?))).collect())
}

/// The runs of graphs that are not over. Their journals have no gaps, and a checkpoint is part of the journal.
async fn open_sessions(
    tx: &Tx<'_>,
    of: impl Iterator<Item = Db<SessionId>>,
) -> Result<HashSet<Db<SessionId>>> {
    let of: Vec<_> = of.collect::<HashSet<_>>().into_iter().collect();
    let open = sessions::table
        .filter(sessions::id.eq_any(of))
        .filter(sessions::result.is_null())
        .select(sessions::id);
    let open: Vec<Db<SessionId>> = open.load(tx.conn).await?;
    Ok(open.into_iter().collect())
}

/// The subjects that are open: events, runs that are open or that their workflow refers to, and active script versions.
async fn open_subjects(tx: &Tx<'_>, subjects: &[String]) -> Result<HashSet<String>> {
    let mut open = HashSet::new();
    let pending = super::references::open_events(tx, subjects).await?;
    open.extend(pending.into_iter().map(|Db(id)| id.to_string()));
    let open_runs = handler_runs::table
        .filter(handler_runs::id.eq_any(subjects))
        .filter(IsOpen)
        .select(handler_runs::id);
    let open_runs: Vec<Db<RunId>> = open_runs.load(tx.conn).await?;
    open.extend(open_runs.into_iter().map(|Db(id)| id.to_string()));
    macro_rules! referred_to_as {
        ($column:ident: $id:ty) => {
            let ids = workflows::table.filter(workflows::$column.eq_any(subjects));
            let ids: Vec<Option<Db<$id>>> = ids.select(workflows::$column).load(tx.conn).await?;
            open.extend(ids.into_iter().flatten().map(|Db(id)| id.to_string()));
        };
    }
    referred_to_as!(stopped_by_run_id: RunId);
    referred_to_as!(pending_retry_run_id: RunId);
    referred_to_as!(active_script_id: ScriptId);
    Ok(open)
}
