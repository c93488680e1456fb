//! Makes a graph of a draft: positions, neighbours, and the digest of what each node promised.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::draft::{Draft, DraftNode};
use super::graph_type::{Edge, Graph, Node};
use super::validate::{MAX_NODES, MAX_PARALLEL};
use crate::mutation::digest;

/// Why a draft is no graph. [`validate`](super::validate()) finds all of this before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Nodes wait for each other.
    #[error("these nodes wait for each other, directly or not: {}", .nodes.join(", "))]
    Cycle {
        /// The ids of the nodes in circles or behind them.
        nodes: Vec<String>,
    },
    /// An edge or an entry names no node, or two nodes have one id.
    #[error("the draft names no node, or more than one, with the id `{id}`")]
    Node {
        /// The id.
        id: String,
    },
    /// Something in the draft is no value that a graph can have.
    #[error("the draft has a value that no graph has: {reason}; check the draft first")]
    Value {
        /// Which, as far as it is known.
        reason: String,
    },
}

/// The graph of a normalised draft. The same draft gives the same graph, and nodes that wait for nothing keep the order of the draft.
///
/// # Errors
/// [`CompileError`] where the draft has a mistake that stops.
pub fn compile(draft: Draft) -> Result<Graph, CompileError> {
    if draft.nodes.is_empty() || draft.nodes.len() > MAX_NODES {
        let reason =
            format!("it has {} nodes, and a graph has 1 to {MAX_NODES}", draft.nodes.len());
        return Err(CompileError::Value { reason });
    }
    let mut at = BTreeMap::new();
    for (number, node) in draft.nodes.iter().enumerate() {
        if at.insert(node.id.clone(), number).is_some() {
            return Err(CompileError::Node { id: node.id.clone() });
        }
    }
    let find =
        |id: &String| at.get(id).copied().ok_or_else(|| CompileError::Node { id: id.clone() });
    let ends: Vec<(usize, usize)> = draft
        .edges
        .iter()
        .map(|edge| Ok((find(&edge.from)?, find(&edge.to)?)))
        .collect::<Result<_, _>>()?;
    draft.entry_node_ids.iter().try_for_each(|id| find(id).map(drop))?;

    let order = topological(&draft.nodes, &ends)?;
    let positions: BTreeMap<&str, usize> = order
        .iter()
        .enumerate()
        .filter_map(|(position, number)| Some((draft.nodes.get(*number)?.id.as_str(), position)))
        .collect();
    let mut edges: Vec<Edge> = draft
        .edges
        .iter()
        .map(|edge| read(edge, &[("from", &edge.from), ("to", &edge.to)], &positions))
        .collect::<Result<_, _>>()?;
    edges.sort_by_key(|edge| (edge.from_position, edge.to_position));
    let mut nodes: Vec<Node> = order
        .iter()
        .filter_map(|number| draft.nodes.get(*number))
        .map(node)
        .collect::<Result<_, _>>()?;
    neighbours(&mut nodes, &edges);
    contracts(&mut nodes, &edges, &draft);
    Ok(Graph {
        max_parallel: draft.max_parallel.unwrap_or(1).clamp(1, MAX_PARALLEL),
        failure_budget: draft.failure_budget.unwrap_or(2).max(1),
        auto_start: draft.auto_start.unwrap_or(true),
        title: draft.title,
        objective: draft.objective,
        lead: draft.lead,
        schemas: draft.schemas,
        entry_node_ids: draft.entry_node_ids,
        nodes,
        edges,
        warnings: Vec::new(),
    })
}

/// The numbers of the nodes so that each stands behind all that lead to it, by the order of the draft where there is a choice.
fn topological(nodes: &[DraftNode], ends: &[(usize, usize)]) -> Result<Vec<usize>, CompileError> {
    let mut waits = vec![0_usize; nodes.len()];
    let mut targets = vec![Vec::new(); nodes.len()];
    for (from, to) in ends {
        waits.get_mut(*to).into_iter().for_each(|waits| *waits += 1);
        targets.get_mut(*from).into_iter().for_each(|targets| targets.push(*to));
    }
    let mut ready: BTreeSet<usize> = waits
        .iter()
        .enumerate()
        .filter(|(_, waits)| **waits == 0)
        .map(|(number, _)| number)
        .collect();
    let mut order = Vec::new();
    while let Some(number) = ready.pop_first() {
        order.push(number);
        for target in targets.get(number).into_iter().flatten() {
            if let Some(waits) = waits.get_mut(*target) {
                *waits -= 1;
                if *waits == 0 {
                    ready.insert(*target);
                }
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    let left = nodes.iter().enumerate().filter(|(number, _)| !order.contains(number));
    Err(CompileError::Cycle { nodes: left.map(|(_, node)| node.id.clone()).collect() })
}

/// An edge of a graph, read from one of a draft.
fn read(
    edge: &super::draft::DraftEdge,
    ends: &[(&str, &String); 2],
    positions: &BTreeMap<&str, usize>,
) -> Result<Edge, CompileError> {
    let mut value = to_value(edge)?;
    for (name, id) in ends {
        let position = json!(positions.get(id.as_str()));
        value.as_object_mut().map(|fields| fields.insert(format!("{name}Position"), position));
    }
    from_value(value, &format!("edge `{}`", edge.id))
}

fn node(draft: &DraftNode) -> Result<Node, CompileError> {
    from_value(to_value(draft)?, &format!("node `{}`", draft.id))
}

fn to_value(of: &impl serde::Serialize) -> Result<Value, CompileError> {
    serde_json::to_value(of).map_err(|error| CompileError::Value { reason: error.to_string() })
}

fn from_value<T: serde::de::DeserializeOwned>(value: Value, what: &str) -> Result<T, CompileError> {
    serde_json::from_value(value)
        .map_err(|error| CompileError::Value { reason: format!("{what}: {error}") })
}

fn neighbours(nodes: &mut [Node], edges: &[Edge]) {
    let ids: Vec<String> = nodes.iter().map(|node| node.id.clone()).collect();
    let named = |positions: BTreeSet<usize>| -> Vec<String> {
        positions.into_iter().filter_map(|position| ids.get(position).cloned()).collect()
    };
    for (position, node) in nodes.iter_mut().enumerate() {
        let to = edges.iter().filter(|edge| edge.to_position == position);
        let from = edges.iter().filter(|edge| edge.from_position == position);
        node.upstream_node_ids = named(to.map(|edge| edge.from_position).collect());
        node.downstream_node_ids = named(from.map(|edge| edge.to_position).collect());
    }
}

/// The digest of all that a node's result depends on: itself without its label, its schemas, how it is reached, and all of that of the
/// nodes before it. Positions do not count, so that a plan may grow around a node.
fn contracts(nodes: &mut [Node], edges: &[Edge], draft: &Draft) {
    let mut digests: Vec<String> = Vec::new();
    for position in 0..nodes.len() {
        let Some(node) = nodes.get_mut(position) else { return };
        let schema = |name: &Option<String>| name.as_ref().and_then(|name| draft.schemas.get(name));
        let incoming: BTreeMap<&str, Value> = edges
            .iter()
            .filter(|edge| edge.to_position == position)
            .map(|edge| {
                // A default edge depends on the conditions beside it.
                let beside: Vec<_> = edges
                    .iter()
                    .filter(|other| edge.is_default && other.from_position == edge.from_position)
                    .filter_map(|other| other.when.as_ref())
                    .collect();
                let source = digests.get(edge.from_position);
                let taken = json!({"from": edge.from, "when": edge.when, "map": edge.map,
                                   "default": edge.is_default, "beside": beside, "source": source});
                (edge.id.as_str(), taken)
            })
            .collect();
        let mut incoming: Vec<Value> = incoming.into_values().collect();
        incoming.sort_by_key(ToString::to_string);
        let own = Node {
            label: String::new(),
            contract: String::new(),
            upstream_node_ids: Vec::new(),
            downstream_node_ids: Vec::new(),
            ..node.clone()
        };
        node.contract = digest(&json!({
            "node": own, "incoming": incoming,
            "input": schema(&node.input_schema_ref), "output": schema(&node.output_schema_ref),
        }));
        digests.push(node.contract.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::normalise;

    fn node(id: &str) -> Value {
        json!({"id": id, "label": id, "owner": {"executorType": "agent", "ref": "a"}})
    }

    fn compiled(nodes: &[Value], edges: &Value) -> Result<Graph, CompileError> {
        let draft = json!({"title": "t", "objective": "o", "nodes": nodes, "edges": edges,
                           "schemas": {"s": {"type": "string"}}});
        compile(normalise(serde_json::from_value(draft).unwrap()))
    }

    fn contract<'g>(graph: &'g Graph, id: &str) -> &'g str {
        &graph.nodes.iter().find(|node| node.id == id).unwrap().contract
    }

    #[test]
    fn nodes_stand_behind_what_leads_to_them_and_else_in_the_order_of_the_draft() {
        let graph = compiled(
            &["d", "b", "ä", "c"].map(node),
            &json!([{"from": "ä", "to": "d"}, {"from": "b", "to": "d"}, {"from": "b", "to": "d", "when": {"path": "status", "op": "exists"}}]),
        )
        .unwrap();

        let ids: Vec<_> = graph.nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(ids, ["b", "ä", "d", "c"]);
        assert_eq!(graph.nodes[2].upstream_node_ids, ["b", "ä"]);
        assert_eq!(graph.nodes[0].downstream_node_ids, ["d"]);
        let written = serde_json::to_value(&graph).unwrap();
        assert_eq!(serde_json::from_value::<Graph>(written).unwrap(), graph);
    }

    #[test]
    fn a_circle_and_what_no_graph_has_are_refused() {
        let ids: Vec<String> = (0..300).map(|n| format!("n{n}")).collect();
        let nodes: Vec<Value> = ids.iter().map(|id| node(id)).collect();
        let edges: Vec<Value> =
            (0..300).map(|n| json!({"from": ids[n], "to": ids[(n + 1) % 300]})).collect();

        assert_eq!(compiled(&nodes, &json!(edges)), Err(CompileError::Cycle { nodes: ids }));
        let gone = compiled(&[node("a")], &json!([{"from": "a", "to": "b"}]));
        assert_eq!(gone, Err(CompileError::Node { id: "b".to_owned() }));
        let twice = compiled(&[node("a"), node("a")], &json!([]));
        assert_eq!(twice, Err(CompileError::Node { id: "a".to_owned() }));
        let mut odd = node("a");
        odd["type"] = json!("odd");
        let error = compiled(&[odd], &json!([])).unwrap_err().to_string();
        assert!(error.contains("node `a`") && error.contains("`odd`"), "{error}");
    }

    #[test]
    fn a_contract_covers_the_node_and_all_before_it_and_nothing_else() {
        let edges = json!([{"from": "a", "to": "b"}]);
        let plain = compiled(&[node("a"), node("b")], &edges).unwrap();
        let with = |change: &dyn Fn(&mut Value)| {
            let mut first = node("a");
            change(&mut first);
            compiled(&[node("new"), first, node("b")], &edges).unwrap()
        };

        let grown = with(&|first| first["label"] = json!("other"));
        assert_eq!(
            [contract(&plain, "a"), contract(&plain, "b")],
            [contract(&grown, "a"), contract(&grown, "b")]
        );
        let other = with(&|first| first["outputSchemaRef"] = json!("s"));
        assert_ne!(contract(&plain, "a"), contract(&other, "a"));
        assert_ne!(contract(&plain, "b"), contract(&other, "b"));
        let mapped = compiled(
            &[node("a"), node("b")],
            &json!([{"from": "a", "to": "b", "map": {"x": "y"}}]),
        )
        .unwrap();
        assert_eq!(contract(&plain, "a"), contract(&mapped, "a"));
        assert_ne!(contract(&plain, "b"), contract(&mapped, "b"));
    }
}
