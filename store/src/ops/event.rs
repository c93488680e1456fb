//! Puts parked events back, and skips events: one, or all of a choice.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{EventId, EventStatus, RunId, TopicId, Trial, WorkflowId};

use super::advance::advance_workflow;
use super::blame;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::publish::mark_work;
use super::{BATCH, Operation, Tx, locked_run, notifications, reads, recover};
use crate::error::{Result, StoreError};
use crate::literals::IsParked;
use crate::model::{Event, SettledEvents};
use crate::params::{EventAction, EventSelection, SettleEvent, SettleEvents};
use crate::rows::{At, Db, EventRow, InputRow, Json, WorkflowRow};
use crate::schema::{event_inputs, events, inputs, mutations, topics};
use crate::tenant::in_workspace;

impl Operation for SettleEvent {
    type Output = Event;

    async fn run(self, tx: &Tx<'_>) -> Result<Event> {
        let event = find(tx, &self).await?;
        let workflow = tx.lock(self.workspace, event.workflow_id.0).await?;
        // Read again under the lock: it may have changed.
        let event = find(tx, &self).await?;
        let not_now = |hint: &str| StoreError::NotNow {
            what: format!("`{}` is {}", self.event, event.status.0),
            hint: hint.to_owned(),
        };
        if !self.action.fits(event.status.0) {
            return Err(not_now(match self.action {
                EventAction::PutBack => "only a parked event is put back",
                EventAction::Skip => "only an event that is not over is skipped",
            }));
        }
        let workflow = stop_before_effect(tx, workflow, &[&event]).await?;
        let event = find(tx, &self).await?;
        if event.status.0 == EventStatus::Reserved {
            return Err(not_now(
                "its run has come to its effect: let it finish, or settle its effect first",
            ));
        }
        settle(tx, &workflow, &[event.id], self.action).await?;
        let entry = Entry::by(&self.actor, self.action.name(), &self.event).because(self.reason);
        journal::add(tx, &workflow, entry).await?;
        advance_workflow(tx, workflow).await?;
        reads::event(tx.conn, self.workspace, self.event).await
    }
}

async fn find(tx: &Tx<'_>, params: &SettleEvent) -> Result<EventRow> {
    let event = EventRow::query()
        .filter(events::id.eq(Db(params.event)))
        .filter(in_workspace!(params.workspace, events::workflow_id));
    let event: Option<EventRow> = event.optional(tx.conn).await?;
    event.ok_or_else(|| StoreError::not_found("event", &params.event))
}

impl Operation for SettleEvents {
    type Output = SettledEvents;

    async fn run(self, tx: &Tx<'_>) -> Result<SettledEvents> {
        let workflow = workflow_of(tx, &self).await?;
        let workflow = tx.lock(self.workspace, workflow).await?;
        let found = chosen(tx, &self, &workflow).await?;
        let reserved: Vec<_> =
            found.iter().filter(|event| event.status.0 == EventStatus::Reserved).collect();
        let workflow = stop_before_effect(tx, workflow, &reserved).await?;
        let found = chosen(tx, &self, &workflow).await?;
        let (left, settled): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|event| event.status.0 == EventStatus::Reserved);
        let settled: Vec<_> = settled.into_iter().map(|event| event.id).collect();
        settle(tx, &workflow, &settled, self.action).await?;
        let counts = SettledEvents { settled: settled.len(), left: left.len() };
        let entry = Entry::on(&self.actor, self.action.name(), self.selection.to_string())
            .because(self.reason)
            .with(json!({ "events": counts.settled, "left": counts.left }));
        journal::add(tx, &workflow, entry).await?;
        advance_workflow(tx, workflow).await?;
        Ok(counts)
    }
}

/// The chosen events that the action is for.
async fn chosen(
    tx: &Tx<'_>,
    params: &SettleEvents,
    workflow: &WorkflowRow,
) -> Result<Vec<EventRow>> {
    let of_workflow = EventRow::query().filter(events::workflow_id.eq(workflow.id));
    let chosen: Vec<EventRow> = match &params.selection {
        EventSelection::SameReason(event) => {
            let named = events::table.find(Db(*event)).select(events::reason);
            let reason: Option<String> = named.first(tx.conn).await?;
            let same = of_workflow.filter(IsParked).filter(events::reason.eq(reason));
            same.load(tx.conn).await?
        }
        EventSelection::Input(input) => {
            let caused = event_inputs::table
                .filter(event_inputs::input_id.eq(Db(*input)))
                .select(event_inputs::event_id);
            of_workflow.filter(events::id.eq_any(caused)).load(tx.conn).await?
        }
        EventSelection::Parked(_) => {
            let in_question = in_question(tx, workflow).await?;
            let parked: Vec<EventRow> = of_workflow.filter(IsParked).load(tx.conn).await?;
            parked.into_iter().filter(|event| !in_question.contains(&event.id.0)).collect()
        }
        EventSelection::Topic(_, name) => {
            let topic = topics::table
                .filter(topics::workflow_id.eq(workflow.id).and(topics::name.eq(name)))
                .select(topics::id);
            let topic: Option<Db<TopicId>> = topic.optional(tx.conn).await?;
            let topic = topic.ok_or_else(|| StoreError::not_found("topic", name))?;
            let open = [EventStatus::Pending, EventStatus::Reserved, EventStatus::Parked];
            let open = events::status.eq_any(open.map(Db));
            of_workflow.filter(events::topic_id.eq(topic)).filter(open).load(tx.conn).await?
        }
    };
    Ok(chosen.into_iter().filter(|event| params.action.fits(event.status.0)).collect())
}

/// The events of effects of which something was learned late.
async fn in_question(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<Vec<EventId>> {
    let of_effects = mutations::table
        .filter(mutations::workflow_id.eq(workflow.id))
        .filter(mutations::late_evidence.is_not_null())
        .select(mutations::event_ids);
    let of_effects: Vec<Json<Vec<EventId>>> = of_effects.load(tx.conn).await?;
    Ok(of_effects.into_iter().flat_map(|Json(events)| events).collect())
}

/// The workflow whose events are chosen.
async fn workflow_of(tx: &Tx<'_>, params: &SettleEvents) -> Result<WorkflowId> {
    let workspace = params.workspace;
    let (what, id, found): (_, String, Option<Db<WorkflowId>>) = match &params.selection {
        EventSelection::SameReason(event) => {
            let row = EventRow::query()
                .filter(events::id.eq(Db(*event)))
                .filter(in_workspace!(workspace, events::workflow_id));
            let row: Option<EventRow> = row.optional(tx.conn).await?;
            ("event", event.to_string(), row.map(|row| row.workflow_id))
        }
        EventSelection::Input(input) => {
            let row = InputRow::query()
                .filter(inputs::id.eq(Db(*input)))
                .filter(in_workspace!(workspace, inputs::workflow_id));
            let row: Option<InputRow> = row.optional(tx.conn).await?;
            ("input", input.to_string(), row.map(|row| row.workflow_id))
        }
        EventSelection::Parked(workflow) | EventSelection::Topic(workflow, _) => {
            return Ok(*workflow);
        }
    };
    found.map(|Db(workflow)| workflow).ok_or_else(|| StoreError::not_found(what, &id))
}

/// Stops the runs that have reserved these events, as far as they have not come to their effect: their events are pending again.
/// Their workers notice that they have lost them. A run past that point keeps its events.
async fn stop_before_effect(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
    chosen: &[&EventRow],
) -> Result<WorkflowRow> {
    let mut owners: Vec<Db<RunId>> = Vec::new();
    for event in chosen {
        let owner = event.reserved_by_run_id.filter(|_| event.status.0 == EventStatus::Reserved);
        owners.extend(owner.filter(|owner| !owners.contains(owner)));
    }
    if owners.is_empty() {
        return Ok(workflow);
    }
    let (workspace, id) = (workflow.workspace_id.0, workflow.id.0);
    for Db(owner) in owners {
        let Some(locked) = locked_run::find(tx, workspace, owner).await? else { continue };
        if locked.state.may_be_taken_back() {
            recover::hand_back(tx, locked).await?;
        }
    }
    tx.lock(workspace, id).await
}

/// Gives the events, of which none is reserved, the status that the action says.
async fn settle(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    chosen: &[Db<EventId>],
    action: EventAction,
) -> Result<()> {
    for batch in chosen.chunks(BATCH) {
        diesel::update(events::table.filter(events::id.eq_any(batch)))
            .set((
                events::status.eq(Db(action.status())),
                events::blamed.eq(0),
                events::suspected_in.eq(None::<Db<Trial>>),
                events::passed.eq(None::<Db<Trial>>),
                events::updated_at.eq(At(tx.now)),
            ))
            .execute(tx.conn)
            .await?;
        if action == EventAction::PutBack {
            let topics = events::table
                .inner_join(topics::table)
                .filter(events::id.eq_any(batch))
                .select(topics::name)
                .distinct();
            let topics: Vec<String> = topics.load(tx.conn).await?;
            mark_work(tx, workflow.id.0, &topics).await?;
        }
    }
    // A person has looked: what is parked from now on is a new row.
    blame::end_every_row(tx, workflow.id).await?;
    notifications::resolve_parked(tx, workflow.id).await
}
