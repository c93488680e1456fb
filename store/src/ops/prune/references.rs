//! Which old records are needed, because a kept record refers to them.

use std::collections::HashSet;
use std::hash::Hash;

use diesel::dsl::not;
use diesel::prelude::*;
use windlass_core::{EventId, MutationId, RunId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::{Mode, RemovedUntil};
use crate::error::Result;
use crate::literals::{IsOver, IsSettled};
use crate::model::NotificationKind;
use crate::rows::{At, Db, Json};
use crate::schema::{
    event_rounds, events, handler_runs, handler_state, mutations, notifications, sessions,
    workflows,
};

/// Id, stopped run, and time of end of a retry.
type Retry = (Db<RunId>, Option<Db<RunId>>, Option<At>);

/// The condition that a notification is kept.
macro_rules! kept_notification {
    ($removed:expr) => {{
        let is_open = notifications::resolved_at
            .is_null()
            .or(notifications::resolved_at.gt($removed.notifications));
        let is_question = notifications::kind.ne(Db(NotificationKind::ScriptMessage));
        notifications::created_at.gt($removed.notifications).or(is_question.and(is_open))
    }};
}

/// The runs that a kept record refers to, or whose session is open.
pub(super) async fn needed_runs(
    tx: &Tx<'_>,
    removed: &RemovedUntil,
    runs: &[Db<RunId>],
) -> Result<HashSet<Db<RunId>>> {
    let mut needed = HashSet::new();
    let together: HashSet<_> = runs.iter().copied().collect();
    for batch in runs.chunks(BATCH) {
        macro_rules! add_referred {
            ($column:expr, $from:expr) => {
                let found = $from.filter($column.eq_any(batch)).select($column).distinct();
                let found: Vec<Option<Db<RunId>>> = found.load(tx.conn).await?;
                needed.extend(found.into_iter().flatten());
            };
        }
        let kept_event = || not(IsOver.and(events::updated_at.le(removed.events)));
        add_referred!(workflows::stopped_by_run_id, workflows::table);
        add_referred!(workflows::pending_retry_run_id, workflows::table);
        add_referred!(handler_state::updated_by_run_id, handler_state::table);
        add_referred!(events::created_by_run_id.nullable(), events::table.filter(kept_event()));
        add_referred!(events::reserved_by_run_id, events::table.filter(kept_event()));
        add_referred!(
            event_rounds::run_id.nullable(),
            event_rounds::table.inner_join(events::table).filter(kept_event())
        );
        add_referred!(
            notifications::run_id,
            notifications::table.filter(kept_notification!(removed))
        );
        let in_open_session = handler_runs::table
            .inner_join(sessions::table)
            .filter(handler_runs::id.eq_any(batch).and(sessions::result.is_null()))
            .select(handler_runs::id);
        let in_open_session: Vec<Db<RunId>> = in_open_session.load(tx.conn).await?;
        needed.extend(in_open_session);
        let continued = handler_runs::table.filter(handler_runs::retry_of.eq_any(batch)).select((
            handler_runs::id,
            handler_runs::retry_of,
            handler_runs::ended_at,
        ));
        let continued: Vec<Retry> = continued.load(tx.conn).await?;
        let kept = continued.into_iter().filter(|(id, _, ended_at)| {
            !together.contains(id) && ended_at.is_none_or(|ended_at| ended_at > removed.runs)
        });
        needed.extend(kept.filter_map(|(_, of, _)| of));
    }
    Ok(needed)
}

/// Id and events of a settled mutation.
pub(super) type Settled = (Db<MutationId>, Json<Vec<EventId>>);

/// Id, mutation and time of end of a run.
pub(super) type MutationRun = (Db<RunId>, Option<Db<MutationId>>, Option<At>);

/// The runs of these mutations, retries included.
pub(super) async fn runs_of(tx: &Tx<'_>, settled: &[Settled]) -> Result<Vec<MutationRun>> {
    let mut runs = Vec::new();
    for batch in settled.chunks(BATCH) {
        let of = handler_runs::table
            .filter(handler_runs::mutation_id.eq_any(batch.iter().map(|(id, _)| *id)))
            .select((handler_runs::id, handler_runs::mutation_id, handler_runs::ended_at));
        let of: Vec<MutationRun> = of.load(tx.conn).await?;
        runs.extend(of);
    }
    Ok(runs)
}

/// The mutations that are needed: one of their runs is needed or ended after the cutoff, one of their events is open, so that the
/// same operation may be attempted again, or a kept notification is about them.
pub(super) async fn needed_mutations(
    tx: &Tx<'_>,
    removed: &RemovedUntil,
    settled: &[Settled],
    cutoff: At,
    runs: &[MutationRun],
) -> Result<HashSet<Db<MutationId>>> {
    let ids: Vec<_> = runs.iter().map(|(run, ..)| *run).collect();
    let needed = needed_runs(tx, removed, &ids).await?;
    let is_kept = |run, ended_at: Option<At>| {
        needed.contains(run) || ended_at.is_none_or(|ended_at| ended_at > cutoff)
    };
    let kept = runs.iter().filter(|(run, _, ended_at)| is_kept(run, *ended_at));
    let mut needed: HashSet<_> = kept.filter_map(|(_, mutation, _)| *mutation).collect();
    let mut open_ids: HashSet<EventId> = HashSet::new();
    let events: Vec<_> =
        settled.iter().flat_map(|(_, Json(events))| events).map(ToString::to_string).collect();
    for batch in events.chunks(BATCH) {
        open_ids.extend(open_events(tx, batch).await?.into_iter().map(|Db(id)| id));
    }
    let open =
        settled.iter().filter(|(_, Json(events))| events.iter().any(|id| open_ids.contains(id)));
    needed.extend(open.map(|(id, _)| *id));
    for batch in settled.chunks(BATCH) {
        let notified = notifications::table
            .filter(notifications::mutation_id.eq_any(batch.iter().map(|(id, _)| *id)))
            .filter(kept_notification!(removed))
            .select(notifications::mutation_id)
            .distinct();
        let notified: Vec<Option<Db<MutationId>>> = notified.load(tx.conn).await?;
        needed.extend(notified.into_iter().flatten());
    }
    Ok(needed)
}

/// The ids that are those of open events.
pub(super) async fn open_events(tx: &Tx<'_>, ids: &[String]) -> Result<Vec<Db<EventId>>> {
    let open = events::table.filter(events::id.eq_any(ids)).filter(not(IsOver)).select(events::id);
    open.load(tx.conn).await
}

/// The runs that do not count as removed.
pub(super) async fn kept_runs(
    tx: &Tx<'_>,
    removed: &RemovedUntil,
    runs: &[Db<RunId>],
) -> Result<HashSet<Db<RunId>>> {
    let all = || runs.iter().copied().collect::<HashSet<_>>();
    if removed.mode == Mode::Remove {
        return Ok(all());
    }
    let mut kept = all();
    for batch in runs.chunks(BATCH) {
        let rows = handler_runs::table.filter(handler_runs::id.eq_any(batch)).select((
            handler_runs::id,
            handler_runs::mutation_id,
            handler_runs::ended_at,
        ));
        let rows: Vec<MutationRun> = rows.load(tx.conn).await?;
        let (alone, with): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, mutation, _)| mutation.is_none());
        let alone: Vec<_> = alone
            .into_iter()
            .filter(|(_, _, ended_at)| ended_at.is_some_and(|ended_at| ended_at <= removed.runs))
            .map(|(run, ..)| run)
            .collect();
        let needed = needed_runs(tx, removed, &alone).await?;
        for run in alone.iter().filter(|run| !needed.contains(run)) {
            kept.remove(run);
        }
        let settled =
            removed_mutations(tx, removed, with.iter().filter_map(|(_, mutation, _)| *mutation))
                .await?;
        for (run, mutation, _) in with {
            if mutation.is_some_and(|mutation| settled.contains(&mutation)) {
                kept.remove(&run);
            }
        }
    }
    Ok(kept)
}

/// The mutations that count as removed.
async fn removed_mutations(
    tx: &Tx<'_>,
    removed: &RemovedUntil,
    settled: impl Iterator<Item = Db<MutationId>>,
) -> Result<HashSet<Db<MutationId>>> {
    let ids = unique(settled);
    let old = mutations::table
        .filter(mutations::id.eq_any(ids))
        .filter(IsSettled)
        .filter(mutations::updated_at.le(removed.mutations))
        .select((mutations::id, mutations::event_ids));
    let old: Vec<Settled> = old.load(tx.conn).await?;
    let runs = runs_of(tx, &old).await?;
    let needed = needed_mutations(tx, removed, &old, removed.mutations, &runs).await?;
    Ok(old.into_iter().map(|(id, _)| id).filter(|id| !needed.contains(id)).collect())
}

fn unique<T: Hash + Eq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect::<HashSet<_>>().into_iter().collect()
}
