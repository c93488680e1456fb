//! What edges pass on: which of them are taken, and the input that they make.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::graph_type::{Edge, Graph};
use super::path::SourceView;
use super::state::GraphState;
use super::words::{JoinMode, NodeStatus, OwnerType};

/// What is known of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EdgeState {
    /// Its source is not over.
    Open,
    /// Its target goes on with it.
    Taken,
    /// Its target does not.
    Dead,
}

/// The state of an edge in a run.
pub(super) fn edge_state(graph: &Graph, run: &GraphState, edge: &Edge) -> EdgeState {
    let status = status(run, edge.from_position);
    if !status.is_final() {
        return EdgeState::Open;
    }
    let holds = |edge: &Edge| edge.when.as_ref().is_none_or(|when| when.holds(source(run, edge)));
    let beside =
        || graph.outgoing(edge.from_position).filter(|it| it.when.is_some() && !it.is_default);
    let is_taken =
        status.has_result() && if edge.is_default { !beside().any(holds) } else { holds(edge) };
    if is_taken { EdgeState::Taken } else { EdgeState::Dead }
}

fn status(run: &GraphState, position: usize) -> NodeStatus {
    run.nodes.get(position).map_or(NodeStatus::Pending, |node| node.status)
}

fn source<'a>(run: &'a GraphState, edge: &'a Edge) -> SourceView<'a> {
    SourceView {
        node_id: &edge.from,
        status: status(run, edge.from_position),
        output: run.outputs.get(&edge.from_position).unwrap_or(&Value::Null),
    }
}

/// What the edges that lead to a waiting node decide about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It waits further.
    Wait,
    /// It may begin.
    Begin,
    /// It is left out.
    Skip,
}

pub(super) fn decide(graph: &Graph, run: &GraphState, position: usize) -> Decision {
    let edges: Vec<EdgeState> =
        graph.incoming(position).map(|edge| edge_state(graph, run, edge)).collect();
    let has = |state: EdgeState| edges.contains(&state);
    let mode = graph.nodes.get(position).map_or(JoinMode::AllSettled, |node| node.join_mode);
    let (begins, is_left_out) = match mode {
        JoinMode::AllSettled => (
            has(EdgeState::Taken) && !has(EdgeState::Open),
            !has(EdgeState::Taken) && !has(EdgeState::Open),
        ),
        JoinMode::AllTaken => {
            (!has(EdgeState::Dead) && !has(EdgeState::Open), has(EdgeState::Dead))
        }
        JoinMode::Any => (has(EdgeState::Taken), !has(EdgeState::Taken) && !has(EdgeState::Open)),
    };
    if edges.is_empty() || begins {
        Decision::Begin
    } else if is_left_out {
        Decision::Skip
    } else {
        Decision::Wait
    }
}

/// The input of a node that may begin: its constants, and over them what the taken edges bring, by the position of their source.
///
/// An edge without `map` brings the whole output where it comes from the only node upstream, and else the output under the id of its
/// source. To a tool that has constants it brings nothing: a tool takes exactly the fields that it declares.
pub(super) fn resolve(graph: &Graph, run: &GraphState, position: usize) -> Value {
    let Some(node) = graph.nodes.get(position) else { return Value::Null };
    let sources: BTreeSet<usize> =
        graph.incoming(position).map(|edge| edge.from_position).collect();
    let takes_only_mapped = node.owner.executor_type == OwnerType::System
        && node.node_type.is_work()
        && !node.input.is_empty();
    let mut fields = node.input.clone();
    let taken =
        graph.incoming(position).filter(|edge| edge_state(graph, run, edge) == EdgeState::Taken);
    for edge in taken {
        let source = source(run, edge);
        for (target, path) in &edge.map {
            if let Some(value) = path.find(source) {
                put(&mut fields, target, value.into_owned());
            }
        }
        if !edge.map.is_empty() || takes_only_mapped {
            continue;
        }
        let output = source.output;
        match output.as_object() {
            Some(output) if sources.len() == 1 => {
                fields.extend(output.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
            None if output.is_null() => {}
            None if sources.len() == 1 && fields.is_empty() => return output.clone(),
            Some(_) | None => {
                fields.insert(edge.from.clone(), output.clone());
            }
        }
    }
    Value::Object(fields)
}

/// Puts a value at a path of fields, and makes the objects on the way.
fn put(fields: &mut Map<String, Value>, target: &str, value: Value) {
    let Some((first, rest)) = target.split_once('.') else {
        fields.insert(target.to_owned(), value);
        return;
    };
    let inner = fields.entry(first).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

/// The positions whose outputs [`advance`](super::advance()) may look at: nodes with a result that lead to one that waits, directly.
#[must_use]
pub fn outputs_needed(graph: &Graph, run: &GraphState) -> BTreeSet<usize> {
    let waits = |position: usize| status(run, position) == NodeStatus::Pending;
    graph
        .edges
        .iter()
        .filter(|edge| status(run, edge.from_position).has_result() && waits(edge.to_position))
        .map(|edge| edge.from_position)
        .collect()
}
