//! How the API shows a workflow.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use windlass_core::{
    FailureClass, HandlerKind, Timestamp, WorkflowId, WorkflowKind, WorkflowStatus,
};
use windlass_store::{EventCounts, HandlerState, Workflow};

use crate::http::v1::outputs::OutputView;
use crate::http::v1::runs::RunView;
use crate::http::v1::sessions::SessionView;
use crate::service::{Advice, Badge, Fact, NextStep, WorkflowStatusReport};

/// A workflow in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(in crate::http) struct WorkflowView {
    /// Its id.
    #[schema(value_type = String)]
    id: WorkflowId,
    /// Its name, unique in the workspace.
    name: String,
    /// What kind of program it has: `script`, `plan`, `card` or `journal`.
    #[schema(value_type = String)]
    kind: WorkflowKind,
    /// What its script calls it.
    title: String,
    /// What a person ordered of it.
    #[schema(value_type = String)]
    status: WorkflowStatus,
    /// Why it is stopped.
    error: Option<String>,
    /// What kind of failure that was.
    #[schema(value_type = Option<String>)]
    error_class: Option<FailureClass>,
    /// Whether its script has to be repaired.
    maintenance: bool,
    /// The label that a worker must have to take its runs.
    label: Option<String>,
    /// The priority of its runs: higher is sooner.
    priority: i32,
    /// When its next run is due, while it has no open run.
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Workflow> for WorkflowView {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id,
            name: workflow.name,
            kind: workflow.kind,
            title: workflow.title,
            status: workflow.status,
            error: workflow.error,
            error_class: workflow.error_class,
            maintenance: workflow.maintenance,
            label: workflow.label,
            priority: workflow.priority,
            due_at: workflow.due_at,
            created_at: workflow.created_at,
        }
    }
}

/// A workflow with everything that is known of it now, why it does not move, and what can be done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WorkflowDetails)]
pub(in crate::http) struct WorkflowDetailsView {
    #[serde(flatten)]
    workflow: WorkflowView,
    /// Its health in one word: `running`, `idle`, `needs_attention`, `fixing` or `stopped`.
    #[schema(value_type = String)]
    badge: Badge,
    /// Why, in one sentence.
    why: String,
    /// What a person should know before acting.
    facts: Vec<FactView>,
    /// What can be done.
    advice: Vec<AdviceView>,
    /// The version that runs, `major.minor`.
    active_version: Option<String>,
    /// The newest version, `major.minor`.
    latest_version: Option<String>,
    /// Its handlers: producers first, by name.
    handlers: Vec<HandlerView>,
    /// How many events each topic has, by status.
    events: BTreeMap<String, EventCountsView>,
    /// How many inputs are pending.
    pending_inputs: u32,
    /// Effects of which nobody knows whether they happened.
    in_doubt: Vec<OutputView>,
    /// The run under way, or waiting for a worker.
    open_run: Option<RunView>,
    /// The last session.
    last_session: Option<SessionView>,
}

impl From<WorkflowStatusReport> for WorkflowDetailsView {
    fn from(report: WorkflowStatusReport) -> Self {
        let WorkflowStatusReport { overview, health } = report;
        let counts = |(topic, counts): (String, EventCounts)| (topic, counts.into());
        Self {
            workflow: overview.workflow.into(),
            badge: health.badge,
            why: health.why,
            facts: health.facts.into_iter().map(FactView::from).collect(),
            advice: health.advice.into_iter().map(AdviceView::from).collect(),
            active_version: overview.active_version,
            latest_version: overview.latest_version,
            handlers: overview.handlers.into_iter().map(HandlerView::from).collect(),
            events: overview.events.into_iter().map(counts).collect(),
            pending_inputs: overview.pending_inputs,
            in_doubt: overview.in_doubt.into_iter().map(OutputView::from).collect(),
            open_run: overview.open_run.map(RunView::from),
            last_session: overview.last_session.map(SessionView::from),
        }
    }
}

/// Something that a person should know before acting.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Fact)]
struct FactView {
    /// What it is about.
    label: &'static str,
    /// The fact itself.
    text: String,
}

impl From<Fact> for FactView {
    fn from(fact: Fact) -> Self {
        Self { label: fact.label, text: fact.text }
    }
}

/// Something that can be done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Advice)]
struct AdviceView {
    /// The operation that does it, with what it acts on; null where it is done elsewhere.
    #[schema(value_type = Option<Object>)]
    step: Option<NextStep>,
    /// What to do, or what the step will do.
    effect: String,
}

impl From<Advice> for AdviceView {
    fn from(advice: Advice) -> Self {
        Self { step: advice.step, effect: advice.effect }
    }
}

/// The state of one handler between its runs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Handler)]
struct HandlerView {
    /// Its name.
    name: String,
    /// `producer` or `consumer`.
    #[schema(value_type = String)]
    kind: HandlerKind,
    /// A producer's schedule, in words.
    schedule: Option<String>,
    /// When a producer is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run_at: Option<Timestamp>,
    /// When it last committed.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run_at: Option<Timestamp>,
}

impl From<HandlerState> for HandlerView {
    fn from(handler: HandlerState) -> Self {
        Self {
            name: handler.name,
            kind: handler.kind,
            schedule: handler.schedule.map(|schedule| schedule.to_string()),
            next_run_at: handler.next_run_at,
            last_run_at: handler.last_run_at,
        }
    }
}

/// How many events a topic has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventCounts)]
struct EventCountsView {
    /// Waiting.
    pending: u32,
    /// Bound to a run.
    reserved: u32,
    /// Done.
    consumed: u32,
    /// Skipped by a person.
    skipped: u32,
    /// Set aside after failures.
    parked: u32,
}

impl From<EventCounts> for EventCountsView {
    fn from(counts: EventCounts) -> Self {
        let EventCounts { pending, reserved, consumed, skipped, parked } = counts;
        Self { pending, reserved, consumed, skipped, parked }
    }
}
