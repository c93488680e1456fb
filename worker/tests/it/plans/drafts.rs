//! Drafts: what `check` finds, and what `create` makes of them.

use serde_json::{Value, json};

use super::{append, chain, draft, each, edge, nodes, question, text, with, work};
use crate::cli::folder::TestFolder;

fn checked(draft: &Value) -> (i32, Value) {
    let folder = TestFolder::new();
    folder.write_json("plan.json", draft);
    let said = folder.said(&["plan", "check", "plan.json"]);
    assert!(!folder.path(".windlass/windlass.db").exists(), "a check writes nothing");
    (said.code, said.json)
}

#[test]
fn a_right_draft_has_no_findings() {
    assert_eq!(checked(&chain(&["a", "b"])), (0, json!({"ok": true, "findings": []})));
}

#[test]
fn every_mistake_is_found_at_once_with_its_place() {
    let mut wrong = chain(&["a", "b"]);
    wrong["title"] = json!(" ");
    wrong["nodes"][1]["type"] = json!("dance");
    wrong["nodes"][1]["deliverables"] = json!([{"name": "d", "kind": "smell"}]);
    wrong["edges"] = json!([edge("a", "c")]);

    let (code, found) = checked(&wrong);

    assert_eq!((code, &found["ok"]), (1, &json!(false)));
    let of = |finding: &Value| {
        let [code, severity, path] = ["code", "severity", "path"].map(|it| text(&finding[it]));
        assert!(!text(&finding["message"]).is_empty());
        format!("{code} {severity} {path}")
    };
    let found: Vec<_> = found["findings"].as_array().unwrap().iter().map(of).collect();
    assert_eq!(
        found,
        [
            "plan_title_missing blocking title",
            "edge_target_unknown blocking edges.0.to",
            "deliverable_kind_unknown blocking nodes.1.deliverables.0.kind",
            "node_type_unknown blocking nodes.1.type",
        ]
    );
}

#[test]
fn the_tools_of_the_deployment_are_known_with_their_inputs() {
    let calls = |reference: &str, input: Value| {
        let mut call = append("write");
        call["owner"]["ref"] = json!(reference);
        call["input"] = input;
        let (_, found) = checked(&draft(vec![call], vec![]));
        each(&found["findings"], "code")
    };

    assert_eq!(calls("Files.append", json!({"path": "out/a", "line": "x"})), Vec::<String>::new());
    assert_eq!(calls("Files.apend", json!({})), ["owner_unknown"]);
    assert_eq!(calls("files", json!({})), ["owner_unknown"]);
    let wrong = calls("Files.append", json!({"path": 1, "text": "x"}));
    assert_eq!(
        wrong,
        ["input_mapping_unknown_target", "input_required_unmapped", "input_type_mismatch"]
    );
}

#[test]
fn a_plan_of_three_nodes_is_created_whole() {
    let folder = TestFolder::new();

    let created = folder.create(&chain(&["a", "b", "c"]));

    let plan = &created["plan"];
    assert_eq!((&created["action"], &created["hasPlan"]), (&json!("created"), &json!(true)));
    assert_eq!(
        (&created["status"], &plan["run"]["status"]),
        (&json!("running"), &json!("running"))
    );
    assert_eq!(
        (&plan["spec"]["version"], &plan["spec"]["status"]),
        (&json!(1), &json!("compiled"))
    );
    assert_eq!(nodes(&created), ["a running", "b pending", "c pending"]);
    assert_eq!(each(&plan["nodes"], "type"), ["action"; 3]);
    let run = &plan["run"];
    assert_eq!((&run["currentNodeId"], &run["waitingNodeId"]), (&json!("a"), &Value::Null));
    assert_eq!((&run["readyNodeIds"], &run["failureCount"]), (&json!([]), &json!(0)));
    assert_eq!(plan["nodes"][0]["attemptCount"], 1);
    assert_eq!(plan["nodes"][1]["upstreamNodeIds"], json!(["a"]));
    assert_eq!(plan["nodes"][1]["downstreamNodeIds"], json!(["c"]));
    assert_eq!(plan["progress"]["total"], 3);
    assert_eq!(plan["progress"]["completionRatio"], 0.0);
    let events = plan["events"].as_array().unwrap();
    let of = |kind: &str| events.iter().find(|it| it["eventType"] == kind).unwrap();
    assert_eq!(of("plan-created")["detail"]["nodeCount"], 3);
    assert_eq!(of("plan-created")["emittedBy"], "user:tester");
    assert_eq!(of("checkpoint-saved")["emittedBy"], "system");
    let checkpoints = plan["checkpoints"].as_array().unwrap();
    assert_eq!(checkpoints.len(), 1);
    assert_eq!(
        (&checkpoints[0]["sequence"], &checkpoints[0]["reason"]),
        (&json!(1), &json!("plan-created"))
    );
    assert_eq!(checkpoints[0]["snapshot"]["currentNodeId"], "a");
    assert_eq!(run["lastCheckpointId"], checkpoints[0]["id"]);
    assert_eq!(of("checkpoint-saved")["detail"]["checkpointId"], checkpoints[0]["id"]);
}

#[test]
fn a_draft_that_begins_with_a_question_waits_at_once() {
    let folder = TestFolder::new();

    let created = folder.create(&draft(vec![question("ask", "human-input")], vec![]));

    assert_eq!(created["status"], "awaiting-human");
    assert_eq!(created["plan"]["run"]["waitingNodeId"], "ask");
    assert_eq!(created["plan"]["approvals"][0]["kind"], "human-input");
}

#[test]
fn mistakes_stop_a_plan_with_all_their_codes_and_nothing_is_written() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a"]));
    folder.said(&["plan", "cancel", "w", "--reason", "done"]).done();
    let mut wrong = chain(&["a", "b"]);
    wrong["title"] = json!("");
    wrong["edges"] = json!([edge("b", "b")]);
    folder.write_json("wrong.json", &wrong);

    let said = folder.said(&["plan", "create", "w", "wrong.json"]);

    let found = each(&said.json["error"]["findings"], "code");
    assert!(found.contains(&"plan_title_missing".to_owned()), "{found:?}");
    let refused = said.refused();
    assert!(refused.contains("plan draft failed validation: plan_title_missing: "), "{refused}");
    assert!(refused.contains(" | edge_self_loop: "), "{refused}");
    assert_eq!(folder.said(&["plan", "list"]).done().as_array().unwrap().len(), 1);
}

#[test]
fn a_second_plan_is_refused_while_one_is_active() {
    let folder = TestFolder::new();
    let first = folder.create(&chain(&["a"]));

    let refused = folder.said(&["plan", "create", "w", "plan.json"]).refused();

    assert!(refused.contains("a plan run is already active in `w`"), "{refused}");
    let list = folder.said(&["plan", "list"]).done();
    assert_eq!(each(&list, "runId"), [text(&first["plan"]["run"]["id"])]);
}

#[test]
fn of_two_that_begin_at_once_one_begins() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a"]));
    folder.said(&["plan", "cancel", "w", "--reason", "again"]).done();
    let begin = || {
        let mut command = folder.command("plan create w plan.json --json");
        command.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };

    let both = [begin(), begin()].map(|child| child.wait_with_output().unwrap());

    let begun = both.iter().filter(|output| output.status.success()).count();
    assert_eq!(begun, 1, "{both:?}");
    assert_eq!(folder.said(&["plan", "list"]).done().as_array().unwrap().len(), 2);
}

#[test]
fn warnings_are_returned_and_kept() {
    let folder = TestFolder::new();
    let mut unused = chain(&["a"]);
    unused["schemas"] = json!({"nobody": {"type": "string"}});
    unused["nodes"][0]["colour"] = json!("red");

    let created = folder.create(&unused);

    assert_eq!(each(&created["warnings"], "code"), ["schema_unused", "field_unknown"]);
    let issues = folder.show()["plan"]["validationIssues"].clone();
    assert_eq!(each(&issues, "code"), ["schema_unused", "field_unknown"]);
    assert_eq!(each(&issues, "severity"), ["warning", "warning"]);
}

#[test]
fn a_timeout_of_zero_is_none() {
    let folder = TestFolder::new();

    let created = folder.create(&draft(vec![with(work("a"), "timeoutMs", json!(0))], vec![]));

    assert_eq!(created["plan"]["nodes"][0]["deadlineAt"], Value::Null);
    assert_eq!(created["plan"]["nodes"][0]["timeoutMs"], Value::Null);
}

#[test]
fn a_failure_while_a_plan_is_written_leaves_nothing() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a"]));
    folder.said(&["plan", "cancel", "w", "--reason", "again"]).done();
    let database = folder.path(".windlass/windlass.db");
    let refuse_checkpoints = "CREATE TRIGGER full BEFORE INSERT ON journal WHEN NEW.action = 'checkpoint.saved' \
         BEGIN SELECT RAISE(ABORT, 'no room'); END;";
    execute(&database, refuse_checkpoints);

    assert_eq!(folder.said(&["plan", "create", "w", "plan.json"]).code, 1);

    execute(&database, "DROP TRIGGER full;");
    assert_eq!(folder.said(&["plan", "list"]).done().as_array().unwrap().len(), 1);
    assert_eq!(folder.create(&chain(&["a"]))["plan"]["spec"]["version"], 1);
}

fn execute(database: &std::path::Path, sql: &str) {
    use diesel::connection::SimpleConnection as _;

    let mut conn = windlass_store_conformance::connect_sqlite(database).unwrap();
    conn.batch_execute(sql).unwrap();
}

#[test]
fn where_no_plan_is_active_there_is_none_and_that_is_no_error() {
    let folder = TestFolder::with_starter();
    folder.create(&chain(&["a"]));

    let none = folder.said(&["plan", "show", "other"]).done();

    assert_eq!((&none["action"], &none["hasPlan"]), (&json!("none"), &json!(false)));
    assert_eq!((none.get("status"), none.get("plan")), (None, None));

    // A plan that is over is not active, and is still shown.
    folder.said(&["plan", "cancel", "w", "--reason", "enough"]).done();
    let over = folder.said(&["plan", "show", "w"]).done();
    assert_eq!((&over["action"], &over["hasPlan"]), (&json!("none"), &json!(false)));
    assert_eq!(over["plan"]["run"]["status"], "aborted");
}

#[test]
fn the_schema_of_drafts_can_be_printed() {
    let folder = TestFolder::new();

    let schema = folder.said(&["plan", "schema"]).done();

    assert_eq!(schema["required"], json!(["title", "objective", "nodes"]));
    assert!(folder.call("plan schema").stdout.starts_with('{'));
}
