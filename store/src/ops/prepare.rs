//! Checkpoints what `prepare` returned.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use diesel::prelude::*;
use windlass_core::{Consumer, EventId, EventStatus, InputId, Manifest, TopicId, wake_at};

use super::dialect::RunQueryDsl;
use super::held::{Held, hold};
use super::outcome::Because;
use super::{BATCH, Operation, Tx, logs, outcome};
use crate::error::{Result, StoreError};
use crate::params::{CheckpointPrepare, Reservation};
use crate::rows::{At, Db, Json, RunInputRow, storable};
use crate::schema::{
    event_inputs, events, handler_runs, handler_state, run_inputs, scripts, topics,
};

impl Operation for CheckpointPrepare {
    type Output = ();

    async fn run(self, tx: &mut Tx<'_>) -> Result<()> {
        let mut held = hold(tx, self.claim).await?;
        let changes = held.state.prepared()?;
        let reserved = reserve(tx, &held, self.reservations).await?;
        keep_causes(tx, &held, &reserved).await?;
        diesel::update(handler_runs::table.filter(handler_runs::id.eq(held.run.id)))
            .set(handler_runs::prepare_result.eq(Some(Json(&self.result))))
            .execute(tx.conn)
            .await?;
        rearm(tx, &held, self.wake_at.as_deref()).await?;
        logs::append(tx, held.run.id, self.logs).await?;
        outcome::write(tx, &mut held, changes, &Because::default()).await
    }
}

/// The consumer is woken when this `prepare` says so, and no longer when an earlier one said so.
async fn rearm(tx: &mut Tx<'_>, held: &Held, wanted: Option<&str>) -> Result<()> {
    let wake_at = wanted.and_then(|text| wake_at(text, tx.now, &tx.policy.session));
    let consumer =
        handler_state::table.find((held.workflow.id, held.run.kind, &held.run.handler_name));
    diesel::update(consumer)
        .set(handler_state::wake_at.eq(wake_at.map(At)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Reserves all of the events, or says which one cannot be.
async fn reserve(
    tx: &mut Tx<'_>,
    held: &Held,
    wanted: Vec<Reservation>,
) -> Result<Vec<Db<EventId>>> {
    let consumer = declared(tx, held).await?;
    let mut by_topic: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Reservation { topic, ids } in wanted {
        by_topic.entry(topic).or_default().extend(ids.into_iter().map(storable));
    }
    let mut reserved = Vec::new();
    for (topic, ids) in by_topic {
        let ids: Vec<String> = ids.into_iter().collect();
        let [first, ..] = ids.as_slice() else { continue };
        if !consumer.as_ref().is_some_and(|consumer| consumer.subscribe.contains(&topic)) {
            let reason = format!("consumer `{}` does not subscribe it", held.run.handler_name);
            return Err(refused(&topic, first, reason));
        }
        for batch in ids.chunks(BATCH) {
            reserved.extend(reserve_batch(tx, held, &topic, batch).await?);
        }
    }
    Ok(reserved)
}

async fn reserve_batch(
    tx: &mut Tx<'_>,
    held: &Held,
    topic: &str,
    ids: &[String],
) -> Result<Vec<Db<EventId>>> {
    let found = find(tx, held, topic, ids).await?;
    let mut pending = Vec::with_capacity(ids.len());
    for id in ids {
        match found.get(id) {
            Some((event, EventStatus::Pending)) => pending.push(*event),
            Some((_, status)) => return Err(refused(topic, id, format!("it is {status}"))),
            None => return Err(refused(topic, id, "there is no such event".to_owned())),
        }
    }
    diesel::update(events::table.filter(events::id.eq_any(&pending)))
        .set((
            events::status.eq(Db(EventStatus::Reserved)),
            events::reserved_by_run_id.eq(Some(held.run.id)),
            events::updated_at.eq(At(tx.now)),
        ))
        .execute(tx.conn)
        .await?;
    Ok(pending)
}

async fn find(
    tx: &mut Tx<'_>,
    held: &Held,
    topic: &str,
    ids: &[String],
) -> Result<HashMap<String, (Db<EventId>, EventStatus)>> {
    let topic = topics::table
        .filter(topics::workflow_id.eq(held.workflow.id).and(topics::name.eq(topic)))
        .select(topics::id);
    let topic: Option<Db<TopicId>> = topic.first(tx.conn).await.optional()?;
    let Some(topic) = topic else { return Ok(HashMap::new()) };
    let found = events::table
        .filter(events::topic_id.eq(topic).and(events::message_id.eq_any(ids)))
        .select((events::message_id, events::id, events::status));
    let found: Vec<(String, Db<EventId>, Db<EventStatus>)> = found.load(tx.conn).await?;
    Ok(found.into_iter().map(|(name, event, Db(status))| (name, (event, status))).collect())
}

fn refused(topic: &str, message_id: &str, reason: String) -> StoreError {
    StoreError::ReservationRefused {
        topic: topic.to_owned(),
        message_id: message_id.to_owned(),
        reason,
    }
}

/// The consumer as the run's own script version declares it: another version may have been activated in the meantime.
async fn declared(tx: &mut Tx<'_>, held: &Held) -> Result<Option<Consumer>> {
    let manifest = scripts::table.find(held.run.script_id).select(scripts::manifest);
    let Json::<Manifest>(mut manifest) = manifest.first(tx.conn).await?;
    Ok(manifest.consumers.remove(&held.run.handler_name))
}

/// The inputs behind the reserved events are kept with the run: the events may move on to another.
async fn keep_causes(tx: &mut Tx<'_>, held: &Held, reserved: &[Db<EventId>]) -> Result<()> {
    let mut causes: BTreeSet<Db<InputId>> = BTreeSet::new();
    for batch in reserved.chunks(BATCH) {
        let inputs = event_inputs::table
            .filter(event_inputs::event_id.eq_any(batch))
            .select(event_inputs::input_id)
            .distinct();
        let inputs: Vec<Db<InputId>> = inputs.load(tx.conn).await?;
        causes.extend(inputs);
    }
    let rows: Vec<RunInputRow> =
        causes.into_iter().map(|input_id| RunInputRow { run_id: held.run.id, input_id }).collect();
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(run_inputs::table).values(batch).execute(tx.conn).await?;
    }
    Ok(())
}
