//! Publishes events.
//!
//! A topic has at most one event of each message id. An event is new if neither `events` nor `past_events`, which keeps the message
//! ids of pruned events, has it.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{EventId, EventStatus, HandlerKind, InputId, TopicId, WorkflowId};

use super::dialect::{Conn, RunQueryDsl};
use super::locked_run::LockedRun;
use super::{BATCH, Tx};
use crate::cached::CacheStatement;
use crate::error::{Result, StoreError};
use crate::params::NewEvent;
use crate::pipeline::pipeline;
use crate::rows::{At, Db, EventInputRow, EventRow, Json, storable};
use crate::schema::{event_inputs, events, handler_state, past_events, subscriptions, topics};

/// An event in one topic.
struct Message {
    message_id: String,
    payload: Value,
    causes: BTreeSet<InputId>,
}

/// The topics of the events to publish, and which of those events exist or existed.
pub(super) struct Topics {
    ids: HashMap<String, Db<TopicId>>,
    /// Topic and message id of pruned events.
    pruned: HashSet<(String, String)>,
    existing: HashMap<EventKey, ExistingEvent>,
}

/// The topic and message id of an event.
type EventKey = (Db<TopicId>, String);

/// An event that is stored already.
#[derive(Queryable)]
struct ExistingEvent {
    id: Db<EventId>,
    status: Db<EventStatus>,
    payload: Json,
}

impl Topics {
    /// Reads them. It needs only the workflow, so it can be sent together with the query for the run.
    pub(super) async fn of(conn: &Conn, workflow: WorkflowId, events: &[NewEvent]) -> Result<Self> {
        let names: BTreeSet<&String> = events.iter().flat_map(|event| &event.topics).collect();
        let names: Vec<&String> = names.into_iter().collect();
        let messages: BTreeSet<String> =
            events.iter().map(|event| storable(event.message_id.clone())).collect();
        let messages: Vec<String> = messages.into_iter().collect();
        let (ids, pruned, existing) = pipeline!(
            ids(conn, workflow, &names),
            pruned(conn, workflow, &names, &messages),
            existing(conn, workflow, &names, &messages),
        )?;
        Ok(Self { ids, pruned, existing })
    }

    /// Drops events that were published, consumed and pruned already.
    pub(super) fn drop_pruned_events(&self, events: &mut Vec<NewEvent>) {
        for event in events.iter_mut() {
            let name = storable(event.message_id.clone());
            event.topics.retain(|topic| !self.pruned.contains(&(topic.clone(), name.clone())));
        }
        events.retain(|event| !event.topics.is_empty());
    }

    fn id(&self, topic: &str) -> Result<Db<TopicId>> {
        self.ids.get(topic).copied().ok_or_else(|| StoreError::not_found("topic", topic))
    }
}

async fn ids(
    conn: &Conn,
    workflow: WorkflowId,
    names: &[&String],
) -> Result<HashMap<String, Db<TopicId>>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let found = topics::table
        .filter(topics::workflow_id.eq(Db(workflow)).and(topics::name.eq_any(names)))
        .select((topics::name, topics::id));
    let found: Vec<(String, Db<TopicId>)> = found.cached_if_short(names.len()).load(conn).await?;
    Ok(found.into_iter().collect())
}

async fn pruned(
    conn: &Conn,
    workflow: WorkflowId,
    names: &[&String],
    messages: &[String],
) -> Result<HashSet<(String, String)>> {
    let mut pruned = HashSet::new();
    for batch in messages.chunks(BATCH) {
        let found = past_events::table
            .inner_join(topics::table)
            .filter(topics::workflow_id.eq(Db(workflow)).and(topics::name.eq_any(names)))
            .filter(past_events::message_id.eq_any(batch))
            .select((topics::name, past_events::message_id));
        let n_values = names.len().max(batch.len());
        let found: Vec<(String, String)> = found.cached_if_short(n_values).load(conn).await?;
        pruned.extend(found);
    }
    Ok(pruned)
}

async fn existing(
    conn: &Conn,
    workflow: WorkflowId,
    names: &[&String],
    messages: &[String],
) -> Result<HashMap<EventKey, ExistingEvent>> {
    let mut existing = HashMap::new();
    for batch in messages.chunks(BATCH) {
        let found = events::table
            .inner_join(topics::table)
            .filter(topics::workflow_id.eq(Db(workflow)).and(topics::name.eq_any(names)))
            .filter(events::message_id.eq_any(batch))
            .select((
                (events::topic_id, events::message_id),
                (events::id, events::status, events::payload),
            ));
        let n_values = names.len().max(batch.len());
        let found: Vec<(EventKey, ExistingEvent)> =
            found.cached_if_short(n_values).load(conn).await?;
        existing.extend(found);
    }
    Ok(existing)
}

/// The rows to write for published events.
#[derive(Default)]
pub(super) struct Publication {
    fresh: Vec<EventRow>,
    /// Pending events with their new payload.
    corrected: Vec<(Db<EventId>, Value)>,
    causes: Vec<EventInputRow>,
    /// The topics with new or changed events, for [`mark_work`].
    pub(super) changed: Vec<String>,
}

impl Publication {
    /// Prepares the rows for `events`. Of several events with one message id in one topic, the last one counts.
    pub(super) fn new(
        tx: &Tx<'_>,
        locked: &LockedRun,
        topics: &Topics,
        events: Vec<NewEvent>,
    ) -> Result<Self> {
        let mut publication = Self::default();
        for (topic, messages) in by_topic(events) {
            let id = topics.id(&topic)?;
            let mut is_changed = false;
            for Message { message_id, payload, causes } in messages {
                let key = (id, message_id);
                let existing = topics.existing.get(&key);
                let new_row = |payload| event(tx, locked, key, payload);
                is_changed |= publication.add(existing, new_row, payload, causes);
            }
            if is_changed {
                publication.changed.push(topic);
            }
        }
        Ok(publication)
    }

    /// Adds an event, which may exist already; returns whether it is new or changed.
    fn add(
        &mut self,
        existing: Option<&ExistingEvent>,
        new_row: impl FnOnce(Value) -> EventRow,
        payload: Value,
        causes: BTreeSet<InputId>,
    ) -> bool {
        let (event, is_changed) = match existing {
            Some(existing) if !existing.status.0.accepts_new_payload() => return false,
            Some(existing) => {
                let is_changed = existing.payload.0 != payload;
                self.corrected.push((existing.id, payload));
                (existing.id, is_changed)
            }
            None => {
                let row = new_row(payload);
                let id = row.id;
                self.fresh.push(row);
                (id, true)
            }
        };
        let cause = |input| EventInputRow { event_id: event, input_id: Db(input) };
        self.causes.extend(causes.into_iter().map(cause));
        is_changed
    }

    /// Writes the rows.
    pub(super) async fn write(&self, tx: &Tx<'_>) -> Result<()> {
        for (event, payload) in &self.corrected {
            correct(tx, *event, payload).await?;
        }
        insert_all!(tx, events::table, self.fresh);
        insert_all!(tx, event_inputs::table, self.causes);
        Ok(())
    }
}

fn by_topic(events: Vec<NewEvent>) -> Vec<(String, Vec<Message>)> {
    let mut topics: Vec<(String, Vec<Message>)> = Vec::new();
    let mut places: HashMap<(String, String), (usize, usize)> = HashMap::new();
    for event in events {
        for topic in event.topics {
            let message = Message {
                message_id: storable(event.message_id.clone()),
                payload: event.payload.clone(),
                causes: event.caused_by.iter().copied().collect(),
            };
            let nth = topics.iter().position(|(name, _)| *name == topic).unwrap_or_else(|| {
                topics.push((topic.clone(), Vec::new()));
                topics.len() - 1
            });
            let Some((_, messages)) = topics.get_mut(nth) else { continue };
            let place = (topic, message.message_id.clone());
            match places.get(&place).and_then(|(_, at)| messages.get_mut(*at)) {
                Some(earlier) => *earlier = message,
                None => {
                    places.insert(place, (nth, messages.len()));
                    messages.push(message);
                }
            }
        }
    }
    topics
}

fn event(
    tx: &Tx<'_>,
    locked: &LockedRun,
    (topic_id, message_id): EventKey,
    payload: Value,
) -> EventRow {
    EventRow {
        id: Db(tx.mint()),
        workflow_id: locked.workflow.id,
        topic_id,
        message_id,
        payload: Json(payload),
        status: Db(EventStatus::Pending),
        reserved_by_run_id: None,
        created_by_run_id: locked.run.id,
        attempt_number: 1,
        round: 1,
        blamed: 0,
        blamed_for: None,
        reason: None,
        suspected_in: None,
        passed: None,
        created_at: At(tx.now),
        updated_at: At(tx.now),
    }
}

/// Replaces the payload of a pending event.
async fn correct(tx: &Tx<'_>, event: Db<EventId>, payload: &Value) -> Result<()> {
    diesel::update(events::table.filter(events::id.eq(event)))
        .set((events::payload.eq(Json(payload)), events::updated_at.eq(At(tx.now))))
        .cached()
        .execute(tx.conn)
        .await?;
    diesel::delete(event_inputs::table.filter(event_inputs::event_id.eq(event)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Marks the consumers that subscribe to one of the topics as having work.
pub(super) async fn mark_work(tx: &Tx<'_>, workflow: WorkflowId, changed: &[String]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let n_topics = changed.len();
    let subscribers = subscriptions::table
        .filter(subscriptions::workflow_id.eq(Db(workflow)))
        .filter(subscriptions::topic.eq_any(changed))
        .select(subscriptions::consumer);
    let consumers = handler_state::workflow_id
        .eq(Db(workflow))
        .and(handler_state::kind.eq(Db(HandlerKind::Consumer)))
        .and(handler_state::name.eq_any(subscribers));
    diesel::update(handler_state::table.filter(consumers))
        .set(handler_state::has_work.eq(true))
        .cached_if_short(n_topics)
        .execute(tx.conn)
        .await?;
    Ok(())
}
