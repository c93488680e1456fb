//! What the rules know of a run of a graph, and what they change in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::words::{AttemptStatus, NodeFailureClass, NodeStatus};
use crate::text::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// What is known of the effect that a node had in its present round.
    pub enum NodeEffect ("what is known of a node's effect") {
        /// It had none, or none that leaves traces.
        None = "none",
        /// It is not known whether it happened.
        InDoubt = "in-doubt",
        /// It happened and left traces, or it was in doubt and a person skipped it: then it may have happened.
        Happened = "happened",
    }
}

/// What is known of one node in one run, without its input and its output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeState {
    /// How far it has come.
    pub status: NodeStatus,
    /// How many attempts were begun. It never starts again.
    pub attempt_count: u32,
    /// How often it was tried again by itself. Resuming and restarting set it to zero.
    pub retry_count: u32,
    /// It grows only when the node is to have its effect once more: it is a part of the effect's operation id.
    pub effect_round: u32,
    /// How often the other side did not answer, in a row.
    pub transient_failures: u32,
    /// Whether an attempt is under way.
    pub has_attempt: bool,
    /// What is known of its effect in this round.
    pub effect: NodeEffect,
    /// Whether its run stopped after its effect, so that another run has to go on with it.
    pub must_continue: bool,
    /// Why it failed last or is blocked.
    pub failure: Option<NodeFailureClass>,
    /// Why it is blocked, for a person. It is there exactly while the node is blocked.
    pub blocked_reason: Option<String>,
    /// It does not begin before.
    pub available_at: Option<Timestamp>,
    /// Its attempt is over then.
    pub deadline_at: Option<Timestamp>,
}

impl Default for NodeState {
    fn default() -> Self {
        Self {
            status: NodeStatus::Pending,
            attempt_count: 0,
            retry_count: 0,
            effect_round: 1,
            transient_failures: 0,
            has_attempt: false,
            effect: NodeEffect::None,
            must_continue: false,
            failure: None,
            blocked_reason: None,
            available_at: None,
            deadline_at: None,
        }
    }
}

impl NodeState {
    /// The state with another status. What belongs to the old status is dropped.
    #[must_use]
    pub(super) fn with(&self, status: NodeStatus) -> Self {
        let keeps_attempt = !status.is_final() && self.has_attempt;
        Self {
            status,
            has_attempt: keeps_attempt,
            must_continue: self.must_continue && !status.is_final(),
            blocked_reason: None,
            available_at: None,
            deadline_at: self.deadline_at.filter(|_deadline| keeps_attempt),
            ..self.clone()
        }
    }

    pub(super) fn blocked(&self, class: NodeFailureClass, reason: impl Into<String>) -> Self {
        Self {
            failure: Some(class),
            blocked_reason: Some(reason.into()),
            ..self.with(NodeStatus::Blocked)
        }
    }

    /// The state after its attempt has ended.
    #[must_use]
    pub(super) fn without_attempt(self) -> Self {
        Self { has_attempt: false, deadline_at: None, transient_failures: 0, ..self }
    }
}

/// What is known of a run of a graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GraphState {
    /// The nodes by position: as many as the graph has.
    pub nodes: Vec<NodeState>,
    /// Outputs by position. Only those that [`outputs_needed`](super::outputs_needed) names have to be there.
    pub outputs: BTreeMap<usize, Value>,
    /// Whether the run is over. Then nothing changes any more.
    pub is_over: bool,
    /// Whether it waits for a person to let it start.
    pub is_held: bool,
    /// Whether its workflow is paused.
    pub is_paused: bool,
    /// Whether an earlier run of the same workflow still has a run under way or an effect that is not settled.
    pub is_behind_another: bool,
    /// How many failures in a row were final.
    pub failure_count: u32,
    /// When the run has to be over.
    pub deadline_at: Option<Timestamp>,
    /// Until when the workflow may have no effect, because its effects of the hour are used up.
    pub effects_used_up_until: Option<Timestamp>,
}

impl GraphState {
    /// A run of `count` nodes that has not begun.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { nodes: vec![NodeState::default(); count], ..Self::default() }
    }

    /// The state of a node; that of one that waits where the position has none.
    #[must_use]
    pub fn node(&self, position: usize) -> NodeState {
        self.nodes.get(position).cloned().unwrap_or_default()
    }

    /// Writes a change down, so that the rules can go on from it in the same transaction.
    pub fn apply(&mut self, change: &NodeChange) {
        if let Some(node) = self.nodes.get_mut(change.position) {
            *node = change.state.clone();
        }
        if let Some(output) = &change.output {
            self.outputs.insert(change.position, output.clone());
        }
        self.failure_count = match change.budget {
            Budget::Keep => self.failure_count,
            Budget::Count => self.failure_count.saturating_add(1),
            Budget::Reset => 0,
        };
    }
}

/// What a change does to the number of final failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Budget {
    /// It stays.
    #[default]
    Keep,
    /// There is one more.
    Count,
    /// There is none any more.
    Reset,
}

/// How the open attempt of a node ends. An approval that is open for it is cancelled, or expires where the attempt timed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// What became of it.
    pub status: AttemptStatus,
    /// Why it failed.
    pub failure: Option<(NodeFailureClass, String)>,
}

impl AttemptEnd {
    pub(super) const fn of(status: AttemptStatus) -> Self {
        Self { status, failure: None }
    }
}

/// How one node changes, to be written in one transaction.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct NodeChange {
    /// Which node.
    pub position: usize,
    /// The node afterwards.
    pub state: NodeState,
    /// Its new input.
    pub input: Option<Value>,
    /// What a person wants to be done otherwise: stored in its input as `requiredEdits`.
    pub edits: Option<Vec<String>>,
    /// Its new output; null where an older one does not count any more.
    pub output: Option<Value>,
    /// The end of its open attempt.
    pub attempt: Option<AttemptEnd>,
    /// What happens to the number of final failures.
    pub budget: Budget,
}

impl NodeChange {
    /// Only the state changes.
    pub(super) const fn to(position: usize, state: NodeState) -> Self {
        Self {
            position,
            state,
            input: None,
            edits: None,
            output: None,
            attempt: None,
            budget: Budget::Keep,
        }
    }

    /// The node is cancelled with its run.
    pub(super) fn cancelled(position: usize, state: &NodeState) -> Self {
        let attempt = state.has_attempt.then_some(AttemptEnd::of(AttemptStatus::Cancelled));
        Self { attempt, ..Self::to(position, state.with(NodeStatus::Cancelled)) }
    }
}
