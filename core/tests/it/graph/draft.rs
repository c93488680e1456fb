//! Graphs by chance.

use proptest::prelude::*;
use serde_json::{Value, json};
use windlass_core::graph::{Draft, Graph, compile, normalise};

/// What a node of a generated graph is made of.
#[derive(Debug, Clone)]
struct Plan {
    kind: &'static str,
    attempts: u32,
    backoff_ms: u64,
    timeout_ms: u64,
    action: &'static str,
    join: &'static str,
}

fn plan() -> impl Strategy<Value = Plan> {
    let kind = prop_oneof![
        4 => Just("tool"), 1 => Just("plugin"), 3 => Just("agent"), 1 => Just("human-approval"),
        1 => Just("human-input"), 1 => Just("switch"), 1 => Just("join"),
    ];
    let action = prop::sample::select(vec![
        "block-run",
        "block-run",
        "retry",
        "skip-node",
        "continue-partial",
        "fail-run",
        "escalate-human",
    ]);
    let join = prop_oneof![4 => Just("all-settled"), 1 => Just("all-taken"), 1 => Just("any")];
    let times =
        (prop::sample::select(vec![0_u64, 3_000]), prop::sample::select(vec![0_u64, 0, 5_000]));
    (kind, 1_u32..4, times, action, join).prop_map(|(kind, attempts, times, action, join)| Plan {
        kind,
        attempts,
        backoff_ms: times.0,
        timeout_ms: times.1,
        action,
        join,
    })
}

fn node(number: usize, plan: &Plan) -> Value {
    let (node_type, owner, reference) = match plan.kind {
        "tool" => ("tool", "system", "Files.append"),
        "plugin" => ("action", "plugin", "writer"),
        "agent" => ("action", "agent", "ada"),
        "switch" => ("switch", "system", "windlass"),
        "join" => ("join", "system", "windlass"),
        human => (human, "user", "bob"),
    };
    json!({
        "id": format!("n{number}"), "type": node_type, "label": "L", "objective": "o", "instructions": "i",
        "owner": {"executorType": owner, "ref": reference}, "joinMode": plan.join, "timeoutMs": plan.timeout_ms,
        "retryPolicy": {"maxAttempts": plan.attempts, "backoffMs": plan.backoff_ms,
                        "retryOn": ["tool-error", "validation-failed", "model-error"]},
        "failurePolicy": [{"on": "any", "action": plan.action}],
    })
}

/// An edge from an earlier node: which, and on which condition.
fn edges(count: usize) -> impl Strategy<Value = Vec<Value>> {
    let edge = (0..count.max(2), 0..count.max(2), 0_u8..6).prop_map(|(one, other, how)| {
        let (from, to) = (one.min(other), one.max(other));
        let mut edge = json!({"from": format!("n{from}"), "to": format!("n{to}")});
        match how {
            0 | 1 => edge["when"] = json!({"path": "output.k", "op": "eq", "value": how}),
            2 => edge["default"] = json!(true),
            3 => edge["map"] = json!({"k": "output.k"}),
            _ => {}
        }
        (from != to).then_some(edge)
    });
    prop::collection::vec(edge, 0..=count * 2)
        .prop_map(|edges| edges.into_iter().flatten().collect())
}

/// A graph of up to eight nodes.
pub(super) fn graph() -> impl Strategy<Value = Graph> {
    let shape = prop::collection::vec(plan(), 1..8).prop_flat_map(|plans| {
        let count = plans.len();
        (Just(plans), edges(count))
    });
    let limits = (1_u32..4, prop::sample::select(vec![2_u32, 3, 99]), prop::bool::weighted(0.9));
    (shape, limits).prop_map(|((plans, edges), (parallel, budget, auto_start))| {
        let nodes: Vec<Value> =
            plans.iter().enumerate().map(|(number, plan)| node(number, plan)).collect();
        // With a single node there is nothing that an edge could lead to.
        let edges = if nodes.len() > 1 { edges } else { Vec::new() };
        compiled(json!({"title": "t", "objective": "o", "nodes": nodes, "edges": edges,
                        "maxParallel": parallel, "failureBudget": budget, "autoStart": auto_start}))
    })
}

/// The graph of a draft.
pub(super) fn compiled(draft: Value) -> Graph {
    let draft: Draft = serde_json::from_value(draft).expect("a draft");
    compile(normalise(draft)).expect("a graph")
}
