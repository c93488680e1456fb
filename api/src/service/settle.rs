//! A person settles what stopped: a mutation in doubt, or a parked event.

use serde_json::Value;
use windlass_core::{EventId, MutationId, RunId};
use windlass_scheduler::Registry;
use windlass_store::{
    AnyId, Event, EventAction, LogFilter, Mutation, Page, Resolution, ResolveMutation, RunFilter,
    SettleEvent,
};

use super::error::{RecordName, Result, ServiceError};
use super::example::example_of;
use super::handle::Service;

/// How many of a workflow's newest runs are looked through for one that logged something.
const RUNS_WITH_LOGS: u32 = 50;

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

    /// The event with this id or beginning of an id.
    ///
    /// # Errors
    /// [`ServiceError::WrongKind`] where it is the id of something else, and those of the store.
    pub async fn find_event(&self, id: &str) -> Result<EventId> {
        if let AnyId::Event(id) = self.store.resolve_id(self.workspace, id).await? {
            Ok(id)
        } else {
            Err(wrong_kind(id, RecordName::Event))
        }
    }

    /// The run with this id or beginning of an id.
    ///
    /// # Errors
    /// [`ServiceError::WrongKind`] where it is the id of something else, and those of the store.
    pub async fn find_run(&self, id: &str) -> Result<RunId> {
        if let AnyId::Run(id) = self.store.resolve_id(self.workspace, id).await? {
            Ok(id)
        } else {
            Err(wrong_kind(id, RecordName::Run))
        }
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

    /// Puts a parked event back into its queue, or skips it.
    ///
    /// # Errors
    /// Those of the store, for example that the event is not parked.
    pub async fn settle_event(
        &self,
        event: EventId,
        action: EventAction,
        reason: Option<String>,
    ) -> Result<Event> {
        let (workspace, actor) = (self.workspace, self.actor.clone());
        Ok(self.store.settle_event(SettleEvent { workspace, event, action, actor, reason }).await?)
    }
}

impl Service {
    /// The newest run of a workflow that logged anything, or else its newest run.
    ///
    /// # Errors
    /// [`ServiceError::NeverRan`], and those of the store.
    pub async fn newest_run(&self, workflow: &str) -> Result<RunId> {
        let workflow = self.store.find_workflow(self.workspace, workflow).await?;
        let filter = RunFilter {
            workspace: self.workspace,
            workflow: workflow.id,
            session: None,
            page: Page::first(RUNS_WITH_LOGS),
        };
        let runs = self.store.runs(filter).await?.items;
        for run in &runs {
            let page = Page { limit: 1, after: None };
            let filter = LogFilter { workspace: self.workspace, run: run.id, page };
            if !self.store.logs(filter).await?.items.is_empty() {
                return Ok(run.id);
            }
        }
        let newest = runs.first().map(|run| run.id);
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

fn wrong_kind(id: &str, expected: RecordName) -> ServiceError {
    ServiceError::WrongKind { id: id.to_owned(), expected }
}
