//! The records of one workflow, a row for each: events, inputs, outputs, runs.

use serde::Serialize;
use serde_json::Value;
use windlass_core::{
    EventId, EventStatus, FailureClass, HandlerKind, InputId, MutationId, Outcome, Phase, RunId,
    SessionId, Status, Timestamp, WorkflowId,
};
use windlass_store::{
    Event, EventFilter, Input, InputStatus, Mutation, Notification, Page, Result, Run, RunFilter,
};

use super::handle::Service;

/// An event.
#[derive(Debug, Serialize)]
pub struct EventRow {
    /// Its id.
    pub id: EventId,
    /// The topic that it was published to.
    pub topic: String,
    /// The publisher's name for it, unique in the topic.
    pub message_id: String,
    /// Whether it waits, is being worked on, or is done.
    pub status: EventStatus,
    /// How many runs have had it.
    pub attempt: u32,
    /// What it says.
    pub payload: Value,
}

impl From<Event> for EventRow {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            topic: event.topic,
            message_id: event.message_id,
            status: event.status,
            attempt: event.attempt_number,
            payload: event.payload,
        }
    }
}

/// Something outside that caused work.
#[derive(Debug, Serialize)]
pub struct InputRow {
    /// Its id.
    pub id: InputId,
    /// Where it came from, for example `Mail`.
    pub source: String,
    /// What kind of thing it is there.
    #[serde(rename = "type")]
    pub input_type: String,
    /// Its id there.
    pub external_id: String,
    /// What a person calls it.
    pub title: String,
    /// Whether everything that it caused is done.
    pub status: InputStatus,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl From<Input> for InputRow {
    fn from(input: Input) -> Self {
        Self {
            id: input.id,
            source: input.source,
            input_type: input.input_type,
            external_id: input.external_id,
            title: input.title,
            status: input.status,
            created_at: input.created_at,
        }
    }
}

/// A handler run.
#[derive(Debug, Serialize)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The session that it belongs to.
    pub session: SessionId,
    /// The handler's name.
    pub handler: String,
    /// Whether the handler is a producer or a consumer.
    pub kind: HandlerKind,
    /// How far it came.
    pub phase: Phase,
    /// Whether it waits, runs, or how it ended.
    pub status: Status,
    /// Why it failed.
    pub error: Option<String>,
    /// What kind of failure that was.
    pub error_class: Option<FailureClass>,
    /// Its effect.
    pub mutation: Option<MutationId>,
    /// How that ended.
    pub mutation_outcome: Option<Outcome>,
    /// The run that it continues.
    pub retry_of: Option<RunId>,
    /// When a worker began it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl From<Run> for RunRow {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            session: run.session_id,
            handler: run.handler,
            kind: run.kind,
            phase: run.phase,
            status: run.status,
            error: run.error,
            error_class: run.error_class,
            mutation: run.mutation_id,
            mutation_outcome: run.mutation_outcome,
            retry_of: run.retry_of,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

/// Which events of a workflow are listed.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// Only those of this topic.
    pub topic: Option<String>,
    /// Only those in this status.
    pub status: Option<EventStatus>,
    /// At most this many, the oldest first.
    pub limit: u32,
}

impl Service {
    /// The events of a workflow, given by name or id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events(&self, workflow: &str, query: EventQuery) -> Result<Vec<EventRow>> {
        let EventQuery { topic, status, limit } = query;
        let filter = EventFilter {
            workspace: self.workspace,
            workflow: self.find_workflow(workflow).await?,
            topic,
            status,
            message_ids: None,
            page: Page::first(limit),
        };
        Ok(rows(self.store.all_events(filter).await?))
    }

    /// The inputs of a workflow, given by name or id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inputs(&self, workflow: &str) -> Result<Vec<InputRow>> {
        let workflow = self.find_workflow(workflow).await?;
        Ok(rows(self.store.all_inputs(self.workspace, workflow).await?))
    }

    /// The effects of a workflow, given by name or id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn outputs(&self, workflow: &str) -> Result<Vec<Mutation>> {
        let workflow = self.find_workflow(workflow).await?;
        self.store.all_mutations(self.workspace, workflow).await
    }

    /// The newest runs of a workflow, given by name or id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn runs(&self, workflow: &str, limit: u32) -> Result<Vec<RunRow>> {
        let workflow = self.find_workflow(workflow).await?;
        let filter = RunFilter {
            workspace: self.workspace,
            workflow,
            session: None,
            page: Page::first(limit),
        };
        Ok(rows(self.store.all_runs(filter).await?))
    }

    /// What a person should know of this workspace.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn notifications(&self) -> Result<Vec<Notification>> {
        self.store.all_notifications(self.workspace).await
    }

    async fn find_workflow(&self, name_or_id: &str) -> Result<WorkflowId> {
        Ok(self.store.find_workflow(self.workspace, name_or_id).await?.id)
    }
}

fn rows<T, U: From<T>>(records: Vec<T>) -> Vec<U> {
    records.into_iter().map(U::from).collect()
}
