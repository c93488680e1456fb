//! Plans that people would write, step by step.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::graph::{
    BeginHow, Budget, Graph, GraphEnd, GraphState, GraphStatus, Judged, NodeAt, NodeChange,
    NodeEffect, NodeFailure, NodeFailureClass, NodeResult, NodeState, NodeStatus, Restart,
    SteerRefused, Verdict, advance, after_answer, after_result, carry_over, judge, restart, resume,
    take_up,
};
use windlass_core::{Actor, ApprovalKind, ApprovalStatus, Settled, Timestamp};

use crate::graph::draft::compiled;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_000_000_000).after(Duration::from_secs(seconds))
}

fn node(id: &str, owner: &str, more: impl Into<Value>) -> Value {
    let (node_type, owner_type) = match owner {
        "agent" => ("action", "agent"),
        "Files.append" => ("tool", "system"),
        "switch" | "join" => (owner, "system"),
        human => (human, "user"),
    };
    let mut node = json!({"id": id, "type": node_type, "label": id, "objective": "o", "instructions": "i",
                          "owner": {"executorType": owner_type, "ref": if owner == "agent" { "ada" } else { owner }}});
    for (key, value) in more.into().as_object().cloned().unwrap_or_default() {
        node[key] = value;
    }
    node
}

fn edge(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to})
}

fn plan(nodes: &[Value], edges: &[Value], more: impl Into<Value>) -> (Graph, GraphState) {
    let mut draft = json!({"title": "t", "objective": "o", "nodes": nodes, "edges": edges});
    for (key, value) in more.into().as_object().cloned().unwrap_or_default() {
        draft[key] = value;
    }
    let graph = compiled(draft);
    let state = GraphState::new(graph.nodes.len());
    (graph, state)
}

fn apply(run: &mut GraphState, changes: &[NodeChange]) {
    for change in changes {
        run.apply(change);
    }
}

/// Advances, writes the changes and says what began.
fn go(
    graph: &Graph,
    run: &mut GraphState,
    now: Timestamp,
) -> (GraphStatus, Vec<(String, BeginHow)>) {
    let next = advance(graph, run, now);
    apply(run, &next.changes);
    run.is_over |= next.end.is_some();
    let begin = next.begin.iter().map(|begin| (graph.nodes[begin.position].id.clone(), begin.how));
    (next.status, begin.collect())
}

fn finish(graph: &Graph, run: &mut GraphState, id: &str, verdict: Verdict, output: Value) {
    let position = graph.position(id).expect("a node");
    let state = run.node(position);
    let at = NodeAt { position, node: &graph.nodes[position], state: &state, now: at(0) };
    let judged = Judged { verdict, output: Some(output), findings: Vec::new() };
    run.apply(&after_result(at, &judged));
}

fn statuses(graph: &Graph, run: &GraphState) -> Vec<String> {
    let of = |(node, state): (&windlass_core::graph::Node, &NodeState)| {
        format!("{} {}", node.id, state.status)
    };
    graph.nodes.iter().zip(&run.nodes).map(of).collect()
}

fn failed(class: NodeFailureClass) -> Verdict {
    Verdict::Failed(NodeFailure::new(class, "bad"))
}

fn answered(status: ApprovalStatus, edits: &[&str]) -> Settled {
    Settled {
        status,
        response: json!({"approved": status == ApprovalStatus::Approved}),
        required_edits: edits.iter().map(|text| (*text).to_owned()).collect(),
        comments: None,
        by: "user:bob".to_owned(),
    }
}

#[test]
fn a_switch_takes_one_branch_and_the_join_goes_on_with_it() {
    let (graph, mut run) = plan(
        &[
            node("s", "agent", json!({})),
            node("a", "switch", json!({})),
            node("b", "agent", json!({})),
            node("c", "agent", json!({})),
            node("d", "join", json!({})),
        ],
        &[
            edge("s", "a"),
            json!({"from": "a", "to": "b", "when": {"path": "output.x", "op": "eq", "value": 1}}),
            json!({"from": "a", "to": "c", "default": true}),
            edge("b", "d"),
            edge("c", "d"),
        ],
        json!({"maxParallel": 4}),
    );
    go(&graph, &mut run, at(0));
    finish(&graph, &mut run, "s", Verdict::Accepted, json!({"x": 1}));
    assert_eq!(
        go(&graph, &mut run, at(1)),
        (GraphStatus::Running, vec![("b".to_owned(), BeginHow::Tell)])
    );
    assert_eq!(
        statuses(&graph, &run),
        ["s completed", "a completed", "b running", "c skipped", "d pending"]
    );

    finish(&graph, &mut run, "b", Verdict::Partial, json!(7));

    let last = advance(&graph, &run, at(2));
    assert_eq!(last.end, Some(GraphEnd::Completed));
    assert_eq!(last.changes[0].output, Some(json!({"b": 7})));
}

#[test]
fn constants_are_under_what_edges_bring() {
    let (graph, mut run) = plan(
        &[
            node("a", "agent", json!({"deliverables": [{"name": "r", "kind": "text"}]})),
            node("mapped", "Files.append", json!({"input": {"path": "x", "line": "constant"}})),
            node("ordered", "Files.append", json!({"input": {"path": "y"}})),
            node("whole", "agent", json!({"input": {"mine": 1, "line": 2}})),
        ],
        &[
            json!({"from": "a", "to": "mapped", "map": {"line": "output.line", "meta.report": "artifacts.r"}}),
            edge("a", "ordered"),
            edge("a", "whole"),
        ],
        json!({}),
    );
    go(&graph, &mut run, at(0));
    finish(&graph, &mut run, "a", Verdict::Accepted, json!({"line": "new"}));

    let inputs: Vec<_> =
        advance(&graph, &run, at(1)).changes.into_iter().filter_map(|it| it.input).collect();

    assert_eq!(
        inputs,
        [
            json!({"path": "x", "line": "new", "meta": {"report": {"nodeId": "a", "name": "r"}}}),
            json!({"path": "y"}),
            json!({"mine": 1, "line": "new"}),
        ]
    );
}

#[test]
fn a_recorded_plan_goes_one_step_after_the_other_and_only_its_agent_takes_them_up() {
    let step = |id: &str| {
        node(
            id,
            "agent",
            json!({"tool": "book", "failurePolicy": [{"on": "any", "action": "fail-run"}]}),
        )
    };
    let (graph, mut run) =
        plan(&[step("a"), step("b")], &[edge("a", "b")], json!({"autoStart": false}));
    assert_eq!(go(&graph, &mut run, at(0)), (GraphStatus::Running, Vec::new()));
    let agent = |name: &str| Actor::Agent(name.to_owned());
    let take =
        |run: &GraphState, id: &str, by: &Actor, lead| take_up(&graph, run, id, (by, lead), at(0));

    let not_accepting =
        SteerRefused::NotAccepting { node: "b".to_owned(), status: NodeStatus::Pending };
    assert_eq!(take(&run, "b", &agent("ada"), None), Err(not_accepting));
    assert!(matches!(take(&run, "a", &agent("eve"), None), Err(SteerRefused::NotOwner { .. })));
    assert!(take(&run, "a", &agent("eve"), Some("agent:eve")).is_ok_and(|change| change.is_some()));
    let change = take(&run, "a", &agent("ada"), None).expect("its own").expect("it begins");
    run.apply(&change);
    assert_eq!(take(&run, "a", &agent("ada"), None), Ok(None));
    finish(&graph, &mut run, "a", failed(NodeFailureClass::ToolError), Value::Null);

    let (status, _) = go(&graph, &mut run, at(1));

    assert_eq!((status, run.is_over), (GraphStatus::Failed, true));
    assert_eq!(statuses(&graph, &run), ["a failed", "b cancelled"]);
    assert_eq!(take(&run, "a", &agent("ada"), None), Err(SteerRefused::Over));
}

#[test]
fn a_result_is_tried_again_after_its_delay_and_then_the_rule_decides() {
    let policy = json!({"retryPolicy": {"maxAttempts": 3, "backoffMs": 2_000, "retryOn": ["validation-failed"]},
                        "failurePolicy": [{"on": "timeout", "action": "skip-node"}, {"on": "any", "action": "escalate-human"}]});
    let (graph, mut run) = plan(&[node("a", "agent", policy)], &[], json!({}));
    go(&graph, &mut run, at(0));
    for (retries, due) in [(1, 2), (2, 4)] {
        finish(&graph, &mut run, "a", failed(NodeFailureClass::ValidationFailed), Value::Null);
        assert_eq!(run.nodes[0].retry_count, retries);
        assert_eq!(advance(&graph, &run, at(0)).due_at, Some(at(due)));
        assert_eq!(go(&graph, &mut run, at(9)).1.len(), 1);
    }
    finish(&graph, &mut run, "a", failed(NodeFailureClass::ValidationFailed), Value::Null);

    assert_eq!(go(&graph, &mut run, at(9)).0, GraphStatus::AwaitingHuman);
    let settled = answered(ApprovalStatus::Approved, &[]);
    let changes = after_answer(&graph, &run, 0, (ApprovalKind::Escalation, &settled), at(9))
        .expect("no schema");
    apply(&mut run, &changes);
    assert_eq!(
        (statuses(&graph, &run), run.nodes[0].attempt_count),
        (vec!["a partial".to_owned()], 3)
    );
}

#[test]
fn two_final_failures_in_a_row_stop_the_run_until_it_is_resumed() {
    let (graph, mut run) = plan(
        &["a", "b", "c", "d"].map(|id| node(id, "agent", json!({}))),
        &[],
        json!({"maxParallel": 1}),
    );
    go(&graph, &mut run, at(0));
    finish(&graph, &mut run, "a", failed(NodeFailureClass::ToolError), Value::Null);
    assert_eq!(go(&graph, &mut run, at(0)).1, [("b".to_owned(), BeginHow::Tell)]);
    finish(&graph, &mut run, "b", Verdict::Accepted, Value::Null);
    assert_eq!(run.failure_count, 0, "a completed node forgets the failures");
    go(&graph, &mut run, at(0));
    finish(&graph, &mut run, "c", failed(NodeFailureClass::ToolError), Value::Null);
    go(&graph, &mut run, at(0));
    finish(&graph, &mut run, "d", Verdict::Blocked("no key".to_owned()), Value::Null);

    assert_eq!(go(&graph, &mut run, at(0)), (GraphStatus::Blocked, Vec::new()));
    let changes = resume(&graph, &run, false).expect("open");
    assert!(changes.iter().all(|change| change.budget == Budget::Reset));
    apply(&mut run, &changes);
    assert_eq!(statuses(&graph, &run), ["a ready", "b completed", "c ready", "d ready"]);
    assert_eq!(go(&graph, &mut run, at(0)).0, GraphStatus::Running);
}

#[test]
fn a_refusal_with_edits_opens_the_work_again_and_a_plain_one_is_a_failure() {
    let (graph, mut run) = plan(
        &[
            node("draft", "agent", json!({})),
            node("gather", "join", json!({})),
            node("ok", "human-approval", json!({})),
        ],
        &[edge("draft", "gather"), edge("gather", "ok")],
        json!({}),
    );
    go(&graph, &mut run, at(0));
    finish(&graph, &mut run, "draft", Verdict::Accepted, json!({"text": "x"}));
    assert_eq!(
        go(&graph, &mut run, at(1)),
        (GraphStatus::AwaitingHuman, vec![("ok".to_owned(), BeginHow::Ask)])
    );
    let asked = |settled: &Settled| {
        after_answer(&graph, &run, 2, (ApprovalKind::HumanApproval, settled), at(1))
            .expect("no schema")
    };

    let refused = asked(&answered(ApprovalStatus::Rejected, &[]));
    assert_eq!(refused[0].state.failure, Some(NodeFailureClass::RejectedByHuman));
    let reopened = asked(&answered(ApprovalStatus::ChangesRequested, &["shorter"]));
    assert_eq!(reopened[0].edits, Some(vec!["shorter".to_owned()]));
    apply(&mut run, &reopened);
    assert_eq!(statuses(&graph, &run), ["draft ready", "gather pending", "ok pending"]);
    assert_eq!(go(&graph, &mut run, at(2)).1, [("draft".to_owned(), BeginHow::Tell)]);
}

#[test]
fn time_runs_out_for_agents_and_people_and_not_for_what_a_worker_has() {
    let timed =
        json!({"timeoutMs": 5_000, "failurePolicy": [{"on": "timeout", "action": "skip-node"}]});
    let (graph, mut run) = plan(
        &[
            node("agent", "agent", timed.clone()),
            node("person", "human-input", timed.clone()),
            node("tool", "Files.append", timed),
        ],
        &[],
        json!({"maxParallel": 3}),
    );
    go(&graph, &mut run, at(0));
    run.deadline_at = Some(at(60));
    assert_eq!(advance(&graph, &run, at(1)).due_at, Some(at(5)));

    go(&graph, &mut run, at(5));

    assert_eq!(statuses(&graph, &run), ["agent skipped", "person skipped", "tool running"]);
    assert_eq!(advance(&graph, &run, at(6)).due_at, Some(at(60)));
    assert!(matches!(advance(&graph, &run, at(60)).end, Some(GraphEnd::Failed(_))));
}

#[test]
fn workers_wait_for_the_next_hour_when_its_effects_are_used_up_and_others_do_not() {
    let (graph, mut run) = plan(
        &[node("t", "Files.append", json!({})), node("a", "agent", json!({}))],
        &[],
        json!({"maxParallel": 2}),
    );
    run.effects_used_up_until = Some(at(100));

    assert_eq!(go(&graph, &mut run, at(0)).1, [("a".to_owned(), BeginHow::Tell)]);
    assert_eq!(advance(&graph, &run, at(1)).due_at, Some(at(100)));
    assert_eq!(go(&graph, &mut run, at(100)).1, [("t".to_owned(), BeginHow::Run)]);
}

#[test]
fn an_effect_that_happened_is_repeated_only_where_a_person_says_so() {
    let (graph, mut run) = plan(
        &[node(
            "t",
            "Files.append",
            json!({"retryPolicy": {"maxAttempts": 3, "retryOn": ["validation-failed"]}}),
        )],
        &[],
        json!({}),
    );
    go(&graph, &mut run, at(0));
    run.nodes[0].effect = NodeEffect::Happened;
    finish(&graph, &mut run, "t", failed(NodeFailureClass::ValidationFailed), Value::Null);
    assert_eq!(run.nodes[0].failure, Some(NodeFailureClass::EffectHappened));
    assert_eq!(resume(&graph, &run, true), Ok(Vec::new()));

    // In the next run of the same plan it is no different.
    let carried = carry_over((&graph, &run), &graph);
    assert_eq!(carried[0].state.status, NodeStatus::Blocked);
    let mut next = GraphState { nodes: vec![carried[0].state.clone()], ..GraphState::default() };
    assert_eq!(go(&graph, &mut next, at(1)), (GraphStatus::Blocked, Vec::new()));

    for run in [run, next] {
        let again = |repeat_effects| {
            restart(&graph, &run, &Restart { node: "t", downstream: true, repeat_effects })
        };
        assert_eq!(again(false), Err(SteerRefused::RepeatsEffect("t".to_owned())));
        let changes = again(true).expect("a person said so");
        assert_eq!(
            (changes[0].state.status, changes[0].state.effect_round),
            (NodeStatus::Pending, 2)
        );
    }
}

#[test]
fn a_restart_resets_what_comes_after_only_where_it_is_wanted() {
    let (graph, mut run) = plan(
        &["a", "b", "c", "x"].map(|id| node(id, "agent", json!({}))),
        &[edge("a", "b"), edge("b", "c"), edge("a", "x")],
        json!({}),
    );
    for id in ["a", "b", "c"] {
        let position = graph.position(id).expect("a node");
        run.nodes[position].status = NodeStatus::Completed;
    }
    let reset = |downstream| -> Vec<usize> {
        let from = Restart { node: "b", downstream, repeat_effects: false };
        restart(&graph, &run, &from)
            .expect("nothing is at work")
            .iter()
            .map(|change| change.position)
            .collect()
    };

    assert_eq!((reset(false), reset(true)), (vec![1], vec![1, 2]));
    let gone = Restart { node: "gone", downstream: false, repeat_effects: false };
    assert_eq!(restart(&graph, &run, &gone), Err(SteerRefused::UnknownNode("gone".to_owned())));
}

#[test]
fn an_input_that_breaks_its_schema_blocks_its_node_and_resuming_makes_it_anew() {
    let (graph, mut run) = plan(
        &[node("a", "agent", json!({"input": {"n": "x"}, "inputSchemaRef": "s"}))],
        &[],
        json!({"schemas": {"s": {"type": "object", "properties": {"n": {"type": "number"}}}}}),
    );

    assert_eq!(go(&graph, &mut run, at(0)).0, GraphStatus::Blocked);
    assert_eq!(run.nodes[0].failure, Some(NodeFailureClass::InputInvalid));
    assert!(run.nodes[0].blocked_reason.as_ref().is_some_and(|reason| reason.contains("`n`")));
    let changes = resume(&graph, &run, false).expect("open");
    assert_eq!(changes[0].state.status, NodeStatus::Pending);
}

#[test]
fn results_of_independent_nodes_give_the_same_graph_in_any_order() {
    let (graph, run) = plan(
        &[
            node("a", "agent", json!({})),
            node("b", "agent", json!({})),
            node("c", "agent", json!({})),
            node("ab", "join", json!({})),
            node("bc", "agent", json!({"joinMode": "all-taken"})),
            node("end", "agent", json!({})),
        ],
        &[
            edge("a", "ab"),
            edge("b", "ab"),
            edge("b", "bc"),
            json!({"from": "c", "to": "bc", "when": {"path": "output.k", "op": "eq", "value": 1}}),
            edge("ab", "end"),
            edge("bc", "end"),
        ],
        json!({"maxParallel": 16}),
    );
    let ends: Vec<_> = [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["c", "a", "b"]]
        .iter()
        .map(|order| {
            let mut run = run.clone();
            let mut inputs = Vec::new();
            go(&graph, &mut run, at(0));
            for id in order {
                finish(&graph, &mut run, id, Verdict::Accepted, json!({"k": 2, "of": id}));
                inputs.extend(
                    advance(&graph, &run, at(0))
                        .changes
                        .into_iter()
                        .filter_map(|it| Some((it.position, it.input?))),
                );
                go(&graph, &mut run, at(0));
            }
            inputs.sort_by_key(|(position, _)| *position);
            (statuses(&graph, &run), inputs)
        })
        .collect();

    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:#?}");
    assert_eq!(ends[0].0[3..], ["ab completed", "bc skipped", "end running"]);
}

/// What is judged of a result of a node with every kind of promise.
fn judged(result: &Value) -> (Verdict, Vec<String>) {
    let (graph, _) = plan(
        &[node(
            "a",
            "agent",
            json!({
                "outputSchemaRef": "s", "successCriteria": ["it works"],
                "deliverables": [{"name": "report", "kind": "markdown", "required": true}, {"name": "extra", "kind": "link"}],
                "completionChecks": [{"type": "schema"}, {"type": "count-range", "target": "list", "min": 1, "max": 2},
                                     {"type": "manual-attestation", "description": "tested"}],
            }),
        )],
        &[],
        json!({"schemas": {"s": {"type": "object", "properties": {"list": {"type": "array", "items": {"type": "string"}, "required": true}}}}}),
    );
    let result: NodeResult = serde_json::from_value(result.clone()).expect("a result");
    let judged = judge(&graph.nodes[0], &graph.schemas, &result);
    let codes = judged.findings.iter().map(|it| format!("{} {}", it.code, it.path)).collect();
    (judged.verdict, codes)
}

#[test]
fn a_result_is_judged_by_the_contract_of_its_node() {
    let good = json!({"status": "success", "output": {"list": ["x"]},
        "artifacts": [{"name": "report", "kind": "markdown", "content": "# R"}, {"name": "extra", "kind": "link", "pointer": "https://e.example"}],
        "criteria": [{"criterion": "it works", "met": true}, {"criterion": "tested", "met": true}]});
    assert_eq!(judged(&good), (Verdict::Accepted, Vec::new()));

    let mut wrong = good;
    wrong["output"] = json!({"list": [1, "b", "c"], "more": 1});
    wrong["artifacts"] = json!([{"name": "extra", "kind": "text", "content": " "}, {"name": "other", "kind": "text", "content": 1}]);
    wrong["criteria"] = json!([]);
    let (verdict, codes) = judged(&wrong);
    assert!(matches!(
        verdict,
        Verdict::Failed(NodeFailure { class: NodeFailureClass::ValidationFailed, .. })
    ));
    assert_eq!(
        codes,
        [
            "artifact_empty artifacts.0",
            "completion_check_failed completionChecks.0",
            "completion_check_failed completionChecks.1",
            "completion_check_failed completionChecks.2",
            "deliverable_kind_mismatch artifacts.0.kind",
            "deliverable_missing artifacts.report",
            "deliverable_undeclared artifacts.1",
            "output_schema_mismatch output.list.0",
            "output_unknown_field output.more",
            "success_criterion_unattested successCriteria.0",
        ]
    );
    let none = judged(&json!({"status": "success"})).1;
    assert!(none.contains(&"output_missing output".to_owned()), "{none:?}");
    for (status, code) in [
        ("partial", "partial_without_explanation"),
        ("failed", "failed_without_reason"),
        ("blocked", "blocked_without_reason"),
        ("done", "result_shape_invalid"),
    ] {
        let codes = judged(&json!({"status": status})).1;
        assert!(codes.iter().any(|found| found.starts_with(code)), "{status}: {codes:?}");
    }
    assert_eq!(judged(&json!({"status": "partial", "reason": "half"})).0, Verdict::Partial);
    assert_eq!(
        judged(&json!({"status": "blocked", "reason": "no key"})).0,
        Verdict::Blocked("no key".to_owned())
    );
}
