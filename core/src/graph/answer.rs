//! What a person's answer makes of the node that it was asked for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::failure::{NodeAt, NodeFailure, after_failure};
use super::graph_type::Graph;
use super::schema::mismatches;
use super::state::{AttemptEnd, Budget, GraphState, NodeChange, NodeEffect, NodeState};
use super::steer::{after, again};
use super::words::{AttemptStatus, NodeFailureClass, NodeStatus};
use crate::approval::{ApprovalKind, ApprovalStatus, Settled};
use crate::time::Timestamp;

/// An answer that breaks the output schema of its node. The approval stays open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer to node `{node}` breaks its output schema: {}", .problems.join("; "))]
pub struct AnswerInvalid {
    /// The node.
    pub node: String,
    /// Every field that is wrong.
    pub problems: Vec<String>,
}

/// What a settled approval changes: nothing where its node does not wait for an answer.
///
/// A refusal with edits opens the nearest node upstream that did work, if nothing on the way has had an effect; else it is a failure of class
/// `rejected-by-human`. With an escalation the person accepts a part (`approved`), leaves the node out, or lets it be tried again with edits.
///
/// # Errors
/// [`AnswerInvalid`].
pub fn after_answer(
    graph: &Graph,
    run: &GraphState,
    position: usize,
    (kind, settled): (ApprovalKind, &Settled),
    now: Timestamp,
) -> Result<Vec<NodeChange>, AnswerInvalid> {
    let state = run.node(position);
    let Some(node) = graph.nodes.get(position) else { return Ok(Vec::new()) };
    if run.is_over || state.status != NodeStatus::AwaitingHuman {
        return Ok(Vec::new());
    }
    let at = NodeAt { position, node, state: &state, now };
    if kind == ApprovalKind::Escalation {
        return Ok(after_escalation(at, settled).into_iter().collect());
    }
    match settled.status {
        ApprovalStatus::Approved | ApprovalStatus::Answered => {
            let schema = node.output_schema_ref.as_ref().and_then(|name| graph.schemas.get(name));
            let wrong =
                schema.map(|schema| mismatches(schema, &settled.response)).unwrap_or_default();
            if !wrong.is_empty() {
                let problems = wrong.iter().map(ToString::to_string).collect();
                return Err(AnswerInvalid { node: node.id.clone(), problems });
            }
            let done = state.with(NodeStatus::Completed).without_attempt();
            Ok(vec![NodeChange {
                output: Some(settled.response.clone()),
                attempt: Some(AttemptEnd::of(AttemptStatus::Accepted)),
                budget: Budget::Reset,
                ..NodeChange::to(position, NodeState { failure: None, ..done })
            }])
        }
        ApprovalStatus::ChangesRequested => Ok(reopen(graph, run, at, settled)),
        ApprovalStatus::Rejected => Ok(vec![rejected(at, settled)]),
        ApprovalStatus::Pending | ApprovalStatus::Cancelled | ApprovalStatus::Expired => {
            Ok(Vec::new())
        }
    }
}

fn rejected(at: NodeAt<'_>, settled: &Settled) -> NodeChange {
    let comments = settled.comments.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
    let edits = settled.required_edits.join("; ");
    let edits = if edits.is_empty() { edits } else { format!(" (wanted: {edits})") };
    let reason = format!("{} refused node `{}`{comments}{edits}", settled.by, at.node.id);
    after_failure(at, &NodeFailure::new(NodeFailureClass::RejectedByHuman, reason))
}

fn after_escalation(at: NodeAt<'_>, settled: &Settled) -> Option<NodeChange> {
    let status = match settled.status {
        ApprovalStatus::Approved | ApprovalStatus::Answered => NodeStatus::Partial,
        ApprovalStatus::Rejected => NodeStatus::Skipped,
        ApprovalStatus::ChangesRequested if at.state.effect == NodeEffect::None => {
            NodeStatus::Ready
        }
        ApprovalStatus::ChangesRequested => {
            let reason = "its effect has happened: restart it with `--repeat-effects`";
            let blocked = at.state.blocked(NodeFailureClass::EffectHappened, reason);
            return Some(NodeChange::to(at.position, blocked));
        }
        ApprovalStatus::Pending | ApprovalStatus::Cancelled | ApprovalStatus::Expired => {
            return None;
        }
    };
    let state = NodeState { retry_count: 0, ..at.state.with(status) };
    let edits = (status == NodeStatus::Ready).then(|| settled.required_edits.clone());
    let output = (status == NodeStatus::Partial).then_some(Value::Null);
    Some(NodeChange { edits, output, budget: Budget::Reset, ..NodeChange::to(at.position, state) })
}

/// Opens the nearest node upstream that did work, with the edits in its input. What stands between it and the person waits again.
fn reopen(graph: &Graph, run: &GraphState, at: NodeAt<'_>, settled: &Settled) -> Vec<NodeChange> {
    let before = before(graph, at.position);
    let did_work = |position: &&usize| {
        let is_work = graph.nodes.get(**position).is_some_and(|node| node.node_type.is_work());
        is_work && run.node(**position).status.has_result()
    };
    let Some(nearest) = before.iter().rev().find(did_work).copied() else {
        return vec![rejected(at, settled)];
    };
    let behind = after(graph, nearest);
    let between: Vec<usize> = before.intersection(&behind).copied().collect();
    let is_free = |position: &usize| {
        let state = run.node(*position);
        state.effect == NodeEffect::None && !state.status.is_begun()
    };
    if !std::iter::once(&nearest).chain(&between).all(is_free) {
        return vec![rejected(at, settled)];
    }
    let worked = run.node(nearest);
    let effect_round = worked.effect_round.saturating_add(1);
    let worked =
        NodeState { retry_count: 0, effect_round, failure: None, ..worked.with(NodeStatus::Ready) };
    let edits = Some(settled.required_edits.clone());
    let mut changes = vec![NodeChange { edits, ..NodeChange::to(nearest, worked) }];
    changes.extend(between.into_iter().map(|position| again(position, &run.node(position))));
    let attempt = at.state.has_attempt.then_some(AttemptEnd::of(AttemptStatus::Rejected));
    changes.push(NodeChange { attempt, ..again(at.position, at.state) });
    changes
}

/// The positions of everything that leads to a node.
fn before(graph: &Graph, last: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    // Edges are ordered by the position that they leave, and lead to higher ones.
    for edge in graph.edges.iter().rev() {
        if edge.to_position == last || found.contains(&edge.to_position) {
            found.insert(edge.from_position);
        }
    }
    found
}
