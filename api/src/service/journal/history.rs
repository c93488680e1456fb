//! Lists executions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::WorkflowKind;
use windlass_core::graph::GraphStatus;
use windlass_store::{GraphFilter, GraphIncludes, GraphOrder, GraphRun};

use super::ExecutionJournal;
use super::ids::execution_id;
use super::ledger::{Ledger, in_range, ledger, steps};
use super::plan::{PlanView, view};
use super::words::ExecutionStatus;
use crate::service::Result;

/// How many executions are listed where nothing is said, and the most.
const USUAL: u32 = 20;
const MOST: u32 = 100;

/// Which executions are listed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryInput {
    /// Which kind of executions.
    pub query_type: QueryType,
    /// Of these, only those with one of these statuses.
    #[serde(default)]
    pub status_filter: Option<Vec<ExecutionStatus>>,
    /// How many at the most: 1 to 100; 20 where nothing is said.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
    /// How many of the first are left out.
    #[serde(default)]
    pub offset: u32,
    /// Whether each comes with its plan.
    #[serde(default)]
    pub include_plans: bool,
    /// Whether each comes with its steps.
    #[serde(default)]
    pub include_step_details: bool,
}

/// A kind of executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueryType {
    /// All, those that changed last first.
    Recent,
    /// Those that are under way.
    Incomplete,
    /// Those that failed or were cancelled.
    Failed,
    /// Those whose steps are all done, those that ended last first.
    Completed,
    /// All.
    All,
}

impl QueryType {
    const fn order(self) -> GraphOrder {
        match self {
            Self::Recent | Self::All | Self::Incomplete | Self::Failed => GraphOrder::Changed,
            Self::Completed => GraphOrder::Ended,
        }
    }

    const fn statuses(self) -> &'static [ExecutionStatus] {
        match self {
            Self::Recent | Self::All => &[
                ExecutionStatus::Running,
                ExecutionStatus::Completed,
                ExecutionStatus::Failed,
                ExecutionStatus::Cancelled,
            ],
            Self::Incomplete => &[ExecutionStatus::Running],
            Self::Failed => &[ExecutionStatus::Failed, ExecutionStatus::Cancelled],
            Self::Completed => &[ExecutionStatus::Completed],
        }
    }
}

/// Executions, in the order that the query asks for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct History {
    /// In one line.
    pub message: String,
    /// What was asked for.
    pub query_type: QueryType,
    /// How many executions fit in all.
    pub total_results: u64,
    /// How many are listed at the most.
    pub limit: u32,
    /// How many were left out.
    pub offset: u32,
    /// The executions.
    pub executions: Vec<HistoryRow>,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HistoryRow {
    /// The execution.
    #[serde(flatten)]
    pub execution: Ledger,
    /// Its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
}

impl ExecutionJournal {
    /// Executions, those that changed last first; those that are completed, those that ended last first.
    ///
    /// # Errors
    /// [`JournalError::OutOfRange`](super::JournalError::OutOfRange), or those of the store.
    pub async fn history(&self, input: &HistoryInput) -> Result<History> {
        let limit = input.limit.unwrap_or(USUAL);
        in_range("limit", limit, (1, MOST))?;
        let statuses = statuses(input);
        let mut history = History {
            message: String::new(),
            query_type: input.query_type,
            total_results: 0,
            limit,
            offset: input.offset,
            executions: Vec::new(),
        };
        // No status means all of them to the store.
        if !statuses.is_empty() {
            let filter = GraphFilter {
                workspace: self.service.workspace,
                kind: WorkflowKind::Journal,
                workflow: None,
                statuses,
                order: input.query_type.order(),
                limit,
                offset: input.offset,
            };
            let found = self.service.store.graphs(filter).await?;
            history.total_results = found.total;
            for run in found.runs {
                history.executions.extend(self.row(&run, input).await?);
            }
        }
        history.message =
            format!("{} of {} execution(s)", history.executions.len(), history.total_results);
        Ok(history)
    }

    /// The row of an execution; none where it was removed meanwhile.
    async fn row(&self, run: &GraphRun, input: &HistoryInput) -> Result<Option<HistoryRow>> {
        let includes =
            GraphIncludes { attempts: input.include_step_details, ..GraphIncludes::default() };
        let id = execution_id(run.id);
        let found = match self.view(&id, includes).await {
            Err(crate::service::ServiceError::Journal(
                super::JournalError::ExecutionNotFound { .. },
            )) => return Ok(None),
            found => found?,
        };
        let mut execution = ledger(&found);
        execution.steps = input.include_step_details.then(|| steps(&found));
        let plan = if input.include_plans {
            let store = &self.service.store;
            Some(view(&store.graph_version(self.service.workspace, run.script_id).await?)?)
        } else {
            None
        };
        Ok(Some(HistoryRow { execution, plan }))
    }
}

/// The statuses that the query and the filter both name.
fn statuses(input: &HistoryInput) -> Vec<GraphStatus> {
    let is_wanted = |status: &&ExecutionStatus| {
        input.status_filter.as_ref().is_none_or(|filter| filter.contains(status))
    };
    let wanted = input.query_type.statuses().iter().filter(is_wanted);
    wanted.flat_map(|status| status.graph_statuses()).copied().collect()
}
