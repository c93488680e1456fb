//! Events, and the inputs that caused them.

use async_trait::async_trait;
use windlass_core::{EventId, InputId, WorkflowId, WorkspaceId};

use super::Backend;
use super::dialect::Conn;
use super::ops::{Operation, Query, Tx};
use super::reads::{events, inputs, rounds};
use crate::error::Result;
use crate::model::{Event, EventRounds, Input, SettledEvents};
use crate::page::{EventCursor, InputCursor, ListOrder, Listed, Page};
use crate::params::{
    EventFilter, InputKey, ReplayEvents, ReplaySelection, SettleEvent, SettleEvents,
};
use crate::rows::storable;
use crate::store::EventStore;

reads! {
    Query over Conn;
    Events { filter: EventFilter } -> Listed<Event, EventCursor>: |conn| events::events(conn, &filter);
    FindInput { key: InputKey } -> Option<InputId>: |conn| inputs::find_input(conn, &key);
}

reads! {
    Operation over Tx<'_>;
    OneEvent { workspace: WorkspaceId, event: EventId } -> Event: |tx| events::event(tx.conn, workspace, event);
    Inputs { workspace: WorkspaceId, workflow: WorkflowId, order: ListOrder, page: Page<InputCursor> } -> Listed<Input, InputCursor>:
        |tx| inputs::inputs(tx.conn, (workspace, workflow), (order, page));
    Rounds { workspace: WorkspaceId, selection: ReplaySelection } -> Vec<EventRounds>:
        |tx| rounds::rounds(tx.conn, workspace, selection);
    OneInput { workspace: WorkspaceId, input: InputId } -> Input: |tx| inputs::input(tx.conn, workspace, input);
}

#[async_trait]
impl EventStore for Backend {
    async fn events(&self, filter: EventFilter) -> Result<Listed<Event, EventCursor>> {
        let filter = EventFilter {
            topic: filter.topic.map(storable),
            message_ids: filter.message_ids.map(|ids| ids.into_iter().map(storable).collect()),
            ..filter
        };
        self.query(Events { filter }).await
    }

    async fn event(&self, workspace: WorkspaceId, event: EventId) -> Result<Event> {
        self.read(OneEvent { workspace, event }).await
    }

    async fn settle_event(&self, params: SettleEvent) -> Result<Event> {
        self.write(params).await
    }

    async fn settle_events(&self, params: SettleEvents) -> Result<SettledEvents> {
        self.write(params).await
    }

    async fn replay_events(&self, params: ReplayEvents) -> Result<SettledEvents> {
        self.write(params).await
    }

    async fn event_rounds(
        &self,
        workspace: WorkspaceId,
        selection: ReplaySelection,
    ) -> Result<Vec<EventRounds>> {
        self.read(Rounds { workspace, selection }).await
    }

    async fn inputs(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        order: ListOrder,
        page: Page<InputCursor>,
    ) -> Result<Listed<Input, InputCursor>> {
        self.read(Inputs { workspace, workflow, order, page }).await
    }

    async fn input(&self, workspace: WorkspaceId, input: InputId) -> Result<Input> {
        self.read(OneInput { workspace, input }).await
    }

    async fn find_input(&self, key: InputKey) -> Result<Option<InputId>> {
        let key = InputKey {
            source: storable(key.source),
            input_type: storable(key.input_type),
            external_id: storable(key.external_id),
            ..key
        };
        self.query(FindInput { key }).await
    }
}
