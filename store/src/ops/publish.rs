//! Publishes events.
//!
//! An event is known by its message id in its topic: the unique key of the rows that are kept, and the name that a removed event
//! left. Only one that neither has is new.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{EventId, EventStatus, HandlerKind, Id, InputId, TopicId, WorkflowId};

use super::dialect::{Conn, RunQueryDsl};
use super::locked_run::LockedRun;
use super::{BATCH, Tx};
use crate::error::{Result, StoreError};
use crate::joined::joined;
use crate::params::NewEvent;
use crate::reused::Reuse;
use crate::rows::{At, Db, EventInputRow, EventRow, Json, storable};
use crate::schema::{event_inputs, events, handler_state, past_events, subscriptions, topics};

/// An event in one topic.
struct Message {
    message_id: String,
    payload: Value,
    causes: BTreeSet<InputId>,
}

/// The topics of what is to be published, and what they have or had of it.
pub(super) struct Topics {
    ids: HashMap<String, Db<TopicId>>,
    /// By topic and message id, what is over and no longer kept.
    past: HashSet<(String, String)>,
    known: HashMap<Place, Known>,
}

/// Where an event stands: its topic, and its message id there.
type Place = (Db<TopicId>, String);

/// An event that is kept.
#[derive(Queryable)]
struct Known {
    id: Db<EventId>,
    status: Db<EventStatus>,
    payload: Json,
}

impl Topics {
    /// Looks them up. It depends on nothing but the workflow, so it can be joined with the look at the run.
    pub(super) async fn of(conn: &Conn, workflow: WorkflowId, events: &[NewEvent]) -> Result<Self> {
        let names: BTreeSet<&String> = events.iter().flat_map(|event| &event.topics).collect();
        let names: Vec<&String> = names.into_iter().collect();
        let messages: BTreeSet<String> =
            events.iter().map(|event| storable(event.message_id.clone())).collect();
        let messages: Vec<String> = messages.into_iter().collect();
        let (ids, past, known) = joined!(
            ids(conn, workflow, &names),
            past(conn, workflow, &names, &messages),
            known(conn, workflow, &names, &messages),
        )?;
        Ok(Self { ids, past, known })
    }

    /// Leaves out what was published, is over and is no longer kept: it stays over.
    pub(super) fn drop_pruned_events(&self, events: &mut Vec<NewEvent>) {
        for event in events.iter_mut() {
            let name = storable(event.message_id.clone());
            event.topics.retain(|topic| !self.past.contains(&(topic.clone(), name.clone())));
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
    let found: Vec<(String, Db<TopicId>)> = found.reused_for(names.len()).load(conn).await?;
    Ok(found.into_iter().collect())
}

async fn past(
    conn: &Conn,
    workflow: WorkflowId,
    names: &[&String],
    messages: &[String],
) -> Result<HashSet<(String, String)>> {
    let mut past = HashSet::new();
    for batch in messages.chunks(BATCH) {
        let found = past_events::table
            .inner_join(topics::table)
            .filter(topics::workflow_id.eq(Db(workflow)).and(topics::name.eq_any(names)))
            .filter(past_events::message_id.eq_any(batch))
            .select((topics::name, past_events::message_id));
        let n_values = names.len().max(batch.len());
        let found: Vec<(String, String)> = found.reused_for(n_values).load(conn).await?;
        past.extend(found);
    }
    Ok(past)
}

async fn known(
    conn: &Conn,
    workflow: WorkflowId,
    names: &[&String],
    messages: &[String],
) -> Result<HashMap<Place, Known>> {
    let mut known = HashMap::new();
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
        let found: Vec<(Place, Known)> = found.reused_for(n_values).load(conn).await?;
        known.extend(found);
    }
    Ok(known)
}

/// What publishing events comes to.
#[derive(Default)]
pub(super) struct Publication {
    fresh: Vec<EventRow>,
    /// Pending events that say something else from now on.
    corrected: Vec<(Db<EventId>, Value)>,
    causes: Vec<EventInputRow>,
    /// The topics in which there is anything new to look at, for [`mark_work`].
    pub(super) changed: Vec<String>,
}

impl Publication {
    /// Of `events`; of several with one id in one topic the last one counts.
    pub(super) fn of(
        tx: &Tx<'_>,
        locked: &LockedRun,
        topics: &Topics,
        events: Vec<NewEvent>,
    ) -> Result<Self> {
        let mut publication = Self::default();
        for (topic, messages) in by_topic(events) {
            let id = topics.id(&topic)?;
            let mut is_changed = false;
            for message in messages {
                is_changed |= publication.add(tx, locked, (topics, id), message);
            }
            if is_changed {
                publication.changed.push(topic);
            }
        }
        Ok(publication)
    }

    /// Whether a subscriber has anything new to look at.
    fn add(
        &mut self,
        tx: &Tx<'_>,
        locked: &LockedRun,
        (topics, topic): (&Topics, Db<TopicId>),
        Message { message_id, payload, causes }: Message,
    ) -> bool {
        let place = (topic, message_id);
        let (event, is_changed) = match topics.known.get(&place) {
            Some(known) if !known.status.0.takes_correction() => return false,
            Some(known) => {
                let is_changed = known.payload.0 != payload;
                self.corrected.push((known.id, payload));
                (known.id, is_changed)
            }
            None => {
                let row = event(tx, locked, place, payload);
                let id = row.id;
                self.fresh.push(row);
                (id, true)
            }
        };
        let cause = |input| EventInputRow { event_id: event, input_id: Db(input) };
        self.causes.extend(causes.into_iter().map(cause));
        is_changed
    }

    /// Writes it.
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
    (topic_id, message_id): Place,
    payload: Value,
) -> EventRow {
    EventRow {
        id: Db(EventId::mint(tx.now)),
        workflow_id: locked.workflow.id,
        topic_id,
        message_id,
        payload: Json(payload),
        status: Db(EventStatus::Pending),
        reserved_by_run_id: None,
        created_by_run_id: locked.run.id,
        attempt_number: 1,
        blamed: 0,
        blamed_for: None,
        created_at: At(tx.now),
        updated_at: At(tx.now),
    }
}

/// A pending event says from now on what was published last.
async fn correct(tx: &Tx<'_>, event: Db<EventId>, payload: &Value) -> Result<()> {
    diesel::update(events::table.filter(events::id.eq(event)))
        .set((events::payload.eq(Json(payload)), events::updated_at.eq(At(tx.now))))
        .reused()
        .execute(tx.conn)
        .await?;
    diesel::delete(event_inputs::table.filter(event_inputs::event_id.eq(event)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Whoever subscribes one of the topics has work.
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
        .reused_for(n_topics)
        .execute(tx.conn)
        .await?;
    Ok(())
}
