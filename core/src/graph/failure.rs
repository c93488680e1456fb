//! What becomes of a node after a failure, a result, or the stop of its run.

use std::time::Duration;

use serde_json::Value;

use super::graph_type::Node;
use super::judge::{Judged, Verdict};
use super::state::{AttemptEnd, Budget, NodeChange, NodeEffect, NodeState};
use super::words::{AttemptStatus, FailureAction, NodeFailureClass, NodeStatus, OwnerType};
use crate::failure::Failure;
use crate::mutation::Outcome;
use crate::retry::ExponentialDelay;
use crate::run::{Changes, PendingRetry, WorkflowChange};
use crate::time::Timestamp;

/// The longest time between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// Why an attempt at a node failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFailure {
    /// What kind of failure it was.
    pub class: NodeFailureClass,
    /// What went wrong, for a person.
    pub reason: String,
}

impl NodeFailure {
    /// A failure of `class`.
    pub fn new(class: NodeFailureClass, reason: impl Into<String>) -> Self {
        Self { class, reason: reason.into() }
    }
}

/// One node of a run, and the instant at which it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct NodeAt<'a> {
    /// Its position.
    pub position: usize,
    /// What it is.
    pub node: &'a Node,
    /// What is known of it.
    pub state: &'a NodeState,
    /// The present instant.
    pub now: Timestamp,
}

/// The attempt failed.
///
/// The node is tried again where its retry policy allows that, and else the first rule of its failure policy that
/// fits decides. Without one the node blocks.
///
/// Where its effect has happened and left traces, nothing tries it again by itself: it blocks instead.
pub fn after_failure(at: NodeAt<'_>, why: &NodeFailure) -> NodeChange {
    let policy = &at.node.retry_policy;
    let limit = u32::try_from(policy.max_attempts).unwrap_or(1);
    let has_tries = at.state.retry_count.saturating_add(1) < limit;
    let is_retried = policy.retry_on.iter().any(|trigger| trigger.covers(why.class));
    let change = if is_retried && has_tries {
        retry(at, why)
    } else {
        let rule = at.node.failure_policy.iter().find(|rule| rule.on.covers(why.class));
        match rule.map_or(FailureAction::BlockRun, |rule| rule.action) {
            FailureAction::Retry if at.state.retry_count < limit => retry(at, why),
            FailureAction::Retry | FailureAction::BlockRun => {
                ended(at, why, at.state.blocked(why.class, &why.reason), Budget::Count)
            }
            FailureAction::SkipNode => {
                ended(at, why, at.state.with(NodeStatus::Skipped), Budget::Keep)
            }
            FailureAction::ContinuePartial => {
                ended(at, why, at.state.with(NodeStatus::Partial), Budget::Keep)
            }
            FailureAction::EscalateHuman => {
                ended(at, why, at.state.with(NodeStatus::AwaitingHuman), Budget::Count)
            }
            FailureAction::FailRun => {
                ended(at, why, at.state.with(NodeStatus::Failed), Budget::Count)
            }
        }
    };
    NodeChange {
        state: NodeState {
            failure: Some(change.state.failure.unwrap_or(why.class)),
            ..change.state
        },
        ..change
    }
}

fn retry(at: NodeAt<'_>, why: &NodeFailure) -> NodeChange {
    if at.state.effect == NodeEffect::Happened {
        let reason =
            format!("{}; its effect has happened, so only a person may repeat it", why.reason);
        let state = at.state.blocked(NodeFailureClass::EffectHappened, reason);
        return ended(at, why, state, Budget::Count);
    }
    let retry_count = at.state.retry_count.saturating_add(1);
    let first = Duration::from_millis(at.node.retry_policy.backoff_ms);
    let delay = ExponentialDelay { first, longest: LONGEST_DELAY }.after(retry_count);
    let available_at = (!delay.is_zero()).then(|| at.now.after(delay));
    let state = NodeState { retry_count, available_at, ..at.state.with(NodeStatus::Ready) };
    ended(at, why, state, Budget::Keep)
}

/// The attempt is over, and the node goes on to `state`.
fn ended(at: NodeAt<'_>, why: &NodeFailure, state: NodeState, budget: Budget) -> NodeChange {
    let status = match why.class {
        NodeFailureClass::ValidationFailed | NodeFailureClass::RejectedByHuman => {
            AttemptStatus::Rejected
        }
        NodeFailureClass::Timeout => AttemptStatus::TimedOut,
        NodeFailureClass::ToolError
        | NodeFailureClass::ModelError
        | NodeFailureClass::InputInvalid
        | NodeFailureClass::ReportedBlocked
        | NodeFailureClass::InDoubt
        | NodeFailureClass::EffectHappened => AttemptStatus::Failed,
    };
    let end = AttemptEnd { status, failure: Some((why.class, why.reason.clone())) };
    let state = NodeState { must_continue: false, ..state.without_attempt() };
    NodeChange {
        // What goes on without a result does not go on with an older one.
        output: (state.status == NodeStatus::Partial).then_some(Value::Null),
        attempt: at.state.has_attempt.then_some(end),
        budget,
        ..NodeChange::to(at.position, state)
    }
}

/// A result was submitted or made, and [`judge`](super::judge()) has judged it.
///
/// An effect without traces whose result was rejected would happen in a new round. One with traces keeps its round until a person restarts
/// the node.
pub fn after_result(at: NodeAt<'_>, judged: &Judged) -> NodeChange {
    let finished = |status: NodeStatus, attempt: AttemptStatus, budget: Budget| NodeChange {
        output: judged.output.clone(),
        attempt: Some(AttemptEnd::of(attempt)),
        budget,
        ..NodeChange::to(
            at.position,
            NodeState { failure: None, ..at.state.with(status).without_attempt() },
        )
    };
    match &judged.verdict {
        Verdict::Accepted => {
            finished(NodeStatus::Completed, AttemptStatus::Accepted, Budget::Reset)
        }
        Verdict::Partial => finished(NodeStatus::Partial, AttemptStatus::Partial, Budget::Reset),
        Verdict::Failed(why) => {
            let change = after_failure(at, why);
            let is_over =
                at.node.is_run_by_workers() && change.state.effect != NodeEffect::Happened;
            let effect_round = change.state.effect_round.saturating_add(u32::from(is_over));
            NodeChange { state: NodeState { effect_round, ..change.state }, ..change }
        }
        Verdict::Blocked(reason) => {
            let why = NodeFailure::new(NodeFailureClass::ReportedBlocked, reason);
            ended(at, &why, at.state.blocked(why.class, reason), Budget::Count)
        }
    }
}

/// The handler run of a node stopped, with these changes of the run.
///
/// They were worked out with the node's own number of transient
/// failures.
///
/// A run that has to continue after its effect makes the node ready, and [`advance`](super::advance()) continues it. A doubt blocks the node
/// until it is settled.
pub fn after_stop(at: NodeAt<'_>, changes: &Changes, failure: &Failure) -> NodeChange {
    let state = at.state;
    let to = |state: NodeState| NodeChange::to(at.position, state);
    if changes.run.is_uncertain() {
        let blocked = state.blocked(NodeFailureClass::InDoubt, &failure.message);
        return to(NodeState { effect: NodeEffect::InDoubt, must_continue: false, ..blocked });
    }
    if changes.run.outcome == Some(Outcome::Skipped) {
        let end = AttemptEnd::of(AttemptStatus::Cancelled);
        let skipped = state.with(NodeStatus::Skipped).without_attempt();
        // Who skips it does not say that it did not happen.
        let skipped = NodeState { effect: NodeEffect::Happened, failure: None, ..skipped };
        return NodeChange { attempt: state.has_attempt.then_some(end), ..to(skipped) };
    }
    let must_continue = changes.pending_retry == PendingRetry::Set;
    let ready = NodeState {
        must_continue,
        effect: if must_continue { NodeEffect::Happened } else { NodeEffect::None },
        failure: None,
        ..state.with(NodeStatus::Ready)
    };
    match &changes.workflow {
        WorkflowChange::Keep | WorkflowChange::Unblock => to(ready),
        WorkflowChange::BackOff(delay) => to(NodeState {
            available_at: Some(at.now.after(*delay)),
            transient_failures: state.transient_failures.saturating_add(1),
            ..ready
        }),
        WorkflowChange::LookUp(_) | WorkflowChange::Maintenance(_) | WorkflowChange::Block(_) => {
            let why = NodeFailure::new(class_of(at), &failure.message);
            if must_continue {
                let blocked = state.blocked(why.class, &failure.message);
                to(NodeState { must_continue, effect: NodeEffect::Happened, ..blocked })
            } else {
                let without_effect = NodeState { effect: NodeEffect::None, ..state.clone() };
                after_failure(NodeAt { state: &without_effect, ..at }, &why)
            }
        }
    }
}

/// The class of a stop: the run of a node whose deadline has passed was stopped for that.
fn class_of(at: NodeAt<'_>) -> NodeFailureClass {
    if at.state.deadline_at.is_some_and(|deadline| deadline <= at.now) {
        NodeFailureClass::Timeout
    } else if at.node.owner.executor_type == OwnerType::Plugin {
        NodeFailureClass::ModelError
    } else {
        NodeFailureClass::ToolError
    }
}
