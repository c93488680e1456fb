//! Removes executions that are over, and plans without any.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::graph::GraphStatus;
use windlass_store::{DeleteExecutions, DeletedExecutions};

use super::ExecutionJournal;
use super::ids::{execution_id, plan_id};
use super::ledger::in_range;
use crate::service::Result;

/// How old is old where nothing is said, in days.
const USUAL_DAYS: u32 = 30;
const MOST_DAYS: u32 = 365;

/// How many are removed in one transaction.
const BATCH: u32 = 100;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is removed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanupInput {
    /// What is removed. Executions that are under way are never removed.
    pub cleanup_type: CleanupType,
    /// Executions that ended so many days ago: 1 to 365; 30 where nothing is said.
    #[serde(default)]
    #[schemars(range(min = 1, max = 365))]
    pub older_than_days: Option<u32>,
    /// Whether nothing is removed, and it is only said what would be. It is so where nothing is said: say `false` to remove.
    #[serde(default = "yes")]
    pub dry_run: bool,
}

const fn yes() -> bool {
    true
}

/// What is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CleanupType {
    /// Old executions that completed, with their steps and events.
    CompletedOld,
    /// Old executions that failed or were cancelled, with their steps and events.
    FailedOld,
    /// Plans without executions, of any age.
    OrphanedPlans,
    /// Old executions that are over, however they ended.
    AllOld,
}

impl CleanupType {
    const fn statuses(self) -> &'static [GraphStatus] {
        match self {
            Self::CompletedOld => &[GraphStatus::Completed],
            Self::FailedOld => &[GraphStatus::Failed, GraphStatus::Aborted],
            Self::OrphanedPlans => &[],
            Self::AllOld => &[GraphStatus::Completed, GraphStatus::Failed, GraphStatus::Aborted],
        }
    }
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cleanup {
    /// In one line.
    pub message: String,
    /// What was asked for.
    pub cleanup_type: CleanupType,
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// How many executions.
    pub executions_count: usize,
    /// How many plans.
    pub plans_count: usize,
    /// The executions.
    pub executions: Vec<String>,
    /// The plans.
    pub plans: Vec<String>,
}

impl ExecutionJournal {
    /// Removes what is over and old, or says what would be removed.
    ///
    /// # Errors
    /// [`JournalError::OutOfRange`](super::JournalError::OutOfRange), or those of the store. What was removed before an error stays
    /// removed.
    pub async fn clean(&self, input: &CleanupInput) -> Result<Cleanup> {
        let days = input.older_than_days.unwrap_or(USUAL_DAYS);
        in_range("older_than_days", days, (1, MOST_DAYS))?;
        let now = self.service.store.now().await?;
        let params = DeleteExecutions {
            workspace: self.service.workspace,
            statuses: input.cleanup_type.statuses().to_vec(),
            orphaned_plans: input.cleanup_type == CleanupType::OrphanedPlans,
            ended_before: now.before(DAY * days),
            is_dry_run: input.dry_run,
            limit: if input.dry_run { u32::MAX } else { BATCH },
        };
        let found = self.delete(params).await?;
        let executions: Vec<String> = found.executions.into_iter().map(execution_id).collect();
        let plans: Vec<String> = found.plans.into_iter().map(plan_id).collect();
        let verb = if input.dry_run { "would be removed" } else { "removed" };
        Ok(Cleanup {
            message: format!(
                "{} execution(s) and {} plan(s) {verb}",
                executions.len(),
                plans.len()
            ),
            cleanup_type: input.cleanup_type,
            dry_run: input.dry_run,
            executions_count: executions.len(),
            plans_count: plans.len(),
            executions,
            plans,
        })
    }

    /// Removes batch after batch.
    async fn delete(&self, params: DeleteExecutions) -> Result<DeletedExecutions> {
        let mut all = DeletedExecutions { executions: Vec::new(), plans: Vec::new() };
        loop {
            let batch = self.service.store.delete_executions(params.clone()).await?;
            let is_last =
                params.is_dry_run || (batch.executions.is_empty() && batch.plans.is_empty());
            all.executions.extend(batch.executions);
            all.plans.extend(batch.plans);
            if is_last {
                return Ok(all);
            }
        }
    }
}
