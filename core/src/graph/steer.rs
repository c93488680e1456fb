//! What people and agents do with a run: take up a node, resume, restart, and take results over into the next run.

use std::collections::BTreeSet;

use serde_json::Value;

use super::advance::{begun, has_place, may_begin};
use super::graph_type::{Graph, Node};
use super::state::{Budget, GraphState, NodeChange, NodeEffect, NodeState};
use super::words::{NodeFailureClass, NodeStatus};
use crate::actor::Actor;
use crate::time::Timestamp;

/// Why something cannot be done with a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SteerRefused {
    /// The run is over.
    #[error("the run is over: start or replace the plan instead")]
    Over,
    /// There is no such node.
    #[error("the plan has no node `{0}`")]
    UnknownNode(String),
    /// A person has to answer the node.
    #[error("node `{0}` asks a person: answer its approval instead")]
    Human(String),
    /// Somebody else has the node.
    #[error(
        "node `{node}` belongs to `{owner}`: only its owner or the lead of the plan submits its result"
    )]
    NotOwner {
        /// The node.
        node: String,
        /// Its owner.
        owner: String,
    },
    /// The node takes no result now.
    #[error("node `{node}` is {status} and takes no result now")]
    NotAccepting {
        /// The node.
        node: String,
        /// Its status.
        status: NodeStatus,
    },
    /// Nothing may begin now.
    #[error(
        "node `{0}` cannot begin now: the run is held, paused, out of its failure budget, or others are at work"
    )]
    NothingBegins(String),
    /// It is not known whether the effect of a node happened.
    #[error("it is not known whether the effect of node `{0}` happened: settle that first")]
    InDoubt(String),
    /// A node is at work.
    #[error("node `{0}` is at work: wait for it, or cancel the run")]
    AtWork(String),
    /// The effect of a node happened.
    #[error("the effect of node `{0}` has happened: only `--repeat-effects` lets it happen again")]
    RepeatsEffect(String),
}

/// Begins a ready node for its owner or the lead, and looks whether they may submit its result.
///
/// Nothing changes where it runs already.
///
/// # Errors
/// [`SteerRefused`] where somebody else has the node, or it takes no result.
pub fn take_up(
    graph: &Graph,
    run: &GraphState,
    id: &str,
    by: (&Actor, Option<&str>),
    now: Timestamp,
) -> Result<Option<NodeChange>, SteerRefused> {
    let (actor, lead) = by;
    let position = find(graph, id)?;
    let Some(node) = graph.nodes.get(position) else {
        return Err(SteerRefused::UnknownNode(id.to_owned()));
    };
    if run.is_over {
        return Err(SteerRefused::Over);
    }
    if node.node_type.is_human() {
        return Err(SteerRefused::Human(id.to_owned()));
    }
    let owner = node.owner.reference.as_str();
    let is_lead = lead.is_some_and(|lead| actor.is_named(lead));
    if node.is_run_by_workers() || !(is_lead || actor.is_agent(owner)) {
        return Err(SteerRefused::NotOwner { node: id.to_owned(), owner: owner.to_owned() });
    }
    let state = run.node(position);
    match state.status {
        NodeStatus::Running => Ok(None),
        NodeStatus::Ready if may_begin(graph, run) && has_place(graph, run) => {
            Ok(Some(NodeChange::to(position, begun(node, &state, now))))
        }
        NodeStatus::Ready => Err(SteerRefused::NothingBegins(id.to_owned())),
        NodeStatus::Pending
        | NodeStatus::AwaitingHuman
        | NodeStatus::Blocked
        | NodeStatus::Completed
        | NodeStatus::Partial
        | NodeStatus::Failed
        | NodeStatus::Skipped
        | NodeStatus::Cancelled => {
            Err(SteerRefused::NotAccepting { node: id.to_owned(), status: state.status })
        }
    }
}

/// A person asserts that the causes of the stops are repaired.
///
/// Blocked nodes are ready again, with all their attempts, and the failures in a row are forgotten. With `force`, back-offs end too.
///
/// A node in doubt stays blocked until the doubt is settled, and one whose effect has happened until it is restarted, unless it only has
/// to continue after it. A node whose input was wrong waits again, so that its input is made anew.
///
/// # Errors
/// [`SteerRefused::Over`].
pub fn resume(
    graph: &Graph,
    run: &GraphState,
    force: bool,
) -> Result<Vec<NodeChange>, SteerRefused> {
    if run.is_over {
        return Err(SteerRefused::Over);
    }
    let mut changes = Vec::new();
    for position in 0..graph.nodes.len() {
        let state = run.node(position);
        // What must continue does not repeat its effect.
        let is_kept = state.failure == Some(NodeFailureClass::EffectHappened)
            || state.effect == NodeEffect::InDoubt
            || (state.effect == NodeEffect::Happened && !state.must_continue);
        let resumed = match state.status {
            NodeStatus::Blocked if !is_kept => {
                let waits = state.failure == Some(NodeFailureClass::InputInvalid);
                state.with(if waits { NodeStatus::Pending } else { NodeStatus::Ready })
            }
            NodeStatus::Ready if force && state.available_at.is_some() => {
                state.with(NodeStatus::Ready)
            }
            NodeStatus::Pending
            | NodeStatus::Ready
            | NodeStatus::Running
            | NodeStatus::AwaitingHuman
            | NodeStatus::Blocked
            | NodeStatus::Completed
            | NodeStatus::Partial
            | NodeStatus::Failed
            | NodeStatus::Skipped
            | NodeStatus::Cancelled => continue,
        };
        let state = NodeState { retry_count: 0, transient_failures: 0, failure: None, ..resumed };
        changes.push(NodeChange { budget: Budget::Reset, ..NodeChange::to(position, state) });
    }
    Ok(changes)
}

/// What is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart<'a> {
    /// The node.
    pub node: &'a str,
    /// Whether every node after it is reset too.
    pub downstream: bool,
    /// Whether effects that have happened may happen again.
    pub repeat_effects: bool,
}

/// A person lets a node, and all after it where wanted, be done anew.
///
/// # Errors
/// [`SteerRefused`] where the run is over, one of the nodes is at work or in doubt, an earlier run may still make its effect, or an
/// effect would be repeated without the person's word.
pub fn restart(
    graph: &Graph,
    run: &GraphState,
    from: &Restart<'_>,
) -> Result<Vec<NodeChange>, SteerRefused> {
    if run.is_over {
        return Err(SteerRefused::Over);
    }
    let first = find(graph, from.node)?;
    let mut reset = BTreeSet::from([first]);
    if from.downstream {
        reset.extend(after(graph, first));
    }
    let mut changes = Vec::new();
    for position in reset {
        let state = run.node(position);
        let id = || graph.nodes.get(position).map(|node| node.id.clone()).unwrap_or_default();
        if state.effect == NodeEffect::InDoubt {
            return Err(SteerRefused::InDoubt(id()));
        }
        if state.status == NodeStatus::Running {
            return Err(SteerRefused::AtWork(id()));
        }
        let has_happened = state.effect == NodeEffect::Happened;
        // What an earlier run has under way may be this very effect.
        if has_happened && run.is_behind_another {
            return Err(SteerRefused::InDoubt(id()));
        }
        if has_happened && !from.repeat_effects {
            return Err(SteerRefused::RepeatsEffect(id()));
        }
        changes.push(again(position, &state));
    }
    Ok(changes)
}

/// The node waits as at first. Its attempts go on counting, and an effect that happened is asked for in a new round.
pub(super) fn again(position: usize, state: &NodeState) -> NodeChange {
    let has_happened =
        state.effect == NodeEffect::Happened || state.status.has_result() || state.must_continue;
    let fresh = NodeState {
        attempt_count: state.attempt_count,
        effect_round: state.effect_round.saturating_add(u32::from(has_happened)),
        ..NodeState::default()
    };
    let attempt = NodeChange::cancelled(position, state).attempt;
    let output = Some(Value::Null);
    NodeChange { attempt, output, budget: Budget::Reset, ..NodeChange::to(position, fresh) }
}

/// The positions of everything that a node leads to.
pub(super) fn after(graph: &Graph, first: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    // Edges lead to higher positions, and are ordered by the one that they leave.
    for edge in &graph.edges {
        if edge.from_position == first || found.contains(&edge.from_position) {
            found.insert(edge.to_position);
        }
    }
    found
}

/// A node of a new run that takes over the result of an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its position in the old graph.
    pub from: usize,
    /// Its position in the new one.
    pub to: usize,
    /// What the node of the new run begins with.
    pub state: NodeState,
}

/// What a new run takes over from an old one: the results of nodes whose contract is the same, and with it everything before them.
///
/// A node with the same contract that is not finished, and whose effect has happened or is in doubt, begins blocked: only a restart that
/// repeats effects releases it.
#[must_use]
pub fn carry_over(old: (&Graph, &GraphState), new: &Graph) -> Vec<Carried> {
    let (graph, run) = old;
    let mut carried = Vec::new();
    for (to, node) in new.nodes.iter().enumerate() {
        let same = graph
            .position(&node.id)
            .filter(|from| graph.nodes.get(*from).is_some_and(|old| old.contract == node.contract));
        let Some(from) = same else { continue };
        let state = run.node(from);
        if state.status.has_result() {
            let kept = NodeState {
                effect: state.effect,
                effect_round: state.effect_round,
                ..NodeState::default()
            };
            carried.push(Carried { from, to, state: kept.with(state.status) });
        } else if state.effect != NodeEffect::None && node.is_run_by_workers() {
            carried.push(Carried { from, to, state: effect_of_earlier_run(node) });
        }
    }
    carried
}

/// What a node begins with whose effect an earlier run made, or may have made: it is blocked until a person lets it be repeated.
#[must_use]
pub fn effect_of_earlier_run(node: &Node) -> NodeState {
    let reason = format!(
        "an earlier run made the effect of node `{}`, or it is not known whether it did: restart it with `--repeat-effects`",
        node.id
    );
    let fresh = NodeState { effect: NodeEffect::Happened, ..NodeState::default() };
    fresh.blocked(NodeFailureClass::EffectHappened, reason)
}

fn find(graph: &Graph, id: &str) -> Result<usize, SteerRefused> {
    graph.position(id).ok_or_else(|| SteerRefused::UnknownNode(id.to_owned()))
}
