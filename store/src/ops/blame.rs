//! What the stop of a run is blamed on: finds the events that it was about, parks the only one, or has several of them tried alone.
//!
//! `windlass-core` decides. While events are suspected, each next run of their consumer is a trial that sees one of them only. The
//! suspicion is stored with the events and the trial with its run, so that the search continues after a crash.

use diesel::dsl::exists;
use diesel::prelude::*;
use windlass_core::{
    Blame, EventId, EventPolicy, EventStatus, Failure, FailureClass, HandlerKind, Manifest,
    OnFailure, Phase, RunId, Suspects, Trial, WorkflowId, reason_of,
};

use super::dialect::RunQueryDsl;
use super::locked_run::LockedRun;
use super::publish::mark_work;
use super::{BATCH, Tx, notifications};
use crate::convert::{to_i32, to_u32};
use crate::error::Result;
use crate::literals::{IsPending, IsReserved};
use crate::rows::{At, Db, EventRow, Json, RunRow, WorkflowRow};
use crate::schema::{events, handler_state, scripts, subscriptions, topics};

/// An event, and the trial that it passed.
type TriedEvent = (Db<EventId>, Option<Db<Trial>>);

/// The events that a failed run was about, and what decides whether one of them is parked.
#[derive(Default)]
pub(super) struct About {
    events: Vec<TriedEvent>,
    parked_in_a_row: u32,
    on_failure: OnFailure,
}

impl About {
    /// What the failure of the run is about: the reserved events, or else those that `prepare` was given. Nothing where no event could
    /// explain the failure.
    pub(super) async fn of(
        tx: &Tx<'_>,
        locked: &LockedRun,
        failure: &Failure,
        seen: &[EventId],
    ) -> Result<Self> {
        let may_be_events = failure.class == FailureClass::Logic
            && locked.state.kind == HandlerKind::Consumer
            && !locked.state.is_post_mutation();
        if !may_be_events {
            return Ok(Self::default());
        }
        let events = concerned(tx, locked, seen).await?;
        let Json::<Manifest>(manifest) = scripts::table
            .find(locked.run.script_id)
            .select(scripts::manifest)
            .first(tx.conn)
            .await?;
        let consumer = manifest.consumers.get(&locked.run.handler_name);
        let in_a_row = handler_state::table
            .find((locked.workflow.id, locked.run.kind, &locked.run.handler_name))
            .select(handler_state::parked_in_a_row);
        let in_a_row: Option<i32> = in_a_row.optional(tx.conn).await?;
        Ok(Self {
            events,
            parked_in_a_row: to_u32(in_a_row.unwrap_or(0)),
            on_failure: consumer.map_or(OnFailure::Stop, |consumer| consumer.on_failure),
        })
    }

    /// What a failure in this phase could be blamed on.
    pub(super) fn suspects<'a>(&self, failed_in: Phase, policy: &'a EventPolicy) -> Suspects<'a> {
        Suspects {
            events: self.events.len(),
            untried: self.untried(Trial::of(failed_in)).len(),
            parked_in_a_row: self.parked_in_a_row,
            on_failure: self.on_failure,
            policy,
        }
    }

    fn untried(&self, trial: Trial) -> Vec<Db<EventId>> {
        let is_due = |passed: Option<Db<Trial>>| trial.is_due_after(passed.map(|Db(it)| it));
        self.events.iter().filter(|(_, passed)| is_due(*passed)).map(|(event, _)| *event).collect()
    }
}

async fn concerned(tx: &Tx<'_>, locked: &LockedRun, seen: &[EventId]) -> Result<Vec<TriedEvent>> {
    let reserved = events::table
        .filter(events::reserved_by_run_id.eq(locked.run.id))
        .filter(IsReserved)
        .select((events::id, events::passed));
    let mut concerned: Vec<TriedEvent> = reserved.load(tx.conn).await?;
    if concerned.is_empty() {
        let seen: Vec<_> = seen.iter().copied().map(Db).collect();
        for batch in seen.chunks(BATCH) {
            let pending = events::table
                .filter(events::id.eq_any(batch))
                .filter(events::workflow_id.eq(locked.workflow.id))
                .filter(IsPending)
                .select((events::id, events::passed));
            let pending: Vec<TriedEvent> = pending.load(tx.conn).await?;
            concerned.extend(pending);
        }
    }
    Ok(concerned)
}

/// Writes what a stop is blamed on, before the run's events are released. `error` is why the run stopped.
pub(super) async fn put(
    tx: &Tx<'_>,
    locked: &LockedRun,
    blame: Blame,
    about: &About,
    error: Option<&str>,
) -> Result<()> {
    match blame {
        Blame::Nothing | Blame::Script => Ok(()),
        Blame::Counted => count(tx, locked, error).await,
        Blame::Event | Blame::EventAndScript => {
            let events: Vec<_> = about.events.iter().map(|(event, _)| *event).collect();
            let parked = EventRow::query().filter(events::id.eq_any(events)).load(tx.conn).await?;
            park(tx, locked, parked, error).await?;
            let consumer = (locked.workflow.id, locked.run.kind, &locked.run.handler_name);
            diesel::update(handler_state::table.find(consumer))
                .set(handler_state::parked_in_a_row.eq(handler_state::parked_in_a_row + 1))
                .execute(tx.conn)
                .await?;
            Ok(())
        }
        Blame::OneOf(trial) => suspect(tx, locked, &about.untried(trial), trial).await,
    }
}

/// Counts against the reserved events that their run was lost, or failed because of Windlass. Those that were counted too often are
/// parked.
async fn count(tx: &Tx<'_>, locked: &LockedRun, error: Option<&str>) -> Result<()> {
    let reserved = || events::reserved_by_run_id.eq(locked.run.id).and(IsReserved);
    diesel::update(events::table.filter(reserved()))
        .set((events::blamed.eq(events::blamed + 1), events::blamed_for.eq(error)))
        .execute(tx.conn)
        .await?;
    let limit = to_i32(tx.policy.events.park_after);
    if limit == 0 {
        return Ok(());
    }
    let too_often = reserved().and(events::blamed.ge(limit));
    let parked = EventRow::query().filter(too_often).load(tx.conn).await?;
    park(tx, locked, parked, error).await
}

/// Parks events, and notifies.
async fn park(
    tx: &Tx<'_>,
    locked: &LockedRun,
    parked: Vec<EventRow>,
    error: Option<&str>,
) -> Result<()> {
    let why = error.unwrap_or("the workers that had it were lost");
    for event in parked {
        let was_reserved = i32::from(event.status.0 == EventStatus::Reserved);
        diesel::update(events::table.filter(events::id.eq(event.id)))
            .set((
                events::status.eq(Db(EventStatus::Parked)),
                events::reserved_by_run_id.eq(None::<Db<RunId>>),
                events::attempt_number.eq(event.attempt_number + was_reserved),
                events::blamed_for.eq(Some(why)),
                events::reason.eq(Some(reason_of(why))),
                events::suspected_in.eq(None::<Db<Trial>>),
                events::updated_at.eq(At(tx.now)),
            ))
            .execute(tx.conn)
            .await?;
        notifications::event_parked(tx, locked, &event, why).await?;
    }
    Ok(())
}

/// Has the events tried alone, one after another.
async fn suspect(
    tx: &Tx<'_>,
    locked: &LockedRun,
    suspected: &[Db<EventId>],
    trial: Trial,
) -> Result<()> {
    for batch in suspected.chunks(BATCH) {
        diesel::update(events::table.filter(events::id.eq_any(batch)))
            .set(events::suspected_in.eq(Some(Db(trial))))
            .execute(tx.conn)
            .await?;
    }
    let topics = subscriptions::table
        .filter(subscriptions::workflow_id.eq(locked.workflow.id))
        .filter(subscriptions::consumer.eq(&locked.run.handler_name))
        .select(subscriptions::topic);
    let topics: Vec<String> = topics.load(tx.conn).await?;
    mark_work(tx, locked.workflow.id.0, &topics).await
}

/// The new run of a consumer as a trial of its oldest suspected event, if there is one.
pub(super) async fn with_trial(tx: &Tx<'_>, workflow: &WorkflowRow, run: RunRow) -> Result<RunRow> {
    if !workflow.blaming || run.kind.0 != HandlerKind::Consumer {
        return Ok(run);
    }
    let topics = topics::table
        .inner_join(subscriptions::table.on(subscriptions::topic.eq(topics::name)))
        .filter(topics::workflow_id.eq(workflow.id).and(subscriptions::workflow_id.eq(workflow.id)))
        .filter(subscriptions::consumer.eq(&run.handler_name))
        .select(topics::id);
    let suspected = events::table
        .filter(events::workflow_id.eq(workflow.id))
        .filter(events::topic_id.eq_any(topics))
        .filter(events::suspected_in.is_not_null())
        .filter(IsPending)
        .order((events::created_at, events::id))
        .select((events::id, events::suspected_in));
    let suspected: Option<(Db<EventId>, Option<Db<Trial>>)> = suspected.optional(tx.conn).await?;
    let (trial_event_id, trial) = suspected.unzip();
    Ok(RunRow { trial_event_id, trial: trial.flatten(), ..run })
}

/// A consumer succeeded with an event: those that were parked before it do not count as parked in a row.
pub(super) async fn end_row(tx: &Tx<'_>, locked: &LockedRun) -> Result<()> {
    let consumer = (locked.workflow.id, locked.run.kind, &locked.run.handler_name);
    diesel::update(handler_state::table.find(consumer))
        .set(handler_state::parked_in_a_row.eq(0))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Takes note that a consumer's run commits, before it consumes its events: its trial is passed, and a run with events ends the row
/// of parked ones.
pub(super) async fn note_success(tx: &Tx<'_>, locked: &mut LockedRun) -> Result<()> {
    if !locked.workflow.blaming || locked.state.kind != HandlerKind::Consumer {
        return Ok(());
    }
    let reserved =
        events::table.filter(events::reserved_by_run_id.eq(locked.run.id)).filter(IsReserved);
    if diesel::select(exists(reserved)).get_result(tx.conn).await? {
        end_row(tx, locked).await?;
    }
    if let Some(tried) = locked.run.trial_event_id {
        diesel::update(events::table.filter(events::id.eq(tried)))
            .set((events::suspected_in.eq(None::<Db<Trial>>), events::passed.eq(locked.run.trial)))
            .execute(tx.conn)
            .await?;
    }
    locked.workflow.blaming = is_blaming(tx, locked.workflow.id).await?;
    Ok(())
}

async fn is_blaming(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<bool> {
    let suspected = events::table
        .filter(events::workflow_id.eq(workflow))
        .filter(events::suspected_in.is_not_null())
        .select(events::id);
    let suspected: Option<Db<EventId>> = suspected.optional(tx.conn).await?;
    let in_a_row = handler_state::table
        .filter(handler_state::workflow_id.eq(workflow))
        .filter(handler_state::parked_in_a_row.gt(0));
    Ok(suspected.is_some() || diesel::select(exists(in_a_row)).get_result(tx.conn).await?)
}

/// Forgets every suspicion and every trial, because a person has changed something: events that fail again are judged anew.
pub(super) async fn forget(tx: &Tx<'_>, workflow: &mut WorkflowRow) -> Result<()> {
    let topics = topics::table.filter(topics::workflow_id.eq(workflow.id)).select(topics::id);
    let tried = events::suspected_in.is_not_null().or(events::passed.is_not_null());
    diesel::update(events::table)
        .filter(events::topic_id.eq_any(topics))
        .filter(IsPending)
        .filter(tried)
        .set((events::suspected_in.eq(None::<Db<Trial>>), events::passed.eq(None::<Db<Trial>>)))
        .execute(tx.conn)
        .await?;
    end_every_row(tx, workflow.id).await?;
    workflow.blaming = false;
    Ok(())
}

/// Of no consumer of the workflow are events parked in a row any more.
pub(super) async fn end_every_row(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<()> {
    diesel::update(handler_state::table.filter(handler_state::workflow_id.eq(workflow)))
        .set(handler_state::parked_in_a_row.eq(0))
        .execute(tx.conn)
        .await?;
    Ok(())
}
