//! Checkpoints the result of `prepare`.

use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::{Find, exists, select};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use windlass_core::{EventStatus, Manifest, Trial, WorkflowId, wake_at};

use super::dialect::{Conn, RunQueryDsl};
use super::locked_run::{LockedRun, lock_claimed_run};
use super::outcome::TransitionContext;
use super::{BATCH, Staged, Tx, blame, logs, outcome, replay};
use crate::cached::CacheStatement;
use crate::error::{Result, StoreError};
use crate::literals::{IsPending, IsReserved};
use crate::params::{CheckpointPrepare, Reservation};
use crate::pipeline::pipeline;
use crate::rows::{At, Db, Json, storable};
use crate::schema::{
    event_inputs, events, handler_state, run_inputs, scripts, subscriptions, topics,
};

impl Staged for CheckpointPrepare {
    type Output = ();
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_claimed_run(conn, self.claim).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<()> {
        let mut locked = locked.ok_or(StoreError::ClaimLost { run: self.claim.run })?;
        if replay::is_prepared(tx, &locked, &self.result).await? {
            return Ok(());
        }
        let changes = locked.state.prepared()?;
        let context =
            TransitionContext { prepared: Some(&self.result), ..TransitionContext::default() };
        if locked.run.trial == Some(Db(Trial::Prepare)) {
            pass_trial(tx, &locked, &self.reservations).await?;
            logs::append(tx, &locked.run, self.logs).await?;
            return outcome::write(tx, &mut locked, changes, &context).await;
        }
        pipeline!(
            reserve(tx, &locked, self.reservations),
            update_wake_at(tx, &locked, self.wake_at.as_deref()),
            logs::append(tx, &locked.run, self.logs),
            outcome::write_rows(tx, &locked, &changes, &context),
        )?;
        outcome::apply_workflow_changes(tx, &mut locked, changes, &context).await
    }
}

/// A trial of `prepare` reserves nothing. If it wanted its event, that is a success.
async fn pass_trial(tx: &Tx<'_>, locked: &LockedRun, wanted: &[Reservation]) -> Result<()> {
    if wanted.iter().all(|reservation| reservation.ids.is_empty()) {
        return Ok(());
    }
    blame::end_row(tx, locked).await
}

/// Sets when the consumer wakes up: this `prepare` replaces the time of an earlier one.
async fn update_wake_at(tx: &Tx<'_>, locked: &LockedRun, wanted: Option<&str>) -> Result<()> {
    let wake_at = wanted.and_then(|text| wake_at(text, tx.now, &tx.policy.session));
    let consumer =
        handler_state::table.find((locked.workflow.id, locked.run.kind, &locked.run.handler_name));
    diesel::update(consumer)
        .set(handler_state::wake_at.eq(wake_at.map(At)))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Reserves all events, or returns an error for the first one that cannot be reserved. Their inputs become the run's inputs.
async fn reserve(tx: &Tx<'_>, locked: &LockedRun, wanted: Vec<Reservation>) -> Result<()> {
    let mut by_topic: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Reservation { topic, ids } in wanted {
        by_topic.entry(topic).or_default().extend(ids.into_iter().map(storable));
    }
    let mut wants_any = false;
    for (topic, ids) in by_topic {
        let ids: Vec<String> = ids.into_iter().collect();
        let [first, ..] = ids.as_slice() else { continue };
        if !locked.is_current() && !did_subscribe(tx, locked, &topic).await? {
            return Err(refused(&topic, first, no_subscription(locked)));
        }
        for batch in ids.chunks(BATCH) {
            reserve_batch(tx, locked, &topic, batch).await?;
        }
        wants_any = true;
    }
    if wants_any { record_run_inputs(tx, locked).await } else { Ok(()) }
}

/// Whether the consumer subscribes to the topic in the run's own script version, which is no longer the active one.
async fn did_subscribe(tx: &Tx<'_>, locked: &LockedRun, topic: &str) -> Result<bool> {
    let manifest = scripts::table.find(locked.run.script_id).select(scripts::manifest);
    let Json::<Manifest>(manifest) = manifest.first(tx.conn).await?;
    let consumer = manifest.consumers.get(&locked.run.handler_name);
    Ok(consumer.is_some_and(|consumer| consumer.subscribe.contains(topic)))
}

/// Reserves events of a topic that the consumer subscribes to. For a run of an older version the caller has checked that.
async fn reserve_batch(tx: &Tx<'_>, locked: &LockedRun, topic: &str, ids: &[String]) -> Result<()> {
    let of_topic = topics::table
        .filter(topics::workflow_id.eq(locked.workflow.id).and(topics::name.eq(topic)))
        .filter(exists(subscription(locked, topic)).or((!locked.is_current()).into_sql::<Bool>()))
        .select(topics::id);
    let named = events::topic_id.eq_any(of_topic).and(events::message_id.eq_any(ids));
    let reserved = diesel::update(events::table.filter(named).filter(IsPending))
        .set((
            events::status.eq(Db(EventStatus::Reserved)),
            events::reserved_by_run_id.eq(Some(locked.run.id)),
            events::updated_at.eq(At(tx.now)),
        ))
        .returning(events::message_id);
    let reserved: Vec<String> = reserved.cached_if_short(ids.len()).load(tx.conn).await?;
    match ids.iter().find(|id| !reserved.contains(id)) {
        None => Ok(()),
        Some(missing) => Err(refused(topic, missing, why_not(tx, locked, topic, missing).await?)),
    }
}

async fn why_not(tx: &Tx<'_>, locked: &LockedRun, topic: &str, message_id: &str) -> Result<String> {
    let is_subscribed = select(exists(subscription(locked, topic)));
    if locked.is_current() && !is_subscribed.get_result::<bool>(tx.conn).await? {
        return Ok(no_subscription(locked));
    }
    let of_topic = topics::workflow_id.eq(locked.workflow.id).and(topics::name.eq(topic));
    let found = events::table
        .inner_join(topics::table)
        .filter(of_topic.and(events::message_id.eq(message_id)))
        .select(events::status);
    let status: Option<Db<EventStatus>> = found.optional(tx.conn).await?;
    Ok(match status {
        Some(Db(status)) => format!("it is {status}"),
        None => "there is no such event".to_owned(),
    })
}

/// The consumer's subscription of the topic in the active version.
fn subscription<'a>(
    locked: &'a LockedRun,
    topic: &'a str,
) -> Find<subscriptions::table, (Db<WorkflowId>, &'a str, &'a str)> {
    subscriptions::table.find((locked.workflow.id, locked.run.handler_name.as_str(), topic))
}

fn no_subscription(locked: &LockedRun) -> String {
    format!("consumer `{}` does not subscribe to it", locked.run.handler_name)
}

fn refused(topic: &str, message_id: &str, reason: String) -> StoreError {
    StoreError::ReservationRefused {
        topic: topic.to_owned(),
        message_id: message_id.to_owned(),
        reason,
    }
}

/// Records the inputs of the reserved events for the run: the events may move to a retry later.
async fn record_run_inputs(tx: &Tx<'_>, locked: &LockedRun) -> Result<()> {
    let causes = event_inputs::table
        .inner_join(events::table)
        .filter(events::reserved_by_run_id.eq(locked.run.id))
        .filter(IsReserved)
        .select((locked.run.id.into_sql::<Text>(), event_inputs::input_id))
        .distinct();
    diesel::insert_into(run_inputs::table)
        .values(causes)
        .into_columns((run_inputs::run_id, run_inputs::input_id))
        .execute(tx.conn)
        .await?;
    Ok(())
}
