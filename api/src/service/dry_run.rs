//! A dry run: the real script on real inputs, in a copy of the workflow that is gone afterwards.
//!
//! The copy is a store in memory. It is given the active version, what every handler returned last and the events that wait, and then
//! an engine runs one session of it that captures mutations instead of making them. So nothing of the real workflow can change: the
//! engine does not have its store.

mod copy;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use windlass_core::{
    LogLevel, MutationId, MutationStatus, Policy, RunId, SessionResult, WorkflowId,
};
use windlass_scheduler::Engine;
use windlass_store::{LogEntry, LogSource, Mutation, Page, RunFilter};

pub use self::copy::WorkflowCopy;
use super::error::{Result, ServiceError};
use super::handle::Service;

/// What a dry run found.
#[derive(Debug, Serialize)]
pub struct DryRunReport {
    /// How the session ended.
    pub result: Option<SessionResult>,
    /// Why it failed.
    pub error: Option<String>,
    /// What would have gone out.
    pub would_send: Vec<CapturedMutation>,
    /// What of that is different from what went out last.
    pub difference: OutputDifference,
    /// What the script logged, in the order of its handlers' runs.
    pub logs: Vec<DryRunLog>,
    /// The workflow's name.
    #[serde(skip)]
    pub workflow: String,
}

/// A line that the script logged.
#[derive(Debug, Serialize)]
pub struct DryRunLog {
    /// The name of the handler that logged it.
    pub handler: String,
    /// How loud it is.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

/// An effect that was captured instead of made.
#[derive(Debug, Serialize)]
pub struct CapturedMutation {
    /// Its id in the copy.
    pub id: MutationId,
    /// The tool, `Namespace.method`.
    pub tool: String,
    /// Its status in the copy.
    pub status: MutationStatus,
    /// The script's title for it.
    pub title: String,
    /// What it would act on.
    pub target: String,
    /// The request.
    pub params: Value,
}

/// What would go out now, compared with what went out when the workflow ran last.
#[derive(Debug, Default, Serialize)]
pub struct OutputDifference {
    /// What would go out now and did not then.
    pub added: Vec<String>,
    /// What went out then and would not now.
    pub removed: Vec<String>,
    /// How many would be the same.
    pub same: usize,
}

impl Service {
    /// Copies a workflow for a dry run.
    ///
    /// # Errors
    /// [`ServiceError::NotActive`], and those of the store.
    pub async fn copy_for_dry_run(
        &self,
        workflow: WorkflowId,
        policy: Policy,
    ) -> Result<WorkflowCopy> {
        let found = self.store.overview(self.workspace, workflow).await?.workflow;
        let Some(script) = found.active_script_id else {
            return Err(ServiceError::NotActive { workflow: found.name });
        };
        let script = self.store.script(self.workspace, script).await?;
        WorkflowCopy::make(self, &script, &found.name, policy).await
    }

    /// Runs one session of a copy, and compares what it would send with what the real workflow sent last. `engine` works on the
    /// copy's store and captures mutations.
    ///
    /// # Errors
    /// Those of the engine and the store.
    pub async fn dry_run(&self, copy: &WorkflowCopy, engine: &Engine) -> Result<DryRunReport> {
        let WorkflowCopy { service, original, workflow, name, .. } = copy;
        let session = engine.run_session(service.workspace, *workflow, &self.actor).await?;
        let captured = service.store.all_mutations(service.workspace, *workflow).await?;
        let earlier = self.outputs_of_last_session(*original).await?;
        let logged = service.logs(LogSource::Session(session.id), 0).await?.into_iter();
        let logs = logged.map(|LogEntry { handler, level, message, .. }| DryRunLog {
            handler: handler.unwrap_or_default(),
            level,
            message,
        });
        Ok(DryRunReport {
            logs: logs.collect(),
            result: session.result,
            error: session.error,
            difference: compare(&captured, &earlier),
            would_send: captured.into_iter().map(CapturedMutation::from).collect(),
            workflow: name.clone(),
        })
    }

    /// What went out in the last session that had anything to send.
    async fn outputs_of_last_session(&self, workflow: WorkflowId) -> Result<Vec<Mutation>> {
        let outputs = self.store.all_mutations(self.workspace, workflow).await?;
        let Some(last) = outputs.last() else { return Ok(Vec::new()) };
        let session = self.store.run(self.workspace, last.handler_run_id).await?.session_id;
        let filter = RunFilter {
            workspace: self.workspace,
            workflow,
            session: Some(session),
            page: Page::first(u32::MAX),
        };
        let runs: Vec<RunId> =
            self.store.all_runs(filter).await?.iter().map(|run| run.id).collect();
        Ok(outputs.into_iter().filter(|it| runs.contains(&it.handler_run_id)).collect())
    }
}

/// Compares by tool and exact request.
fn compare(now: &[Mutation], earlier: &[Mutation]) -> OutputDifference {
    let key = |it: &Mutation| {
        (it.tool_namespace.clone(), it.tool_method.clone(), it.params_digest.clone())
    };
    let mut unmatched: BTreeMap<_, Vec<&Mutation>> = BTreeMap::new();
    for mutation in earlier {
        unmatched.entry(key(mutation)).or_default().push(mutation);
    }
    let mut difference = OutputDifference::default();
    for mutation in now {
        match unmatched.get_mut(&key(mutation)).and_then(Vec::pop) {
            Some(_) => difference.same += 1,
            None => difference.added.push(line(mutation)),
        }
    }
    difference.removed = unmatched.into_values().flatten().map(line).collect();
    difference
}

fn line(mutation: &Mutation) -> String {
    let Mutation { tool_namespace, tool_method, ui_title, target, .. } = mutation;
    format!("{tool_namespace}.{tool_method} on {target}: {ui_title}")
}

impl From<Mutation> for CapturedMutation {
    fn from(mutation: Mutation) -> Self {
        Self {
            id: mutation.id,
            tool: format!("{}.{}", mutation.tool_namespace, mutation.tool_method),
            status: mutation.status,
            title: mutation.ui_title,
            target: mutation.target,
            params: mutation.params,
        }
    }
}
