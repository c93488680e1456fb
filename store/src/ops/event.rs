//! Puts parked events back or skips them.

use diesel::prelude::*;
use windlass_core::{EventStatus, TopicId, Trial};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::publish::mark_work;
use super::{Operation, Tx, notifications, reads};
use crate::error::{Result, StoreError};
use crate::model::Event;
use crate::params::{ParkedEventAction, SettleEvent};
use crate::rows::{At, Db, EventRow};
use crate::schema::{events, topics};
use crate::tenant::in_workspace;

impl Operation for SettleEvent {
    type Output = Event;

    async fn run(self, tx: &Tx<'_>) -> Result<Event> {
        let not_found = || StoreError::not_found("event", &self.event);
        let query = || {
            EventRow::query()
                .filter(events::id.eq(Db(self.event)))
                .filter(in_workspace!(self.workspace, events::workflow_id))
        };
        let found: Option<EventRow> = query().optional(tx.conn).await?;
        let Db(workflow) = found.ok_or_else(not_found)?.workflow_id;
        let workflow = tx.lock(self.workspace, workflow).await?;
        // Read again under the lock: it may have changed.
        let event: EventRow = query().first(tx.conn).await?;
        if event.status.0 != EventStatus::Parked {
            return Err(StoreError::NotNow {
                what: format!("`{}` is {}", self.event, event.status.0),
                hint: "only a parked event is put back or skipped".to_owned(),
            });
        }
        let (status, action) = match self.action {
            ParkedEventAction::PutBack => (EventStatus::Pending, "event.put_back"),
            ParkedEventAction::Skip => (EventStatus::Skipped, "event.skipped"),
        };
        diesel::update(events::table.filter(events::id.eq(event.id)))
            .set((
                events::status.eq(Db(status)),
                events::blamed.eq(0),
                events::suspected_in.eq(None::<Db<Trial>>),
                events::passed.eq(None::<Db<Trial>>),
                events::updated_at.eq(At(tx.now)),
            ))
            .execute(tx.conn)
            .await?;
        if status == EventStatus::Pending {
            let topic = topic_name(tx, event.topic_id).await?;
            mark_work(tx, workflow.id.0, &[topic]).await?;
        }
        notifications::resolve_parked(tx, workflow.id).await?;
        let entry = Entry::by(&self.actor, action, &self.event).because(self.reason);
        journal::add(tx, &workflow, entry).await?;
        advance_workflow(tx, workflow).await?;
        reads::event(tx.conn, self.workspace, self.event).await
    }
}

async fn topic_name(tx: &Tx<'_>, topic: Db<TopicId>) -> Result<String> {
    topics::table.find(topic).select(topics::name).first(tx.conn).await
}
