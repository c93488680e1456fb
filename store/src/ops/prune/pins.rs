//! What keeps a record though it is old: what refers to it and is not gone.

use std::collections::HashSet;
use std::hash::Hash;

use diesel::dsl::not;
use diesel::prelude::*;
use windlass_core::{EventId, MutationId, RunId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::{Gone, Way};
use crate::error::Result;
use crate::literals::{IsOver, IsSettled};
use crate::model::NotificationKind;
use crate::rows::{At, Db, Json};
use crate::schema::{
    events, handler_runs, handler_state, mutations, notifications, sessions, workflows,
};

/// A run that continues another: its id, the other one, and when it ended.
type Continuing = (Db<RunId>, Option<Db<RunId>>, Option<At>);

/// Whether a notification is not gone.
macro_rules! kept_notification {
    ($gone:expr) => {{
        let is_open = notifications::resolved_at
            .is_null()
            .or(notifications::resolved_at.gt($gone.notifications));
        let is_question = notifications::kind.ne(Db(NotificationKind::ScriptMessage));
        notifications::created_at.gt($gone.notifications).or(is_question.and(is_open))
    }};
}

/// Those of the runs that something refers to which is not gone, or whose session is open.
pub(super) async fn pinned_runs(
    tx: &Tx<'_>,
    gone: &Gone,
    runs: &[Db<RunId>],
) -> Result<HashSet<Db<RunId>>> {
    let mut pinned = HashSet::new();
    let together: HashSet<_> = runs.iter().copied().collect();
    for batch in runs.chunks(BATCH) {
        macro_rules! pin {
            ($column:expr, $from:expr) => {
                let found = $from.filter($column.eq_any(batch)).select($column).distinct();
                let found: Vec<Option<Db<RunId>>> = found.load(tx.conn).await?;
                pinned.extend(found.into_iter().flatten());
            };
        }
        let kept_event = || not(IsOver.and(events::updated_at.le(gone.events)));
        pin!(workflows::stopped_by_run_id, workflows::table);
        pin!(workflows::pending_retry_run_id, workflows::table);
        pin!(handler_state::updated_by_run_id, handler_state::table);
        pin!(events::created_by_run_id.nullable(), events::table.filter(kept_event()));
        pin!(events::reserved_by_run_id, events::table.filter(kept_event()));
        pin!(notifications::run_id, notifications::table.filter(kept_notification!(gone)));
        let in_open_session = handler_runs::table
            .inner_join(sessions::table)
            .filter(handler_runs::id.eq_any(batch).and(sessions::result.is_null()))
            .select(handler_runs::id);
        let in_open_session: Vec<Db<RunId>> = in_open_session.load(tx.conn).await?;
        pinned.extend(in_open_session);
        let continued = handler_runs::table.filter(handler_runs::retry_of.eq_any(batch)).select((
            handler_runs::id,
            handler_runs::retry_of,
            handler_runs::ended_at,
        ));
        let continued: Vec<Continuing> = continued.load(tx.conn).await?;
        let kept = continued.into_iter().filter(|(id, _, ended_at)| {
            !together.contains(id) && ended_at.is_none_or(|ended_at| ended_at > gone.runs)
        });
        pinned.extend(kept.filter_map(|(_, of, _)| of));
    }
    Ok(pinned)
}

/// A settled effect: its id, and the events that it is for.
pub(super) type Settled = (Db<MutationId>, Json<Vec<EventId>>);

/// A run of an effect: its id, the effect, and when it ended.
pub(super) type RunOfEffect = (Db<RunId>, Option<Db<MutationId>>, Option<At>);

/// The runs that made these effects or went on after them.
pub(super) async fn runs_of(tx: &Tx<'_>, effects: &[Settled]) -> Result<Vec<RunOfEffect>> {
    let mut runs = Vec::new();
    for batch in effects.chunks(BATCH) {
        let of = handler_runs::table
            .filter(handler_runs::mutation_id.eq_any(batch.iter().map(|(id, _)| *id)))
            .select((handler_runs::id, handler_runs::mutation_id, handler_runs::ended_at));
        let of: Vec<RunOfEffect> = of.load(tx.conn).await?;
        runs.extend(of);
    }
    Ok(runs)
}

/// Those of the effects that are needed: one of their runs has not ended long enough or is referred to, one of their events is
/// open, so that the same question may be asked again, or a notification tells of them.
pub(super) async fn needed_effects(
    tx: &Tx<'_>,
    gone: &Gone,
    (effects, cutoff): (&[Settled], At),
    runs: &[RunOfEffect],
) -> Result<HashSet<Db<MutationId>>> {
    let ids: Vec<_> = runs.iter().map(|(run, ..)| *run).collect();
    let pinned = pinned_runs(tx, gone, &ids).await?;
    let is_kept = |run, ended_at: Option<At>| {
        pinned.contains(run) || ended_at.is_none_or(|ended_at| ended_at > cutoff)
    };
    let kept = runs.iter().filter(|(run, _, ended_at)| is_kept(run, *ended_at));
    let mut needed: HashSet<_> = kept.filter_map(|(_, effect, _)| *effect).collect();
    let mut asked: HashSet<EventId> = HashSet::new();
    let events: Vec<_> =
        effects.iter().flat_map(|(_, Json(events))| events).map(ToString::to_string).collect();
    for batch in events.chunks(BATCH) {
        asked.extend(open_events(tx, batch).await?.into_iter().map(|Db(id)| id));
    }
    let open =
        effects.iter().filter(|(_, Json(events))| events.iter().any(|id| asked.contains(id)));
    needed.extend(open.map(|(id, _)| *id));
    for batch in effects.chunks(BATCH) {
        let told = notifications::table
            .filter(notifications::mutation_id.eq_any(batch.iter().map(|(id, _)| *id)))
            .filter(kept_notification!(gone))
            .select(notifications::mutation_id)
            .distinct();
        let told: Vec<Option<Db<MutationId>>> = told.load(tx.conn).await?;
        needed.extend(told.into_iter().flatten());
    }
    Ok(needed)
}

/// Those that are events and not over.
pub(super) async fn open_events(tx: &Tx<'_>, ids: &[String]) -> Result<Vec<Db<EventId>>> {
    let open = events::table.filter(events::id.eq_any(ids)).filter(not(IsOver)).select(events::id);
    Ok(open.load(tx.conn).await?)
}

/// Those of the runs that are not gone.
pub(super) async fn kept_runs(
    tx: &Tx<'_>,
    gone: &Gone,
    runs: &[Db<RunId>],
) -> Result<HashSet<Db<RunId>>> {
    let all = || runs.iter().copied().collect::<HashSet<_>>();
    if gone.way == Way::Remove {
        return Ok(all());
    }
    let mut kept = all();
    for batch in runs.chunks(BATCH) {
        let rows = handler_runs::table.filter(handler_runs::id.eq_any(batch)).select((
            handler_runs::id,
            handler_runs::mutation_id,
            handler_runs::ended_at,
        ));
        let rows: Vec<RunOfEffect> = rows.load(tx.conn).await?;
        let (alone, with): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, effect, _)| effect.is_none());
        let alone: Vec<_> = alone
            .into_iter()
            .filter(|(_, _, ended_at)| ended_at.is_some_and(|ended_at| ended_at <= gone.runs))
            .map(|(run, ..)| run)
            .collect();
        let pinned = pinned_runs(tx, gone, &alone).await?;
        for run in alone.iter().filter(|run| !pinned.contains(run)) {
            kept.remove(run);
        }
        let effects =
            gone_effects(tx, gone, with.iter().filter_map(|(_, effect, _)| *effect)).await?;
        for (run, effect, _) in with {
            if effect.is_some_and(|effect| effects.contains(&effect)) {
                kept.remove(&run);
            }
        }
    }
    Ok(kept)
}

/// Those of the effects that are gone.
async fn gone_effects(
    tx: &Tx<'_>,
    gone: &Gone,
    effects: impl Iterator<Item = Db<MutationId>>,
) -> Result<HashSet<Db<MutationId>>> {
    let ids = unique(effects);
    let old = mutations::table
        .filter(mutations::id.eq_any(ids))
        .filter(IsSettled)
        .filter(mutations::updated_at.le(gone.mutations))
        .select((mutations::id, mutations::event_ids));
    let old: Vec<Settled> = old.load(tx.conn).await?;
    let runs = runs_of(tx, &old).await?;
    let needed = needed_effects(tx, gone, (&old, gone.mutations), &runs).await?;
    Ok(old.into_iter().map(|(id, _)| id).filter(|id| !needed.contains(id)).collect())
}

fn unique<T: Hash + Eq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect::<HashSet<_>>().into_iter().collect()
}
