//! Events, and the inputs that caused them.

use windlass_core::{EventId, InputId, WorkflowId, WorkspaceId};

use super::role;
use crate::model::{Event, EventRounds, Input, SettledEvents};
use crate::page::{EventCursor, InputCursor, ListOrder, Listed, Page};
use crate::params::{
    EventFilter, InputKey, ReplayEvents, ReplaySelection, SettleEvent, SettleEvents,
};

role! {
    /// Events, and the inputs that caused them.
    pub trait EventStore {
        /// Events, oldest first.
        ///
        /// Pending events of a topic have an index of their own, and message ids another. Otherwise the workflow's events are read in
        /// their order until the page is full, and those of other topics and statuses are passed over.
        read async fn events(&self, filter: EventFilter) -> Result<Listed<Event, EventCursor>>;

        /// One event.
        read async fn event(&self, workspace: WorkspaceId, event: EventId) -> Result<Event>;

        /// A person puts a parked event back, or skips one that is not over. A run that has reserved it is stopped, as long as it has
        /// not come to its effect; afterwards it is refused.
        write async fn settle_event(&self, params: SettleEvent) -> Result<Event>;

        /// A person does the same with several events of a workflow. Those whose run has come to its effect are left.
        write async fn settle_events(&self, params: SettleEvents) -> Result<SettledEvents>;

        /// A person has consumed events processed once more: they are pending in their next round, and what is done for them then
        /// is another operation. Refused if none of them is consumed, or if an earlier round has had an effect that the person does
        /// not know of.
        write async fn replay_events(&self, params: ReplayEvents) -> Result<SettledEvents>;

        /// Events, oldest first, with every round in which a run had them.
        read async fn event_rounds(
            &self,
            workspace: WorkspaceId,
            selection: ReplaySelection,
        ) -> Result<Vec<EventRounds>>;

        /// A workflow's inputs.
        read async fn inputs(
            &self,
            workspace: WorkspaceId,
            workflow: WorkflowId,
            order: ListOrder,
            page: Page<InputCursor>,
        ) -> Result<Listed<Input, InputCursor>>;

        /// One input.
        read async fn input(&self, workspace: WorkspaceId, input: InputId) -> Result<Input>;

        /// The input with that natural key, where the workflow has it.
        read async fn find_input(&self, key: InputKey) -> Result<Option<InputId>>;
    }
}
