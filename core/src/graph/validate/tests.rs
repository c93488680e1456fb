use serde_json::{Value, json};

use super::*;
use crate::graph::finding::has_blocking;
use crate::graph::normalise;

fn right() -> Value {
    json!({
        "title": "Release", "objective": "Release it",
        "schemas": {
            "report": {"type": "object", "properties": {"ok": {"type": "boolean", "required": true}, "n": {"type": "number"}}},
            "wish": {"type": "object", "properties": {"text": {"type": "string", "required": true}}},
        },
        "nodes": [
            {"id": "plan", "type": "action", "label": "Plan", "objective": "o", "instructions": "i",
             "owner": {"executorType": "agent", "ref": "ada"}, "outputSchemaRef": "report", "successCriteria": ["good"]},
            {"id": "ask", "type": "human-input", "label": "Ask", "objective": "o",
             "owner": {"executorType": "user", "ref": "bob"}},
            {"id": "write", "type": "tool", "label": "Write", "objective": "o", "instructions": "i",
             "owner": {"executorType": "system", "ref": "Files.append:out"}, "inputSchemaRef": "wish",
             "input": {"text": "x"}},
        ],
        "edges": [
            {"from": "plan", "to": "ask", "when": {"path": "output.ok", "op": "truthy"}},
            {"from": "plan", "to": "write", "default": true},
        ],
    })
}

fn findings_of(draft: Value, known: &Known) -> Vec<Finding> {
    let draft = normalise(serde_json::from_value(draft).unwrap());
    validate(&draft, known)
}

fn codes(draft: Value) -> Vec<String> {
    let found = findings_of(draft, &Known::default());
    found.iter().map(|finding| format!("{} {}", finding.code, finding.path)).collect()
}

/// The codes after one change.
fn changed(pointer: &str, value: Value) -> Vec<String> {
    let mut draft = right();
    match pointer.rsplit_once('/') {
        Some((parent, key)) if draft.pointer(pointer).is_none() => {
            draft.pointer_mut(parent).unwrap()[key] = value;
        }
        _ => *draft.pointer_mut(pointer).unwrap() = value,
    }
    codes(draft)
}

#[test]
fn a_right_draft_has_no_findings() {
    assert_eq!(codes(right()), Vec::<String>::new());
}

#[test]
fn each_mistake_of_a_node_has_its_code() {
    for (pointer, value, expected) in [
        ("/nodes/0/id", json!("a.b"), "node_id_invalid nodes.0.id"),
        ("/nodes/1/id", json!("plan"), "node_id_duplicate nodes.1.id"),
        ("/nodes/0/type", json!("deliberate"), "node_type_unknown nodes.0.type"),
        ("/nodes/0/label", json!(" "), "node_label_missing nodes.0.label"),
        ("/nodes/0/objective", json!(""), "node_objective_missing nodes.0.objective"),
        ("/nodes/0/instructions", json!(""), "node_instructions_missing nodes.0.instructions"),
        ("/nodes/0/owner/ref", json!(""), "owner_missing nodes.0.owner"),
        ("/nodes/0/owner/executorType", json!("cloud"), "owner_missing nodes.0.owner"),
        ("/nodes/0/owner/executorType", json!("user"), "owner_type_mismatch nodes.0.owner"),
        ("/nodes/1/owner/executorType", json!("agent"), "owner_type_mismatch nodes.1.owner"),
        ("/nodes/2/owner/ref", json!("files"), "owner_unknown nodes.2.owner.ref"),
        ("/nodes/0/joinMode", json!("first"), "join_mode_unknown nodes.0.joinMode"),
        (
            "/nodes/0/retryPolicy",
            json!({"maxAttempts": 0}),
            "retry_attempts_invalid nodes.0.retryPolicy.maxAttempts",
        ),
        (
            "/nodes/0/retryPolicy",
            json!({"maxAttempts": 2}),
            "retry_on_empty nodes.0.retryPolicy.retryOn",
        ),
        (
            "/nodes/0/retryPolicy",
            json!({"retryOn": ["rain"]}),
            "failure_policy_unknown nodes.0.retryPolicy.retryOn.0",
        ),
        (
            "/nodes/0/failurePolicy",
            json!([{"on": "any", "action": "retry"}]),
            "failure_policy_retry_without_budget nodes.0.failurePolicy.0",
        ),
        (
            "/nodes/0/failurePolicy",
            json!([{"on": "any", "action": "skip-node"}, {"on": "any", "action": "fail-run"}]),
            "failure_policy_duplicate nodes.0.failurePolicy.1",
        ),
        ("/nodes/0/timeoutMs", json!(-1), "timeout_invalid nodes.0.timeoutMs"),
        ("/nodes/1/timeoutMs", json!(5), "human_node_timeout nodes.1.timeoutMs"),
        ("/nodes/1/toolPolicy", json!({"allow": ["x"]}), "human_node_has_tools nodes.1.toolPolicy"),
        (
            "/nodes/0/toolPolicy",
            json!({"allow": ["x"], "deny": ["x"]}),
            "tool_allow_deny_conflict nodes.0.toolPolicy",
        ),
        ("/nodes/0/retries", json!(3), "field_unknown nodes.0.retries"),
    ] {
        let found = changed(pointer, value);
        assert!(found.iter().any(|code| code == expected), "{pointer}: {found:?}");
    }
}

#[test]
fn each_mistake_of_a_contract_has_its_code() {
    for (pointer, value, expected) in [
        ("/nodes/0/inputSchemaRef", json!("gone"), "input_schema_unknown nodes.0.inputSchemaRef"),
        (
            "/nodes/0/outputSchemaRef",
            json!("gone"),
            "output_schema_unknown nodes.0.outputSchemaRef",
        ),
        (
            "/nodes/0/deliverables",
            json!([{"name": "a", "kind": "text"}, {"name": "a", "kind": "text"}]),
            "deliverable_name_duplicate nodes.0.deliverables.1.name",
        ),
        (
            "/nodes/0/deliverables",
            json!([{"name": "a", "kind": "song"}]),
            "deliverable_kind_unknown nodes.0.deliverables.0.kind",
        ),
        (
            "/nodes/0/completionChecks",
            json!([{"type": "magic"}]),
            "check_type_unknown nodes.0.completionChecks.0.type",
        ),
        (
            "/nodes/1/completionChecks",
            json!([{"type": "schema"}]),
            "check_schema_without_output_schema nodes.1.completionChecks.0",
        ),
        (
            "/nodes/0/completionChecks",
            json!([{"type": "field-present", "target": "gone"}]),
            "check_target_unknown nodes.0.completionChecks.0.target",
        ),
        (
            "/nodes/0/completionChecks",
            json!([{"type": "deliverable-present", "target": "gone"}]),
            "check_target_unknown nodes.0.completionChecks.0.target",
        ),
        ("/nodes/0/successCriteria", json!([]), "success_criteria_missing nodes.0.successCriteria"),
        ("/schemas/report", json!({"type": "object"}), "schema_invalid schemas.report"),
        ("/schemas/more", json!({"type": "string"}), "schema_unused schemas.more"),
    ] {
        let found = changed(pointer, value);
        assert!(found.iter().any(|code| code == expected), "{pointer}: {found:?}");
    }
    let mut bare = right();
    bare["nodes"][0].as_object_mut().unwrap().remove("outputSchemaRef");
    bare["nodes"][0]["successCriteria"] = json!([]);
    assert!(codes(bare).contains(&"contract_empty nodes.0".to_owned()));
}

#[test]
fn each_mistake_of_an_edge_has_its_code() {
    for (pointer, value, expected) in [
        ("/edges/0/from", json!("gone"), "edge_source_unknown edges.0.from"),
        ("/edges/0/to", json!("gone"), "edge_target_unknown edges.0.to"),
        ("/edges/0/to", json!("plan"), "edge_self_loop edges.0"),
        (
            "/edges/1",
            json!({"from": "plan", "to": "ask", "when": {"path": "output.ok", "op": "truthy"}}),
            "edge_duplicate edges.1",
        ),
        (
            "/edges/0/when",
            json!({"path": "output.ok", "op": "like"}),
            "condition_invalid edges.0.when",
        ),
        (
            "/edges/0/when",
            json!({"path": "output.gone", "op": "truthy"}),
            "condition_path_unknown edges.0.when",
        ),
        (
            "/edges/1",
            json!({"from": "plan", "to": "write", "when": {"path": "output.n", "op": "exists"}}),
            "branch_no_default nodes.0",
        ),
        ("/edges/0/default", json!(true), "branch_multiple_default nodes.0"),
        (
            "/edges/1/map",
            json!({"text": "output.gone"}),
            "input_mapping_unknown_source edges.1.map.text",
        ),
        (
            "/edges/1/map",
            json!({"title": "output.n"}),
            "input_mapping_unknown_target edges.1.map.title",
        ),
        ("/edges/1/map", json!({"text": "output.n"}), "input_type_mismatch edges.1.map.text"),
        ("/nodes/2/input", json!({}), "input_required_unmapped nodes.2.input.text"),
        ("/entryNodeIds", json!(["gone"]), "entry_unknown entryNodeIds.0"),
        ("/entryNodeIds", json!(["ask"]), "entry_has_incoming entryNodeIds.0"),
        ("/entryNodeIds", json!(["ask"]), "entry_none entryNodeIds"),
    ] {
        let found = changed(pointer, value);
        assert!(found.iter().any(|code| code == expected), "{pointer}: {found:?}");
    }
    let mut structural = right();
    structural["nodes"][0] = json!({"id": "plan", "type": "switch", "label": "S"});
    structural["nodes"][1] = json!({"id": "ask", "type": "join", "label": "J"});
    structural["edges"][1]["default"] = json!(false);
    let found = codes(structural);
    assert!(found.contains(&"switch_unconditional_edge nodes.0".to_owned()), "{found:?}");
    assert!(found.contains(&"join_single_upstream nodes.1".to_owned()), "{found:?}");
}

#[test]
fn what_no_entry_leads_to_is_found() {
    let mut aside = right();
    let mut other = aside["nodes"][0].clone();
    other["id"] = json!("aside");
    aside["nodes"].as_array_mut().unwrap().push(other);
    assert_eq!(
        codes(aside.clone()),
        Vec::<String>::new(),
        "every node without an edge to it is one"
    );
    aside["entryNodeIds"] = json!(["plan"]);
    assert_eq!(codes(aside), ["node_unreachable nodes.3"]);
}

#[test]
fn a_plan_without_anything_and_one_that_is_too_large_are_refused() {
    assert_eq!(
        codes(json!({"maxParallel": 17})),
        [
            "max_parallel_invalid maxParallel",
            "plan_empty nodes",
            "plan_objective_missing objective",
            "plan_title_missing title"
        ]
    );
    let nodes: Vec<Value> = (0..301).map(|n| json!({"id": format!("n{n}")})).collect();
    assert_eq!(
        codes(json!({"title": "t", "objective": "o", "nodes": nodes})),
        ["plan_too_large nodes"]
    );
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(50 * 1024 * 1024));
    let refused = Draft::read(&long).unwrap_err();
    assert_eq!(refused.code, FindingCode::PlanTooLarge);
    let deep = format!("{{\"schemas\": {{\"a\": {}{}}}}}", "[".repeat(2000), "]".repeat(2000));
    assert_eq!(Draft::read(&deep).unwrap_err().code, FindingCode::PlanUnreadable);
}

#[test]
fn a_circle_of_three_hundred_nodes_is_listed_in_order() {
    let node = |n: usize| {
        json!({"id": format!("k{n}"), "label": "L", "objective": "o", "instructions": "i", "successCriteria": ["c"],
               "owner": {"executorType": "agent", "ref": "a"}})
    };
    let nodes: Vec<Value> = (0..300).map(node).collect();
    let edges: Vec<Value> = (0..300)
        .map(|n| json!({"from": format!("k{n}"), "to": format!("k{}", (n + 1) % 300)}))
        .collect();
    let draft = json!({"title": "t", "objective": "o", "nodes": nodes, "edges": edges});

    let found = findings_of(draft, &Known::default());

    let codes: Vec<_> = found.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["entry_none", "graph_cycle"]);
    assert!(found[1].message.contains("k298 -> k299 -> k0"), "{}", found[1].message);
}

#[test]
fn unicode_ids_are_ids_and_findings_name_them() {
    let mut draft = right();
    draft["nodes"][0]["id"] = json!("größe-測試");
    draft["edges"] =
        json!([{"from": "größe-測試", "to": "ask"}, {"from": "größe-測試", "to": "write"}]);
    assert_eq!(codes(draft.clone()), Vec::<String>::new());

    draft["nodes"][0]["label"] = json!("");
    let found = findings_of(draft, &Known::default());
    assert_eq!(found[0].node.as_deref(), Some("größe-測試"));
}

#[test]
fn what_is_not_known_here_is_found_where_it_is_known_what_exists() {
    let roster = Roster { agents: BTreeSet::from(["eve".to_owned()]), ..Roster::default() };
    let tools = |name: &str| {
        Some(BTreeMap::from([(
            name.to_owned(),
            KnownTool { leaves_traces: true, input: json!({}) },
        )]))
    };
    let lax = Known { roster: Some(roster.clone()), tools: tools("Files.append") };
    let strict =
        Known { roster: Some(Roster { is_strict: true, ..roster }), tools: tools("Files.read") };

    let found = findings_of(right(), &lax);
    assert_eq!(found.len(), 1);
    assert!(found[0].code == FindingCode::OwnerUnknown && !has_blocking(&found));
    let found = findings_of(right(), &strict);
    assert_eq!(
        found
            .iter()
            .filter(|it| it.code == FindingCode::OwnerUnknown && has_blocking(&[(*it).clone()]))
            .count(),
        2
    );
    let mut retries = right();
    retries["nodes"][2]["retryPolicy"] = json!({"maxAttempts": 2, "retryOn": ["tool-error"]});
    assert!(findings_of(retries, &lax).iter().any(|it| it.code == FindingCode::RetryRepeatsEffect));
}

#[test]
fn the_input_of_a_tool_is_checked_by_its_schema() {
    let input = json!({
        "type": "object", "additionalProperties": false, "required": ["path", "line"],
        "properties": {"path": {"type": "string"}, "line": {"type": "string"}, "key": {"type": ["string", "null"]}},
    });
    let tool = KnownTool { leaves_traces: true, input };
    let tools = Some(BTreeMap::from([("Files.append".to_owned(), tool)]));
    let known = Known { roster: None, tools };
    let found = |input: Value, map: Value| {
        let mut draft = right();
        draft["schemas"] = json!({});
        draft["nodes"][0].as_object_mut().unwrap().remove("outputSchemaRef");
        draft["nodes"][2].as_object_mut().unwrap().remove("inputSchemaRef");
        draft["nodes"][2]["input"] = input;
        draft["edges"] = json!([
            {"from": "plan", "to": "ask"}, {"from": "plan", "to": "write", "map": map},
        ]);
        let found = findings_of(draft, &known);
        found.iter().map(|it| format!("{} {}", it.code, it.path)).collect::<Vec<_>>()
    };
    let none = Vec::<String>::new();

    assert_eq!(found(json!({"path": "out/a", "line": "x"}), json!({})), none);
    assert_eq!(found(json!({"path": "out/a"}), json!({"line": "output.text"})), none);
    // The whole output of the node before it becomes the input.
    assert_eq!(found(json!({}), json!({})), none);
    assert_eq!(
        found(json!({"path": "out/a"}), json!({})),
        ["input_required_unmapped nodes.2.input.line"]
    );
    assert_eq!(
        found(json!({"path": 1, "line": "x", "text": "y"}), json!({"mode": "output.mode"})),
        [
            "input_mapping_unknown_target edges.1.map.mode",
            "input_mapping_unknown_target nodes.2.input.text",
            "input_type_mismatch nodes.2.input.path",
        ]
    );
}

#[test]
fn findings_are_ordered_by_node_code_and_path() {
    let mut draft = right();
    draft["title"] = json!("");
    draft["nodes"][1]["label"] = json!("");
    draft["nodes"][0]["label"] = json!("");
    draft["nodes"][0]["id"] = json!("plan!");
    let found = findings_of(draft, &Known::default());
    let position = |finding: &Finding| {
        finding
            .node
            .as_deref()
            .map_or(0, |id| ["plan!", "ask", "write"].iter().position(|it| *it == id).unwrap() + 1)
    };
    let keys: Vec<_> =
        found.iter().map(|it| (position(it), it.code.as_str(), it.path.clone())).collect();
    assert!(keys.is_sorted(), "{keys:?}");
    assert!(keys.len() >= 6, "{keys:?}");
}

#[test]
fn nul_is_found_wherever_it_stands() {
    for (pointer, value, expected) in [
        ("/title", json!("a\0"), "character_invalid title"),
        ("/nodes/0/label", json!("\0"), "character_invalid nodes.0.label"),
        ("/nodes/2/input", json!({"text": ["\0"]}), "character_invalid nodes.2.input.text.0"),
        ("/nodes/2/input", json!({"text\0": 1}), "character_invalid nodes.2.input.text\u{FFFD}"),
        (
            "/edges/0/when",
            json!({"path": "output.ok", "op": "eq", "value": "\0"}),
            "character_invalid edges.0.when.value",
        ),
        (
            "/schemas/report/description",
            json!("\0"),
            "character_invalid schemas.report.description",
        ),
    ] {
        let codes = changed(pointer, value);
        assert!(codes.contains(&expected.to_owned()), "{pointer}: {codes:?}");
    }
    assert_eq!(
        changed("/nodes/0/label", json!("\\u0000")),
        Vec::<String>::new(),
        "that is six characters"
    );
}
