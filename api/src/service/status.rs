//! A workflow with everything that is known of it now, and the judgement of its health.

use std::time::Duration;

use serde::Serialize;
use windlass_core::{WorkflowId, WorkflowStatus};
use windlass_store::{Result, WorkflowOverview};

use super::deploy::unread_topics;
use super::handle::Service;
use super::health::{
    HealthInputs, MutationInDoubt, WorkflowHealth, judge_health, mutations_in_doubt,
};
use crate::text::TimeFormat;

/// A workflow with the judgement of its health.
#[derive(Debug, Serialize)]
pub struct WorkflowStatusReport {
    /// Everything that is known of it.
    #[serde(flatten)]
    pub overview: WorkflowOverview,
    /// Whether it works, waits or needs a person.
    pub health: WorkflowHealth,
}

impl Service {
    /// Loads a workflow and judges its health. `times` says how instants are worded in it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn status(
        &self,
        workflow: WorkflowId,
        times: TimeFormat,
    ) -> Result<WorkflowStatusReport> {
        let known_ahead = self.known_ahead().await?;
        self.status_with(workflow, times, known_ahead).await
    }

    pub(super) async fn status_with(
        &self,
        workflow: WorkflowId,
        times: TimeFormat,
        known_ahead: Option<Duration>,
    ) -> Result<WorkflowStatusReport> {
        let overview = self.store.overview(self.workspace, workflow).await?;
        let mut doubts = Vec::new();
        for mutation in mutations_in_doubt(&overview) {
            let inputs = self.inputs_of(mutation).await?;
            doubts.push(MutationInDoubt { mutation: mutation.clone(), inputs });
        }
        let workflow = &overview.workflow;
        let unread = match workflow.active_script_id.filter(|_script| !workflow.kind.is_graph()) {
            Some(script) => {
                unread_topics(&overview, &self.store.script(self.workspace, script).await?.manifest)
            }
            None => Vec::new(),
        };
        let inputs = HealthInputs {
            overview: &overview,
            doubts: &doubts,
            unread: &unread,
            known_ahead,
            times,
        };
        let health = judge_health(inputs);
        Ok(WorkflowStatusReport { overview, health })
    }

    /// The same for every workflow that is not archived.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn status_of_all(&self, times: TimeFormat) -> Result<Vec<WorkflowStatusReport>> {
        let known_ahead = self.known_ahead().await?;
        let mut reports = Vec::new();
        for workflow in self.store.all_workflows(self.workspace).await? {
            if workflow.status != WorkflowStatus::Archived {
                reports.push(self.status_with(workflow.id, times, known_ahead).await?);
            }
        }
        Ok(reports)
    }
}
