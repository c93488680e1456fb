//! A person settles what stopped: a mutation in doubt, or a parked event.

use serde::Serialize;
use serde_json::Value;
use windlass_core::{EventId, MutationId, WorkflowId, WorkflowKind};
use windlass_scheduler::Registry;
use windlass_store::{
    AnyId, EventAction, EventSelection, LogFilter, LogSource, Mutation, Page, ReplaySelection,
    Resolution, ResolveMutation, RunFilter, SettleEvent, SettleEvents, SettledEvents, StoreError,
    Workflow,
};

use super::error::{RecordName, Result, ServiceError};
use super::example::example_of;
use super::handle::Service;

/// How many of a workflow's newest runs are looked through for one that logged something.
const RUNS_WITH_LOGS: u32 = 50;

/// Events that a person skips or puts back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventTarget {
    /// This one.
    One(EventId),
    /// Several of a workflow.
    Several(EventSelection),
}

/// What became of the events that a person skipped, put back or replayed.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct SettleReport {
    /// How many were skipped, put back or replayed.
    pub settled: usize,
    /// How many of a selection were left: their run had come to its effect, or they were not consumed and so not replayed.
    pub left: usize,
    /// Why single events were left, where others were named, too.
    pub refused: Vec<String>,
}

impl Service {
    /// The mutation with this id or beginning of an id.
    ///
    /// # Errors
    /// [`ServiceError::WrongKind`] where it is the id of something else, and those of the store.
    pub async fn find_output(&self, id: &str) -> Result<Mutation> {
        if let AnyId::Mutation(id) = self.store.resolve_id(self.workspace, id).await? {
            Ok(self.store.mutation(self.workspace, id).await?)
        } else {
            Err(wrong_kind(id, RecordName::Output))
        }
    }

    /// The event with this id or beginning of an id, or all events that the input with this id caused.
    ///
    /// # Errors
    /// [`ServiceError::WrongKind`] where it is the id of something else, and those of the store.
    pub async fn find_events(&self, id: &str) -> Result<EventTarget> {
        Ok(match self.find_replayed(id).await? {
            ReplaySelection::Event(event) => EventTarget::One(event),
            ReplaySelection::Input(input) => EventTarget::Several(EventSelection::Input(input)),
        })
    }

    /// The same, as what a replay takes.
    pub(super) async fn find_replayed(&self, id: &str) -> Result<ReplaySelection> {
        match self.store.resolve_id(self.workspace, id).await? {
            AnyId::Event(event) => Ok(ReplaySelection::Event(event)),
            AnyId::Input(input) => Ok(ReplaySelection::Input(input)),
            AnyId::Workflow(_)
            | AnyId::Script(_)
            | AnyId::Run(_)
            | AnyId::Mutation(_)
            | AnyId::Session(_)
            | AnyId::Notification(_)
            | AnyId::Approval(_)
            | AnyId::Artifact(_) => Err(wrong_kind(id, RecordName::Event)),
        }
    }

    /// The events of a topic of a workflow that are not over; without a topic those that are parked.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events_of(&self, name_or_id: &str, topic: Option<&str>) -> Result<EventTarget> {
        let workflow = self.store.find_workflow(self.workspace, name_or_id).await?.id;
        Ok(EventTarget::Several(match topic {
            Some(topic) => EventSelection::Topic(workflow, topic.to_owned()),
            None => EventSelection::Parked(workflow),
        }))
    }

    /// Settles a mutation in doubt. The result that a person gives is to be checked with [`check_result`] first.
    ///
    /// # Errors
    /// Those of the store, for example that the mutation is not in doubt.
    pub async fn resolve_mutation(
        &self,
        mutation: MutationId,
        resolution: Resolution,
        reason: Option<String>,
    ) -> Result<Mutation> {
        let (workspace, actor) = (self.workspace, self.actor.clone());
        let params = ResolveMutation { workspace, mutation, resolution, actor, reason };
        Ok(self.store.resolve_mutation(params).await?)
    }

    /// Skips events, or puts parked ones back into their queue: each target by itself.
    ///
    /// # Errors
    /// Those of the store. That the action does not fit an event is an error only if it is the only target; otherwise the others are
    /// settled, and the report says why this one was left.
    pub async fn settle_events(
        &self,
        targets: &[EventTarget],
        action: EventAction,
        reason: Option<&str>,
    ) -> Result<SettleReport> {
        let mut report = SettleReport::default();
        for target in targets {
            match self.settle_target(target, action, reason).await {
                Ok(SettledEvents { settled, left }) => {
                    report.settled += settled;
                    report.left += left;
                }
                Err(refused @ StoreError::NotNow { .. }) if targets.len() > 1 => {
                    report.refused.push(refused.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(report)
    }

    async fn settle_target(
        &self,
        target: &EventTarget,
        action: EventAction,
        reason: Option<&str>,
    ) -> Result<SettledEvents, StoreError> {
        let (workspace, actor) = (self.workspace, self.actor.clone());
        let reason = reason.map(str::to_owned);
        match target {
            EventTarget::One(event) => {
                let event = *event;
                let params = SettleEvent { workspace, event, action, actor, reason };
                self.store.settle_event(params).await?;
                Ok(SettledEvents { settled: 1, left: 0 })
            }
            EventTarget::Several(selection) => {
                let selection = selection.clone();
                let params = SettleEvents { workspace, selection, action, actor, reason };
                self.store.settle_events(params).await
            }
        }
    }

    /// Puts back what failures of earlier versions parked. Returns how many events that were.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn put_back_parked(&self, workflow: WorkflowId) -> Result<usize> {
        let parked = [EventTarget::Several(EventSelection::Parked(workflow))];
        let reason = Some("a repaired version is deployed");
        Ok(self.settle_events(&parked, EventAction::PutBack, reason).await?.settled)
    }
}

impl Service {
    /// The log with this id or part of an id: of a run or a session. With the name of a workflow it is that of its newest run that
    /// logged anything, or else of its newest run; with the name of a plan, of the plan's newest run.
    ///
    /// # Errors
    /// [`ServiceError::WrongKind`] where it is the id of something else, [`ServiceError::NeverRan`], and those of the store.
    pub async fn find_log(&self, name_or_id: &str) -> Result<LogSource> {
        match self.store.find_workflow(self.workspace, name_or_id).await {
            Ok(workflow) => self.newest_log(workflow).await,
            Err(StoreError::NotFound { .. }) => {
                match self.store.resolve_id(self.workspace, name_or_id).await? {
                    AnyId::Run(run) => Ok(LogSource::Run(run)),
                    AnyId::Session(session) => Ok(LogSource::Session(session)),
                    AnyId::Workflow(_)
                    | AnyId::Script(_)
                    | AnyId::Event(_)
                    | AnyId::Input(_)
                    | AnyId::Mutation(_)
                    | AnyId::Notification(_)
                    | AnyId::Approval(_)
                    | AnyId::Artifact(_) => Err(wrong_kind(name_or_id, RecordName::Run)),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn newest_log(&self, workflow: Workflow) -> Result<LogSource> {
        if workflow.kind != WorkflowKind::Script {
            let last = self.store.overview(self.workspace, workflow.id).await?.last_session;
            let last = last.map(|session| LogSource::Session(session.id));
            return last.ok_or(ServiceError::NeverRan { workflow: workflow.name });
        }
        let filter = RunFilter {
            workspace: self.workspace,
            workflow: workflow.id,
            session: None,
            page: Page::first(RUNS_WITH_LOGS),
        };
        let runs = self.store.runs(filter).await?.items;
        for run in &runs {
            let page = Page { limit: 1, after: None };
            let filter = LogFilter { workspace: self.workspace, of: LogSource::Run(run.id), page };
            if !self.store.logs(filter).await?.items.is_empty() {
                return Ok(LogSource::Run(run.id));
            }
        }
        let newest = runs.first().map(|run| LogSource::Run(run.id));
        newest.ok_or(ServiceError::NeverRan { workflow: workflow.name })
    }
}

/// Checks that a mutation's tool could have answered with `result`. Where the tool is not there any more, nothing is checked.
///
/// # Errors
/// [`ServiceError::WrongResult`] where it could not.
pub fn check_result(registry: &Registry, mutation: &Mutation, result: &Value) -> Result<()> {
    let Some(tool) = registry.find(&mutation.tool_namespace, &mutation.tool_method) else {
        return Ok(());
    };
    tool.check_output(result).map_err(|failure| ServiceError::WrongResult {
        problem: failure.message,
        mutation: mutation.id,
        example: example_of(&tool.spec().output, result),
    })
}

/// A result that the tool of a mutation could have answered with, to begin from.
#[must_use]
pub fn example_of_result(registry: &Registry, mutation: &Mutation) -> Value {
    match registry.find(&mutation.tool_namespace, &mutation.tool_method) {
        Some(tool) => example_of(&tool.spec().output, &Value::Null),
        None => Value::Null,
    }
}

fn wrong_kind(id: &str, expected: RecordName) -> ServiceError {
    ServiceError::WrongKind { id: id.to_owned(), expected }
}
