//! What the tests read of a store.

use windlass_core::{InputId, MutationId, RunId};
use windlass_store::{
    Event, EventFilter, HandlerState, InputKey, Mutation, Notification, Page, Run, RunFilter,
    Session, Workflow,
};

use crate::world::World;

/// What can be seen of the workflow.
impl World {
    pub async fn current(&self) -> Workflow {
        self.store.overview(self.workspace, self.workflow).await.unwrap().workflow
    }

    pub async fn run(&self, run: RunId) -> Run {
        self.store.run(self.workspace, run).await.unwrap()
    }

    /// All runs, oldest first.
    pub async fn runs(&self) -> Vec<Run> {
        let filter = RunFilter {
            workspace: self.workspace,
            workflow: self.workflow,
            session: None,
            page: Page::first(1_000),
        };
        let mut runs = self.store.all_runs(filter).await.unwrap();
        runs.reverse();
        runs
    }

    pub async fn open_run(&self) -> Option<Run> {
        self.store.overview(self.workspace, self.workflow).await.unwrap().open_run
    }

    pub async fn session_of(&self, run: RunId) -> Session {
        self.store.session(self.workspace, self.run(run).await.session_id).await.unwrap()
    }

    pub async fn last_session(&self) -> Session {
        self.store.overview(self.workspace, self.workflow).await.unwrap().last_session.unwrap()
    }

    /// What an input of the workflow is called outside.
    #[must_use]
    pub fn input_key(&self, [source, input_type, external_id]: [&str; 3]) -> InputKey {
        InputKey {
            workspace: self.workspace,
            workflow: self.workflow,
            source: source.to_owned(),
            input_type: input_type.to_owned(),
            external_id: external_id.to_owned(),
        }
    }

    /// The events of a topic, oldest first.
    pub async fn events(&self, topic: &str) -> Vec<Event> {
        let filter = EventFilter {
            workspace: self.workspace,
            workflow: self.workflow,
            topic: Some(topic.to_owned()),
            status: None,
            message_ids: None,
            page: Page::first(10_000),
        };
        self.store.all_events(filter).await.unwrap()
    }

    pub async fn event(&self, topic: &str, message_id: &str) -> Event {
        let events = self.events(topic).await;
        let event = events.into_iter().find(|event| event.message_id == message_id);
        event.unwrap_or_else(|| panic!("there is no event `{message_id}` in `{topic}`"))
    }

    /// The input with that external id.
    pub async fn input_named(&self, external_id: &str) -> InputId {
        let inputs = self.store.all_inputs(self.workspace, self.workflow).await.unwrap();
        inputs.iter().find(|input| input.external_id == external_id).unwrap().id
    }

    pub async fn mutation(&self, mutation: MutationId) -> Mutation {
        self.store.mutation(self.workspace, mutation).await.unwrap()
    }

    pub async fn handler(&self, name: &str) -> HandlerState {
        let handlers = self.store.handlers(self.workspace, self.workflow).await.unwrap();
        let handler = handlers.into_iter().find(|handler| handler.name == name);
        handler.unwrap_or_else(|| panic!("there is no handler `{name}`"))
    }

    /// Notifications that nobody has settled, oldest first.
    pub async fn open_notifications(&self) -> Vec<Notification> {
        let mut all = self.store.all_notifications(self.workspace).await.unwrap();
        all.retain(|notice| notice.resolved_at.is_none());
        all.reverse();
        all
    }

    /// What the journal says was done, in order.
    pub async fn journal_actions(&self) -> Vec<String> {
        let entries = self.store.all_journal(self.workspace, self.workflow).await.unwrap();
        entries.into_iter().map(|entry| entry.action).collect()
    }
}
