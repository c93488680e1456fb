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

/// Which events of a workflow are listed, the oldest first.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// Only those of this topic.
    pub topic: Option<String>,
    /// Only those in this status.
    pub status: Option<EventStatus>,
    /// Which of these.
    pub range: RecordRange,
}

/// Which records of a list are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordRange {
    /// Only those that were made at this instant or later.
    pub since: Option<Timestamp>,
    /// At most this many.
    pub limit: Option<u32>,
}

/// Records, and whether there are more of them.
#[derive(Debug)]
pub struct RecordList<T> {
    /// The records.
    pub rows: Vec<T>,
    /// Whether the limit left any out.
    pub is_cut: bool,
}

impl<T> RecordList<T> {
    /// The same from its end on.
    fn reversed(mut self) -> Self {
        self.rows.reverse();
        self
    }
}

impl RecordRange {
    /// How many of the newest records to ask the store for: one more than wanted tells that there are more.
    fn n_newest(self) -> u32 {
        self.limit.map_or(u32::MAX, |limit| limit.saturating_add(1))
    }

    /// What to ask the store for: one more than wanted tells that there are more.
    fn page<C>(self) -> Page<C> {
        let limit = self.limit.filter(|_| self.since.is_none());
        Page::first(limit.map_or(u32::MAX, |limit| limit.saturating_add(1)))
    }

    /// Those of `records` that are wanted.
    fn select<T, U: From<T>>(
        self,
        mut records: Vec<T>,
        made_at: impl Fn(&T) -> Timestamp,
    ) -> RecordList<U> {
        if let Some(since) = self.since {
            records.retain(|record| made_at(record) >= since);
        }
        let limit =
            self.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let is_cut = records.len() > limit;
        records.truncate(limit);
        RecordList { rows: records.into_iter().map(U::from).collect(), is_cut }
    }
}

impl Service {
    /// The events of a workflow, given by name or id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events(&self, workflow: &str, query: EventQuery) -> Result<RecordList<EventRow>> {
        let EventQuery { topic, status, range } = query;
        let filter = EventFilter {
            workspace: self.workspace,
            workflow: self.find_workflow(workflow).await?,
            topic,
            status,
            message_ids: None,
            page: range.page(),
        };
        let events = self.store.all_events(filter).await?;
        Ok(range.select(events, |event| event.created_at))
    }

    /// The newest inputs of a workflow, given by name or id, the oldest of them first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn inputs(&self, workflow: &str, range: RecordRange) -> Result<RecordList<InputRow>> {
        let workflow = self.find_workflow(workflow).await?;
        let RecordRange { since, .. } = range;
        let newest =
            self.store.newest_inputs(self.workspace, workflow, since, range.n_newest()).await?;
        Ok(range.select(newest, |input| input.created_at).reversed())
    }

    /// The newest effects of a workflow, given by name or id, the oldest of them first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn outputs(
        &self,
        workflow: &str,
        range: RecordRange,
    ) -> Result<RecordList<Mutation>> {
        let workflow = self.find_workflow(workflow).await?;
        let RecordRange { since, .. } = range;
        let newest =
            self.store.newest_mutations(self.workspace, workflow, since, range.n_newest()).await?;
        Ok(range.select(newest, |mutation| mutation.created_at).reversed())
    }

    /// The newest runs of a workflow, given by name or id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn runs(&self, workflow: &str, range: RecordRange) -> Result<RecordList<RunRow>> {
        let workflow = self.find_workflow(workflow).await?;
        let filter =
            RunFilter { workspace: self.workspace, workflow, session: None, page: range.page() };
        let runs = self.store.all_runs(filter).await?;
        Ok(range.select(runs, |run| run.created_at))
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
