//! Shows how far an execution has come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::graph::Cancellability;
use windlass_core::{ScriptId, Timestamp};
use windlass_store::{EventsAfter, GraphIncludes, GraphView, JournalEntry, NodeRun};

use super::ExecutionJournal;
use super::error::JournalError;
use super::ids::{execution_id, plan_id};
use super::plan::FailurePolicy;
use super::run::policy_of;
use super::words::{ExecutionStatus, StepStatus, cancellabilities};
use crate::service::Result;

/// How many events are shown where nothing is said, and the most.
const MAX_EVENTS: u32 = 1000;

/// Which execution, and what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerInput {
    /// The execution: `exec_…`.
    pub execution_id: String,
    /// Whether its steps are listed.
    #[serde(default)]
    pub include_step_details: bool,
    /// Whether its events are listed: the audit trail.
    #[serde(default)]
    pub include_events: bool,
    /// Only events after this number.
    #[serde(default)]
    pub since_seq: Option<u32>,
    /// How many events at the most: 1 to 1000.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1000))]
    pub limit: Option<u32>,
}

/// An execution.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Ledger {
    /// In one line.
    pub message: String,
    /// Its id.
    pub execution_id: String,
    /// Its plan.
    pub plan_id: String,
    /// What the plan is called.
    pub plan_name: String,
    /// Who leads it.
    pub lead: String,
    /// How far it has come.
    pub status: ExecutionStatus,
    /// The step that is next or under way; none once it is over.
    pub current_step: Option<String>,
    /// How many of its steps are done.
    pub progress: String,
    /// How many steps have which status.
    pub counts: StepCounts,
    /// What its agent noted when it began.
    pub notes: Option<String>,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// When it was over.
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed or was stopped.
    pub error: Option<String>,
    /// Its steps in the order of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<StepRow>>,
    /// What was recorded, in that order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventRow>>,
    /// Whether there are events after these; ask for them with `since_seq`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_more_events: Option<bool>,
}

/// How many steps have which status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct StepCounts {
    /// Not begun.
    pub pending: usize,
    /// Under way.
    pub running: usize,
    /// Done.
    pub completed: usize,
    /// Failed.
    pub failed: usize,
    /// Given up.
    pub cancelled: usize,
}

/// A step of an execution.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StepRow {
    /// Its id in the plan.
    pub step_id: String,
    /// Its place, from 1.
    pub position: usize,
    /// What it is called.
    pub name: String,
    /// The tool that the agent calls.
    pub tool_name: String,
    /// What it calls it with.
    pub parameters: Value,
    /// How far the call can be undone.
    #[schemars(schema_with = "cancellabilities")]
    pub cancellable: Cancellability,
    /// How far it has come.
    pub status: StepStatus,
    /// When it began.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// What the tool answered.
    pub result: Option<Value>,
    /// What went wrong.
    pub error: Option<String>,
    /// What the agent wants to do if it fails.
    pub failure_policy: Option<FailurePolicy>,
}

/// Something that was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EventRow {
    /// Its id.
    pub event_id: String,
    /// Its place among the events of its execution. Numbers may be missing.
    pub seq: u32,
    /// The execution.
    pub execution_id: String,
    /// What happened, for example `step_completed`.
    pub event_type: String,
    /// When.
    #[schemars(with = "String")]
    pub timestamp: Timestamp,
    /// Who recorded it.
    pub actor: String,
    /// What is known of it.
    pub data: Value,
    /// The same as a text.
    pub data_json: String,
}

impl ExecutionJournal {
    /// An execution as it stands.
    ///
    /// # Errors
    /// [`JournalError::ExecutionNotFound`], [`JournalError::OutOfRange`], or those of the store.
    pub async fn ledger(&self, input: &LedgerInput) -> Result<Ledger> {
        let limit = input.limit.unwrap_or(MAX_EVENTS);
        in_range("limit", limit, (1, MAX_EVENTS))?;
        // One more than wanted tells that there are more.
        let events = EventsAfter { seq: input.since_seq.unwrap_or(0), limit: limit + 1 };
        let includes = GraphIncludes {
            events: input.include_events.then_some(events),
            attempts: input.include_step_details,
            ..GraphIncludes::default()
        };
        let view = self.view(&input.execution_id, includes).await?;
        let mut ledger = ledger(&view);
        if input.include_step_details {
            ledger.steps = Some(steps(&view));
        }
        if input.include_events {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            ledger.has_more_events = Some(view.events.len() > limit);
            ledger.events = Some(view.events.iter().take(limit).map(event).collect());
        }
        Ok(ledger)
    }
}

/// An execution without its steps and events.
pub(super) fn ledger(view: &GraphView) -> Ledger {
    let run = &view.run;
    let status = ExecutionStatus::of(run.status);
    Ledger {
        message: format!("{} of `{}`: {}", progress(view), view.graph.title, status.as_str()),
        execution_id: execution_id(run.id),
        plan_id: plan_id(run.script_id),
        plan_name: view.graph.title.clone(),
        lead: run.lead.clone(),
        status,
        current_step: current_step(view),
        progress: progress(view),
        counts: counts(view),
        notes: run.notes.clone(),
        started_at: run.created_at,
        completed_at: run.ended_at,
        error: failed_step(view).or_else(|| run.error.clone()),
        steps: None,
        events: None,
        has_more_events: None,
    }
}

fn failed_step(view: &GraphView) -> Option<String> {
    let failed = view.nodes.iter().find(|node| step_status(view, node) == StepStatus::Failed);
    failed.map(|node| format!("step `{}` failed", node.node_id))
}

pub(super) fn in_range(
    field: &'static str,
    given: u32,
    (least, most): (u32, u32),
) -> Result<(), JournalError> {
    let is_in_range = (least..=most).contains(&given);
    is_in_range.then_some(()).ok_or(JournalError::OutOfRange { field, given, least, most })
}

/// How far a step has come.
pub(super) fn step_status(view: &GraphView, node: &NodeRun) -> StepStatus {
    StepStatus::of(node.status, ExecutionStatus::of(view.run.status))
}

/// The step that is next or under way.
pub(super) fn current_step(view: &GraphView) -> Option<String> {
    let open = view.nodes.iter().find(|node| !node.status.is_final());
    open.map(|node| node.node_id.clone())
}

/// How many steps are done, for example `1/3 steps`.
pub(super) fn progress(view: &GraphView) -> String {
    format!("{}/{} steps", counts(view).completed, view.nodes.len())
}

fn counts(view: &GraphView) -> StepCounts {
    let mut counts = StepCounts::default();
    for node in &view.nodes {
        let count = match step_status(view, node) {
            StepStatus::Pending => &mut counts.pending,
            StepStatus::Running => &mut counts.running,
            StepStatus::Completed => &mut counts.completed,
            StepStatus::Failed => &mut counts.failed,
            StepStatus::Cancelled => &mut counts.cancelled,
        };
        *count += 1;
    }
    counts
}

/// The steps of an execution, by position.
pub(super) fn steps(view: &GraphView) -> Vec<StepRow> {
    let rows = view.graph.nodes.iter().zip(&view.nodes).enumerate();
    rows.map(|(position, (node, run))| {
        let status = step_status(view, run);
        let is_begun = status != StepStatus::Pending;
        let mut attempts = view.attempts.iter().filter(|attempt| attempt.node_id == node.id);
        StepRow {
            step_id: node.id.clone(),
            position: position + 1,
            name: node.label.clone(),
            tool_name: node.recorded.tool.clone().unwrap_or_default(),
            parameters: node.recorded.parameters.clone().unwrap_or_else(|| json!({})),
            cancellable: node.recorded.cancellable.unwrap_or(Cancellability::Irreversible),
            status,
            started_at: run.started_at.filter(|_| is_begun),
            completed_at: run.completed_at.filter(|_| is_begun),
            result: run.output.clone(),
            error: attempts.next_back().and_then(|attempt| attempt.failure_message.clone()),
            failure_policy: policy_of(node),
        }
    })
    .collect()
}

fn event(entry: &JournalEntry) -> EventRow {
    let data = data_of(entry);
    EventRow {
        event_id: entry.id.to_string(),
        seq: entry.seq.unwrap_or_default(),
        execution_id: entry.session_id.map(execution_id).unwrap_or_default(),
        event_type: event_type(&entry.action),
        timestamp: entry.created_at,
        actor: entry.actor.clone(),
        data_json: data.to_string(),
        data,
    }
}

/// `node.started` is `step_started` here, and `run.started` is `execution_started`.
fn event_type(action: &str) -> String {
    let renamed = [("node.", "step_"), ("run.", "execution_")]
        .iter()
        .find_map(|(from, to)| action.strip_prefix(from).map(|rest| format!("{to}{rest}")));
    renamed.unwrap_or_else(|| action.to_owned()).replace('.', "_")
}

/// The data of an entry in the words of the journal, with the reason and the instant.
fn data_of(entry: &JournalEntry) -> Value {
    let mut data = entry.details.as_object().cloned().unwrap_or_default();
    if let Some(step) = data.remove("nodeId") {
        data.insert("step_id".to_owned(), step);
    }
    if let Some(plan) = data.remove("plan") {
        let id = plan.as_str().and_then(|plan| plan.parse::<ScriptId>().ok());
        data.insert("plan_id".to_owned(), id.map_or(plan, |id| json!(plan_id(id))));
    }
    if let Some(reason) = &entry.reason {
        data.entry("reason").or_insert_with(|| json!(reason));
    }
    data.insert("timestamp".to_owned(), json!(entry.created_at));
    Value::Object(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_of_graphs_are_events_of_executions() {
        let shown =
            ["run.started", "node.completed", "decision.recorded", "action.taken"].map(event_type);

        assert_eq!(
            shown,
            ["execution_started", "step_completed", "decision_recorded", "action_taken"]
        );
    }
}
