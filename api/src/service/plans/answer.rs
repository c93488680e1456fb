//! What an operation on a plan answers.

use serde::Serialize;
use windlass_core::graph::{AttemptStatus, Finding, GraphStatus, NodeStatus};

use super::view::PlanView;
use crate::service::approvals::ApprovalView;

/// What an operation on a plan did, and the plan afterwards.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanAnswer {
    /// What was done.
    pub action: PlanAction,
    /// The same for people and agents, and what comes next.
    pub message: String,
    /// The node that it was done to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_node_id: Option<String>,
    /// Whether a plan is active, or was looked at by its id.
    pub has_plan: bool,
    /// The status of its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<GraphStatus>,
    /// The attempt that was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<SubmittedAttempt>,
    /// What a person answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalView>,
    /// What the checks of the draft warned of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Finding>,
    /// What was done, without what comes next.
    #[serde(skip)]
    pub(crate) done: String,
    /// The plan. Where none is active, it is the last one, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanView>,
}

/// What was done with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanAction {
    /// It was begun.
    Created,
    /// It was begun instead of another one.
    Replaced,
    /// It was read.
    Loaded,
    /// There is none.
    None,
    /// The result of a node was judged.
    NodeResultSubmitted,
    /// Its run goes on.
    RunResumed,
    /// A node is done anew.
    NodeRestarted,
    /// Its run was ended.
    RunCancelled,
    /// A person's answer was taken down.
    ApprovalRecorded,
}

/// An attempt that was submitted, and how it was judged.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmittedAttempt {
    /// Its number, the first being 1.
    pub number: u32,
    /// How it was judged.
    pub status: AttemptStatus,
    /// Whether it was submitted before, and this is the first answer.
    pub is_repeated: bool,
    /// What the checks found.
    pub findings: Vec<Finding>,
}

impl PlanAnswer {
    /// An answer about a plan: what was done, and what comes next.
    pub(crate) fn about(action: PlanAction, done: &str, plan: PlanView) -> Self {
        Self {
            action,
            message: format!("{}. {}", capitalised(done), next(&plan)),
            done: capitalised(done),
            changed_node_id: None,
            has_plan: true,
            status: Some(plan.run.status),
            attempt: None,
            approval: None,
            warnings: Vec::new(),
            plan: Some(plan),
        }
    }

    /// The same answer with the plan as it stands later.
    #[must_use]
    pub fn with_plan(self, plan: PlanView) -> Self {
        let message = format!("{}. {}", self.done, next(&plan));
        Self { message, status: Some(plan.run.status), plan: Some(plan), ..self }
    }

    /// The answer where no plan is active.
    pub(crate) fn none(workstream: &str) -> Self {
        Self {
            action: PlanAction::None,
            message: format!("No plan is active in workstream `{workstream}`."),
            done: format!("No plan is active in workstream `{workstream}`"),
            changed_node_id: None,
            has_plan: false,
            status: None,
            attempt: None,
            approval: None,
            warnings: Vec::new(),
            plan: None,
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What the plan waits for, or how it ended.
fn next(plan: &PlanView) -> String {
    let run = &plan.run;
    let owner_of = |id: &str| {
        let node = plan.nodes.iter().find(|node| node.node_id == id);
        node.map(|node| format!("{}:{}", node.owner.executor_type, node.owner.reference))
            .unwrap_or_default()
    };
    let error = run.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    if run.is_held && !run.status.is_over() {
        return "A person has to let the run start: its approval names the tools that it calls."
            .to_owned();
    }
    match run.status {
        GraphStatus::Completed => "All nodes are done.".to_owned(),
        GraphStatus::Failed => format!("The run failed{error}."),
        GraphStatus::Aborted => format!("The run was ended{error}."),
        GraphStatus::Blocked => {
            let blocked = plan.nodes.iter().find(|node| node.status == NodeStatus::Blocked);
            let why = blocked.and_then(|node| Some((&node.node_id, node.blocked_reason.as_ref()?)));
            why.map_or_else(
                || "The run is blocked: its failure budget is used up.".to_owned(),
                |(id, why)| format!("Node `{id}` is blocked: {why}."),
            )
        }
        GraphStatus::AwaitingHuman | GraphStatus::Running => {
            match (&run.current_node_id, &run.waiting_node_id, run.ready_node_ids.first()) {
                (Some(id), _, _) => format!("Node `{id}` is at work, by {}.", owner_of(id)),
                (None, Some(id), _) => format!("Node `{id}` waits for {}.", owner_of(id)),
                (None, None, Some(id)) => format!("Node `{id}` is next, by {}.", owner_of(id)),
                (None, None, None) => format!("The run is {}.", run.status),
            }
        }
    }
}
