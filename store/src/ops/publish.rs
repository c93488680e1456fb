//! Publishes events.
//!
//! An event is known by its message id in its topic: the unique key of the rows that are kept, and the name that a removed event
//! left. Only one that neither has is new.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{EventId, EventStatus, HandlerKind, Id, InputId, TopicId, WorkflowId};

use super::dialect::RunQueryDsl;
use super::held::Held;
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

/// The topics of what is to be published: their ids, and which of the events are over and no longer kept.
pub(super) struct Topics {
    ids: HashMap<String, Db<TopicId>>,
    past: HashSet<(String, String)>,
}

impl Topics {
    /// Looks them up. It depends on nothing but the workflow, so it can be joined with the look at the run.
    pub(super) async fn of(tx: &Tx<'_>, workflow: WorkflowId, events: &[NewEvent]) -> Result<Self> {
        let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in events {
            for topic in &event.topics {
                let names = named.entry(topic.clone()).or_default();
                names.insert(storable(event.message_id.clone()));
            }
        }
        let topics = named.keys().cloned().collect();
        let (ids, past) = joined!(ids(tx, workflow, topics), past(tx, workflow, named))?;
        Ok(Self { ids, past })
    }

    /// Leaves out what was published, is over and is no longer kept: it stays over.
    pub(super) fn leave_out_past(&self, events: &mut Vec<NewEvent>) {
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
    tx: &Tx<'_>,
    workflow: WorkflowId,
    names: Vec<String>,
) -> Result<HashMap<String, Db<TopicId>>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let n_names = names.len();
    let found = topics::table
        .filter(topics::workflow_id.eq(Db(workflow)).and(topics::name.eq_any(names)))
        .select((topics::name, topics::id));
    let found: Vec<(String, Db<TopicId>)> = found.reused_for(n_names).load(tx.conn).await?;
    Ok(found.into_iter().collect())
}

async fn past(
    tx: &Tx<'_>,
    workflow: WorkflowId,
    named: BTreeMap<String, BTreeSet<String>>,
) -> Result<HashSet<(String, String)>> {
    let mut past = HashSet::new();
    for (topic, names) in named {
        let names: Vec<String> = names.into_iter().collect();
        for batch in names.chunks(BATCH) {
            let found = past_events::table
                .inner_join(topics::table)
                .filter(topics::workflow_id.eq(Db(workflow)).and(topics::name.eq(&topic)))
                .filter(past_events::message_id.eq_any(batch))
                .select(past_events::message_id);
            let found: Vec<String> = found.reused_for(batch.len()).load(tx.conn).await?;
            past.extend(found.into_iter().map(|name| (topic.clone(), name)));
        }
    }
    Ok(past)
}

/// Publishes events; of several with one id in one topic the last one counts. Returns the topics in which there is anything new
/// to look at, for [`mark_work`].
pub(super) async fn publish(
    tx: &Tx<'_>,
    held: &Held,
    topics: &Topics,
    events: Vec<NewEvent>,
) -> Result<Vec<String>> {
    let mut changed = Vec::new();
    for (topic, messages) in by_topic(events) {
        if publish_in(tx, held, topics.id(&topic)?, messages).await? {
            changed.push(topic);
        }
    }
    Ok(changed)
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

/// Whether a subscriber has anything new to look at.
async fn publish_in(
    tx: &Tx<'_>,
    held: &Held,
    topic: Db<TopicId>,
    mut messages: Vec<Message>,
) -> Result<bool> {
    let mut is_changed = false;
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(BATCH));
        is_changed |= publish_batch(tx, held, topic, messages).await?;
        messages = rest;
    }
    Ok(is_changed)
}

async fn publish_batch(
    tx: &Tx<'_>,
    held: &Held,
    topic: Db<TopicId>,
    messages: Vec<Message>,
) -> Result<bool> {
    let known = known(tx, topic, &messages).await?;
    let mut fresh = Vec::new();
    let mut causes = Vec::new();
    let mut is_changed = false;
    for message in messages {
        match known.get(&message.message_id) {
            None => {
                let row = event(tx, held, topic, &message);
                causes.extend(causes_of(row.id, &message));
                fresh.push(row);
            }
            Some(Known { id, status, payload }) if status.takes_correction() => {
                is_changed |= *payload != message.payload;
                correct(tx, *id, &message).await?;
                causes.extend(causes_of(*id, &message));
            }
            Some(_) => {}
        }
    }
    is_changed |= !fresh.is_empty();
    match fresh.as_slice() {
        [] => 0,
        // Prepared once, as a list of rows is not.
        [one] => diesel::insert_into(events::table).values(one).execute(tx.conn).await?,
        many => diesel::insert_into(events::table).values(many).execute(tx.conn).await?,
    };
    for batch in causes.chunks(BATCH) {
        match batch {
            [one] => diesel::insert_into(event_inputs::table).values(one).execute(tx.conn).await?,
            many => diesel::insert_into(event_inputs::table).values(many).execute(tx.conn).await?,
        };
    }
    Ok(is_changed)
}

struct Known {
    id: Db<EventId>,
    status: EventStatus,
    payload: Value,
}

async fn known(
    tx: &Tx<'_>,
    topic: Db<TopicId>,
    messages: &[Message],
) -> Result<HashMap<String, Known>> {
    let ids: Vec<&String> = messages.iter().map(|message| &message.message_id).collect();
    let known =
        EventRow::query().filter(events::topic_id.eq(topic).and(events::message_id.eq_any(ids)));
    let known: Vec<EventRow> = known.reused_for(messages.len()).load(tx.conn).await?;
    let known = known.into_iter().map(|row| {
        let Json(payload) = row.payload;
        (row.message_id, Known { id: row.id, status: row.status.0, payload })
    });
    Ok(known.collect())
}

fn event(tx: &Tx<'_>, held: &Held, topic: Db<TopicId>, message: &Message) -> EventRow {
    EventRow {
        id: Db(EventId::mint(tx.now)),
        workflow_id: held.workflow.id,
        topic_id: topic,
        message_id: message.message_id.clone(),
        payload: Json(message.payload.clone()),
        status: Db(EventStatus::Pending),
        reserved_by_run_id: None,
        created_by_run_id: held.run.id,
        attempt_number: 1,
        blamed: 0,
        blamed_for: None,
        created_at: At(tx.now),
        updated_at: At(tx.now),
    }
}

fn causes_of(event: Db<EventId>, message: &Message) -> Vec<EventInputRow> {
    let row = |input: &InputId| EventInputRow { event_id: event, input_id: Db(*input) };
    message.causes.iter().map(row).collect()
}

/// A pending event says from now on what was published last.
async fn correct(tx: &Tx<'_>, event: Db<EventId>, message: &Message) -> Result<()> {
    diesel::update(events::table.filter(events::id.eq(event)))
        .set((events::payload.eq(Json(&message.payload)), events::updated_at.eq(At(tx.now))))
        .reused()
        .execute(tx.conn)
        .await?;
    diesel::delete(event_inputs::table.filter(event_inputs::event_id.eq(event)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Whoever subscribes one of the topics has work.
pub(super) async fn mark_work(
    tx: &Tx<'_>,
    workflow: WorkflowId,
    changed: Vec<String>,
) -> Result<()> {
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
