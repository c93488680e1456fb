//! Branches, joins and what goes from node to node.

use serde_json::{Value, json};

use super::{draft, each, edge, nodes, text, with, work};
use crate::cli::folder::TestFolder;

fn switch(id: &str, node_type: &str) -> Value {
    json!({"id": id, "type": node_type, "label": id})
}

#[test]
fn a_branch_is_taken_the_other_is_skipped_and_the_join_goes_on() {
    let folder = TestFolder::new();
    let when = json!({"path": "output.x", "op": "eq", "value": 1});
    let to_b = with(edge("choose", "b"), "when", when);
    let to_c = with(edge("choose", "c"), "default", json!(true));
    folder.create(&draft(
        vec![
            work("a"),
            switch("choose", "switch"),
            work("b"),
            work("c"),
            switch("d", "join"),
            work("e"),
        ],
        vec![edge("a", "choose"), to_b, to_c, edge("b", "d"), edge("c", "d"), edge("d", "e")],
    ));

    let chosen = folder.succeed("a", json!({"x": 1}));
    assert_eq!(
        nodes(&chosen),
        ["a completed", "choose completed", "b running", "c skipped", "d pending", "e pending"]
    );
    assert_eq!(
        chosen["plan"]["nodes"][2]["input"],
        json!({"x": 1}),
        "a switch passes its input on"
    );

    let joined = folder.succeed("b", json!({"y": 2}));
    assert_eq!(nodes(&joined)[4..], ["d completed", "e running"]);
    assert_eq!(joined["plan"]["progress"]["skipped"], 1);
    assert_eq!(folder.succeed("e", json!({}))["status"], "completed");
}

#[test]
fn edges_map_outputs_and_artifacts_over_constants() {
    let folder = TestFolder::new();
    let target = with(work("b"), "input", json!({"to": "team", "n": 0}));
    let map = json!({"n": "output.count", "text.body": "output.text", "made": "artifacts.notes"});
    let source = with(work("a"), "deliverables", json!([{"name": "notes", "kind": "text"}]));
    folder.create(&draft(vec![source, target], vec![with(edge("a", "b"), "map", map)]));

    let result = json!({
        "status": "success", "output": {"count": 3, "text": "hi"},
        "artifacts": [{"name": "notes", "kind": "text", "content": "x"}],
    });
    let answer = folder.submit("a", &result).done();

    let input = &answer["plan"]["nodes"][1]["input"];
    assert_eq!(
        (&input["to"], &input["n"], &input["text"]),
        (&json!("team"), &json!(3), &json!({"body": "hi"}))
    );
    assert!(input["made"].to_string().contains("notes"), "{input}");
}

#[test]
fn an_input_that_breaks_its_schema_blocks_its_node() {
    let folder = TestFolder::new();
    let target = with(work("b"), "inputSchemaRef", json!("wish"));
    let plan = draft(vec![work("a"), target], vec![edge("a", "b")]);
    let schemas = json!({"wish": {"type": "object", "properties": {"text": {"type": "string", "required": true}}}});
    folder.create(&with(plan, "schemas", schemas));

    let blocked = folder.succeed("a", json!({"text": 1}));

    assert_eq!(nodes(&blocked)[1], "b blocked");
    assert_eq!(blocked["plan"]["nodes"][1]["failureClass"], "input-invalid");
}

#[test]
fn where_every_branch_is_dead_the_plan_is_completed_without_them() {
    let folder = TestFolder::new();
    let when = json!({"path": "output.go", "op": "truthy"});
    folder.create(&draft(
        vec![work("a"), work("b"), work("c")],
        vec![with(edge("a", "b"), "when", when), edge("b", "c")],
    ));

    let over = folder.succeed("a", json!({"go": false}));

    assert_eq!(nodes(&over), ["a completed", "b skipped", "c skipped"]);
    assert_eq!(
        (&over["status"], &over["plan"]["progress"]["completionRatio"]),
        (&json!("completed"), &json!(1.0))
    );
}

#[test]
fn so_many_nodes_are_at_work_as_the_plan_allows() {
    let folder = TestFolder::new();
    let plan = draft(vec![work("a"), work("b"), work("c")], vec![]);
    let one = folder.create(&plan);
    assert_eq!(nodes(&one), ["a running", "b ready", "c ready"]);
    assert_eq!(one["plan"]["run"]["readyNodeIds"], json!(["b", "c"]));

    folder.write_json("plan.json", &plan);
    let two = folder.said(&["plan", "create", "wide", "plan.json", "--parallel", "2"]).done();
    assert_eq!(nodes(&two), ["a running", "b running", "c ready"]);
    assert_eq!(two["plan"]["spec"]["maxParallel"], 2);
    let too_many = folder.said(&["plan", "create", "x", "plan.json", "--parallel", "17"]).refused();
    assert!(too_many.contains("max_parallel_invalid"), "{too_many}");
}

#[test]
fn unicode_ids_are_ids() {
    let folder = TestFolder::new();
    let created =
        folder.create(&draft(vec![work("größe-測試"), work("b")], vec![edge("größe-測試", "b")]));
    assert_eq!(nodes(&created)[0], "größe-測試 running");

    let answer = folder.succeed("größe-測試", json!({"ok": true}));

    assert_eq!(answer["changedNodeId"], "größe-測試");
    assert_eq!(nodes(&answer), ["größe-測試 completed", "b running"]);
}

#[test]
fn an_inbox_lists_what_its_owner_has_to_do() {
    let folder = TestFolder::new();
    let ask = json!({
        "id": "ask", "type": "human-decision", "label": "Choose", "objective": "o",
        "owner": {"executorType": "user", "ref": "bob"},
    });
    let plan = draft(vec![work("a"), ask, work("later")], vec![edge("a", "later")]);
    folder.create(&with(plan, "maxParallel", json!(2)));

    for owner in ["ada", "agent:ada"] {
        let list = folder.said(&["plan", "inbox", owner]).done();
        assert_eq!(each(&list, "nodeId"), ["a"], "{owner}");
        assert_eq!(
            (&list[0]["owner"], &list[0]["status"]),
            (&json!("agent:ada"), &json!("running"))
        );
    }
    let list = folder.said(&["plan", "inbox", "user:bob"]).done();
    assert_eq!(each(&list, "nodeId"), ["ask"]);
    assert!(text(&list[0]["approvalId"]).starts_with("apr_"));
    assert_eq!(folder.said(&["plan", "inbox", "agent:bob"]).done(), json!([]));
}
