//! Begins executions, and records what became of their steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::SessionId;
use windlass_core::graph::{MAX_OUTPUT_BYTES, NodeResult, ResultStatus, SteerRefused, Word};
use windlass_store::{
    AddNote, GraphIncludes, GraphSelector, GraphView, NoteKind, StartExecution, StoreError,
    Submission, SubmitNode,
};

use super::ExecutionJournal;
use super::error::JournalError;
use super::ids::{execution_id, plan_id};
use super::ledger::{current_step, progress, step_status};
use super::plan::{FailurePolicy, PolicyAction};
use super::words::{ExecutionStatus, StepStatus};
use crate::service::Result;

/// Why a step failed, where its agent does not say it.
const NO_REASON: &str = "the agent gave no reason";

/// Begins an execution.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartInput {
    /// The plan: `plan_…`.
    pub plan_id: String,
    /// What is to be kept with this execution.
    #[serde(default)]
    pub notes: Option<String>,
}

/// An execution began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StartedExecution {
    /// What happened.
    pub message: String,
    /// The execution's id: report steps with this.
    pub execution_id: String,
    /// The plan.
    pub plan_id: String,
    /// Always `started`.
    pub status: &'static str,
    /// The step to begin with.
    pub current_step: Option<String>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepReport {
    /// The execution: `exec_…`.
    pub execution_id: String,
    /// The step's id in its plan.
    pub step_id: String,
    /// What became of it.
    pub status: ReportedStatus,
    /// What the tool answered; with `completed` only.
    #[serde(default)]
    pub result: Option<Value>,
    /// What went wrong; with `failed` only.
    #[serde(default)]
    pub error: Option<String>,
}

/// What can be said of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    /// You are about to call its tool.
    Running,
    /// Its tool did what it should.
    Completed,
    /// Its tool failed.
    Failed,
}

impl ReportedStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// What was recorded of a step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RecordedStep {
    /// What happened, and what to do next.
    pub message: String,
    /// The execution.
    pub execution_id: String,
    /// The step.
    pub step_id: String,
    /// How far the step has come.
    pub status: StepStatus,
    /// How far the execution has come.
    pub execution_status: ExecutionStatus,
    /// How many of its steps are done.
    pub progress: String,
    /// The step that is next or under way.
    pub current_step: Option<String>,
    /// Whether the same was recorded before; then nothing was written now.
    pub is_repeated: bool,
    /// What the plan says of this failure. Nothing of it was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<StepFailure>,
}

/// What a plan says of the failure of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepFailure {
    /// The policy of the step, if its plan has one.
    pub failure_policy: Option<FailurePolicy>,
    /// The steps after it that the failure affects.
    pub affected_steps: Vec<String>,
}

impl ExecutionJournal {
    /// Begins an execution of a recorded plan. There may be several of one plan.
    ///
    /// # Errors
    /// [`JournalError::PlanNotFound`], or those of the store.
    pub async fn start(&self, input: StartInput) -> Result<StartedExecution> {
        let plan = self.find_plan(&input.plan_id).await?;
        let params = StartExecution {
            workspace: self.service.workspace,
            plan,
            notes: input.notes,
            actor: self.actor.clone(),
        };
        let started = match self.service.store.start_execution(params).await {
            Err(StoreError::NotFound { .. }) => {
                return Err(JournalError::PlanNotFound { plan: input.plan_id }.into());
            }
            started => started?,
        };
        let view = self.view(&execution_id(started.session), GraphIncludes::default()).await?;
        Ok(StartedExecution {
            message: "The execution began. Report each step before and after you call its tool."
                .to_owned(),
            execution_id: execution_id(started.session),
            plan_id: plan_id(plan),
            status: "started",
            current_step: current_step(&view),
        })
    }

    /// Records that a step runs, is done or failed. Steps are done in order, and the last one ends the execution.
    ///
    /// # Errors
    /// [`JournalError`] where the step is not next, the execution is over, or another agent leads it; or those of the store.
    pub async fn record_step(&self, report: StepReport) -> Result<RecordedStep> {
        let submission = submission(&report)?;
        let before = self.view(&report.execution_id, GraphIncludes::default()).await?;
        require_step(&before, &report.step_id)?;
        let session = before.run.id;
        let params = SubmitNode {
            workspace: self.service.workspace,
            session,
            node: report.step_id.clone(),
            submission,
            actor: self.actor.clone(),
        };
        let submitted = match self.service.store.submit_node(params).await {
            Err(StoreError::Steer(refused)) => {
                return Err(self.refused(session, &report, refused).await?);
            }
            submitted => submitted?,
        };
        let view = self.view(&report.execution_id, GraphIncludes::default()).await?;
        Ok(recorded(&view, report.step_id, submitted.is_repeated))
    }

    /// An execution as it stands.
    pub(super) async fn view(&self, id: &str, includes: GraphIncludes) -> Result<GraphView> {
        let execution = GraphSelector::Session(self.find_execution(id).await?);
        let view = self.service.store.graph(self.service.workspace, execution, includes).await?;
        let is_execution = |view: &GraphView| view.run.kind == windlass_core::WorkflowKind::Journal;
        let missing = || JournalError::ExecutionNotFound { execution: id.to_owned() };
        Ok(view.filter(is_execution).ok_or_else(missing)?)
    }

    /// Why a report was refused. One that came after the end is noted: it says what happened outside.
    async fn refused(
        &self,
        session: SessionId,
        report: &StepReport,
        refused: SteerRefused,
    ) -> Result<super::super::ServiceError> {
        let view = self.view(&execution_id(session), GraphIncludes::default()).await?;
        let status = ExecutionStatus::of(view.run.status);
        let step = report.step_id.clone();
        let error = match refused {
            SteerRefused::Over => {
                self.note_late(session, report, status).await?;
                JournalError::Over { execution: execution_id(session), step, status }
            }
            SteerRefused::NotOwner { .. } => JournalError::NotLed {
                execution: execution_id(session),
                lead: view.run.lead,
                actor: self.actor.to_string(),
            },
            SteerRefused::NotAccepting { .. } => not_accepting(&view, report),
            other @ (SteerRefused::UnknownNode(_)
            | SteerRefused::Human(_)
            | SteerRefused::NothingBegins(_)
            | SteerRefused::InDoubt(_)
            | SteerRefused::AtWork(_)
            | SteerRefused::RepeatsEffect(_)) => return Ok(StoreError::Steer(other).into()),
        };
        Ok(error.into())
    }

    async fn note_late(
        &self,
        session: SessionId,
        report: &StepReport,
        status: ExecutionStatus,
    ) -> Result<()> {
        let said = report.status.as_str();
        let note = AddNote {
            workspace: self.service.workspace,
            session,
            node: Some(report.step_id.clone()),
            kind: NoteKind::Action,
            reason: format!(
                "the step was reported as {said} after the execution was {}; the report changed nothing",
                status.as_str()
            ),
            details: json!({
                "action_type": "other",
                "details": { "status": said, "result": report.result, "error": report.error },
            }),
            actor: self.actor.clone(),
        };
        self.service.store.add_note(note).await?;
        Ok(())
    }
}

/// What is submitted of a step.
fn submission(report: &StepReport) -> Result<Submission, JournalError> {
    let contradiction = |field, goes_with| JournalError::Contradiction {
        step: report.step_id.clone(),
        field,
        goes_with,
        status: report.status.as_str(),
    };
    if report.result.is_some() && report.status != ReportedStatus::Completed {
        return Err(contradiction("result", "is completed"));
    }
    if report.error.is_some() && report.status != ReportedStatus::Failed {
        return Err(contradiction("error", "failed"));
    }
    let bytes = report.result.as_ref().map_or(0, |result| result.to_string().len());
    if bytes > MAX_OUTPUT_BYTES {
        let step = report.step_id.clone();
        return Err(JournalError::ResultTooLarge { step, bytes, most: MAX_OUTPUT_BYTES });
    }
    let result = |status, reason| {
        Submission::Result(NodeResult {
            status: Word::Known(status),
            output: report.result.clone(),
            artifacts: Vec::new(),
            criteria: Vec::new(),
            notes: None,
            reason,
            failure_class: None,
        })
    };
    let reason = report.error.clone().filter(|text| !text.trim().is_empty());
    Ok(match report.status {
        ReportedStatus::Running => Submission::Begin,
        ReportedStatus::Completed => result(ResultStatus::Success, None),
        ReportedStatus::Failed => {
            result(ResultStatus::Failed, Some(reason.unwrap_or_else(|| NO_REASON.to_owned())))
        }
    })
}

/// The place of a step.
pub(super) fn require_step(view: &GraphView, step: &str) -> Result<usize, JournalError> {
    view.graph.position(step).ok_or_else(|| JournalError::StepNotFound {
        execution: execution_id(view.run.id),
        step: step.to_owned(),
        known: view.graph.nodes.iter().map(|node| node.id.clone()).collect(),
    })
}

/// Why a step takes no report: a step before it is not done, or it is over itself.
fn not_accepting(view: &GraphView, report: &StepReport) -> JournalError {
    let step = report.step_id.clone();
    let position = view.graph.position(&step).unwrap_or(0);
    let before = view.nodes.iter().take(position).find(|node| !node.status.is_final());
    match before {
        Some(before) => JournalError::OutOfOrder {
            step,
            wanted: report.status.as_str(),
            before: before.node_id.clone(),
            status: step_status(view, before),
        },
        None => {
            let status = view.nodes.get(position).map(|node| step_status(view, node));
            JournalError::StepOver { step, status: status.unwrap_or(StepStatus::Pending) }
        }
    }
}

fn recorded(view: &GraphView, step_id: String, is_repeated: bool) -> RecordedStep {
    let position = view.graph.position(&step_id).unwrap_or(0);
    let status = view.nodes.get(position).map(|node| step_status(view, node));
    let status = status.unwrap_or(StepStatus::Pending);
    let execution_status = ExecutionStatus::of(view.run.status);
    let current_step = current_step(view);
    let message = match (status, execution_status, &current_step) {
        (StepStatus::Failed, ..) => {
            "The step failed, and the execution with it. The steps after it are pending: consult the failure policy, record your decision, and record what you undo."
                .to_owned()
        }
        (_, ExecutionStatus::Completed, _) => "The execution is completed: each step is done.".to_owned(),
        (StepStatus::Completed, _, Some(next)) => format!("The step is done. The next one is `{next}`."),
        _ => "The step is recorded.".to_owned(),
    };
    RecordedStep {
        message,
        execution_id: execution_id(view.run.id),
        step_id,
        status,
        execution_status,
        progress: progress(view),
        current_step,
        is_repeated,
        failure: (status == StepStatus::Failed).then(|| failure(view, position)),
    }
}

/// What the plan says of the failure of a step.
fn failure(view: &GraphView, position: usize) -> StepFailure {
    let ids = || view.graph.nodes.iter().map(|node| node.id.clone());
    let after: Vec<String> = ids().skip(position + 1).collect();
    let failure_policy = view.graph.nodes.get(position).and_then(policy_of);
    let affected_steps = match &failure_policy {
        None => after,
        Some(policy) => match policy.action {
            PolicyAction::CancelAll => after,
            PolicyAction::CancelDependent | PolicyAction::ManualDecision => {
                policy.propagate_to.clone()
            }
            PolicyAction::ContinueOthers => Vec::new(),
        },
    };
    StepFailure { failure_policy, affected_steps }
}

/// The failure policy of a step.
pub(super) fn policy_of(node: &windlass_core::graph::Node) -> Option<FailurePolicy> {
    let note = node.recorded.failure_policy_note.clone()?;
    serde_json::from_value(note).ok()
}
