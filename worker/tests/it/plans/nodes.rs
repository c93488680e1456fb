//! Results of nodes: contracts, attempts, artifacts, failures.

use serde_json::{Value, json};

use super::{append, chain, draft, each, edge, nodes, question, text, with, work};
use crate::cli::folder::TestFolder;

/// Work of `ada` that has to give a number.
fn counting() -> Value {
    let node = with(work("a"), "outputSchemaRef", json!("count"));
    let schemas = json!({"count": {"type": "object", "properties": {"n": {"type": "integer", "required": true}}}});
    with(draft(vec![node, work("b")], vec![edge("a", "b")]), "schemas", schemas)
}

fn success(output: Value) -> Value {
    json!({"status": "success", "output": output, "criteria": [{"criterion": "good", "met": true}]})
}

#[test]
fn a_result_completes_its_node_and_the_next_begins() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b"]));

    let answer = folder.submit("a", &success(json!({"n": 1}))).done();

    assert_eq!(answer["action"], "node-result-submitted");
    assert_eq!((&answer["changedNodeId"], &answer["status"]), (&json!("a"), &json!("running")));
    assert_eq!(nodes(&answer), ["a completed", "b running"]);
    assert_eq!(answer["plan"]["nodes"][0]["output"], json!({"n": 1}));
    // The whole output of the only node before it is its input.
    assert_eq!(answer["plan"]["nodes"][1]["input"], json!({"n": 1}));
    assert_eq!(answer["plan"]["progress"]["completionRatio"], 0.5);
    assert!(text(&answer["message"]).contains("Node `b` is at work, by agent:ada"), "{answer:#}");

    let last = folder.submit("b", &success(json!({}))).done();
    assert_eq!(
        (&last["status"], &last["plan"]["progress"]["completionRatio"]),
        (&json!("completed"), &json!(1.0))
    );
    let checkpoints = folder.show()["plan"]["checkpoints"].clone();
    let sequence: Vec<_> =
        checkpoints.as_array().unwrap().iter().map(|it| it["sequence"].clone()).collect();
    assert_eq!(sequence, [1, 2, 3]);
    assert_eq!(checkpoints[1]["lastCompletedNodeIds"], json!(["a"]));
}

#[test]
fn a_result_that_breaks_the_output_schema_is_rejected_and_kept_with_its_findings() {
    let folder = TestFolder::new();
    let mut plan = counting();
    plan["nodes"][0]["retryPolicy"] = json!({"maxAttempts": 2, "retryOn": ["validation-failed"]});
    plan["nodes"][0]["failurePolicy"] = json!([{"on": "any", "action": "skip-node"}]);
    plan["nodes"][1]["joinMode"] = json!("any");
    folder.create(&plan);

    let first = folder.submit("a", &success(json!({"n": "many"}))).done();

    assert_eq!(first["attempt"]["status"], "rejected");
    assert!(text(&first["message"]).contains("output_schema_mismatch: "), "{first:#}");
    // It is tried again, as its policy says.
    assert_eq!(nodes(&first)[0], "a running");
    let node = &first["plan"]["nodes"][0];
    assert_eq!((&node["attemptCount"], &node["retryCount"]), (&json!(2), &json!(1)));
    let second = folder.submit("a", &success(json!({}))).done();
    // Its attempts are used up, so its failure rule applies: it is left out, and with it what depends on it.
    assert_eq!(nodes(&second), ["a skipped", "b skipped"]);
    assert_eq!(second["status"], "completed");
    let issues = folder.show()["plan"]["validationIssues"].clone();
    let mismatches: Vec<_> = issues
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["code"] == "output_schema_mismatch")
        .collect();
    assert_eq!(mismatches.len(), 2, "{issues:#}");
    assert_eq!(
        (&mismatches[0]["nodeId"], &mismatches[0]["attemptNumber"]),
        (&json!("a"), &json!(1))
    );
    assert_eq!(mismatches[0]["path"], "output.n");
}

#[test]
fn a_missing_deliverable_is_named_and_the_node_blocks() {
    let folder = TestFolder::new();
    let wanted = json!([{"name": "notes", "kind": "markdown", "required": true}]);
    folder.create(&draft(vec![with(work("a"), "deliverables", wanted)], vec![]));

    let missing = folder.submit("a", &success(json!({}))).done();

    assert_eq!(nodes(&missing), ["a blocked"]);
    assert!(text(&missing["message"]).contains("deliverable `notes` is not there"), "{missing:#}");
    assert_eq!(missing["status"], "blocked");
    assert_eq!(missing["plan"]["run"]["failureCount"], 1);
}

#[test]
fn artifacts_have_versions_and_those_of_rejected_results_do_not_count() {
    let folder = TestFolder::new();
    let wanted = json!([{"name": "notes", "kind": "markdown", "required": true}]);
    let retry = json!({"maxAttempts": 3, "retryOn": ["validation-failed"]});
    let node = with(with(work("a"), "deliverables", wanted), "retryPolicy", retry);
    folder.create(&draft(vec![node], vec![]));
    let made = |kind: &str, text: &str| {
        with(
            success(json!({})),
            "artifacts",
            json!([{"name": "notes", "kind": kind, "content": text}]),
        )
    };

    folder.submit("a", &made("text", "wrong kind")).done();
    let done = folder.submit("a", &made("markdown", "# Right")).done();

    let artifacts = &done["plan"]["artifacts"];
    assert_eq!(each(artifacts, "status"), ["rejected", "current"]);
    assert_eq!(artifacts[1]["content"], "# Right");
    assert_eq!(artifacts[1]["createdBy"], "agent:ada");
    assert_ne!(artifacts[0]["version"], artifacts[1]["version"]);
    assert_ne!(artifacts[0]["attemptId"], artifacts[1]["attemptId"]);
}

#[test]
fn a_part_goes_on_and_a_blocked_or_failed_result_needs_a_reason() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b", "c"]));

    let part = folder
        .submit("a", &json!({"status": "partial", "output": {"n": 1}, "reason": "half"}))
        .done();
    assert_eq!(nodes(&part), ["a partial", "b running", "c pending"]);

    let silent = folder.submit("b", &json!({"status": "blocked"})).done();
    assert!(text(&silent["message"]).contains("blocked_without_reason"), "{silent:#}");
    folder.said(&["plan", "resume", "w"]).done();
    let blocked = folder.submit("b", &json!({"status": "blocked", "reason": "no key"})).done();
    assert_eq!(nodes(&blocked)[1], "b blocked");
    assert_eq!(blocked["plan"]["nodes"][1]["blockedReason"], "no key");
    assert!(text(&blocked["message"]).contains("Node `b` is blocked: no key"), "{blocked:#}");
}

#[test]
fn a_node_whose_policy_says_so_fails_the_run() {
    let folder = TestFolder::new();
    let mut plan = chain(&["a", "b"]);
    plan["nodes"][0]["failurePolicy"] = json!([{"on": "tool-error", "action": "fail-run"}]);
    folder.create(&plan);

    let failed = folder.submit("a", &json!({"status": "failed", "reason": "broken"})).done();

    assert_eq!(
        (&failed["status"], nodes(&failed)),
        (&json!("failed"), vec!["a failed".to_owned(), "b cancelled".to_owned()])
    );
    assert!(failed["plan"]["run"]["completedAt"].is_string());
}

#[test]
fn the_same_result_again_is_answered_as_the_first_time() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b"]));
    folder.succeed("a", json!({"n": 1}));

    let again = folder.succeed("a", json!({"n": 1}));

    assert_eq!(again["attempt"]["isRepeated"], true);
    assert_eq!(again["attempt"]["number"], 1);
    assert_eq!(again["plan"]["nodes"][0]["attemptCount"], 1);
    let other = folder.submit("a", &success(json!({"n": 2}))).refused();
    assert!(other.contains("node `a` is completed and takes no result now"), "{other}");
}

#[test]
fn of_two_results_at_once_one_is_accepted() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b"]));
    let submit = |n: u32| {
        let file = format!("result-{n}.json");
        folder.write_json(&file, &success(json!({"n": n})));
        let line = format!("plan submit w a --result {file} --as agent:ada --json");
        folder.command(&line).stdout(std::process::Stdio::piped()).spawn().unwrap()
    };

    let both = [submit(1), submit(2)].map(|child| child.wait_with_output().unwrap());

    assert_eq!(both.iter().filter(|output| output.status.success()).count(), 1, "{both:?}");
    let shown = folder.show();
    assert_eq!(nodes(&shown), ["a completed", "b running"]);
    assert_eq!(shown["plan"]["nodes"][0]["attemptCount"], 1);
}

#[test]
fn only_the_owner_or_the_lead_submits_and_no_agent_for_a_tool_or_a_person() {
    let folder = TestFolder::new();
    let plan = draft(
        vec![work("a"), append("write"), question("ask", "human-input")],
        vec![edge("a", "write"), edge("write", "ask")],
    );
    folder.create(&with(plan, "lead", json!("agent:boss")));
    folder.write_json("result.json", &success(json!({})));
    let submit = |node: &str, who: &str| {
        folder.said(&["plan", "submit", "w", node, "--result", "result.json", "--as", who])
    };

    let foreign = submit("a", "agent:eve").refused();
    assert!(foreign.contains("node `a` belongs to `ada`: only its owner or the lead"), "{foreign}");
    let unknown = submit("z", "agent:ada").refused();
    assert!(unknown.contains("there is no node `z`"), "{unknown}");
    let human = submit("ask", "agent:boss").refused();
    assert!(human.contains("node `ask` asks a person: answer its approval instead"), "{human}");
    let tool = submit("write", "agent:boss").refused();
    assert!(tool.contains("node `write` belongs to `Files.append`"), "{tool}");
    submit("a", "agent:boss").done();
    for nobody in ["windlass", "worker:wrk_1", "ada"] {
        assert_eq!(submit("a", nobody).code, 2, "{nobody}");
    }
}

#[test]
fn checks_and_criteria_of_a_contract_hold() {
    let folder = TestFolder::new();
    let checks = json!([
        {"type": "field-equals", "target": "state", "value": "done", "description": "it is done"},
        {"type": "manual-attestation", "description": "somebody looked", "severity": "warning"},
    ]);
    folder.create(&draft(vec![with(work("a"), "completionChecks", checks)], vec![]));

    let wrong = folder.submit("a", &success(json!({"state": "open"}))).done();
    assert_eq!(each(&wrong["attempt"]["findings"], "severity"), ["blocking", "warning"]);
    assert_eq!(wrong["attempt"]["status"], "rejected");
    folder.said(&["plan", "resume", "w"]).done();

    let right =
        folder.submit("a", &json!({"status": "success", "output": {"state": "done"}})).done();
    assert_eq!(right["attempt"]["status"], "accepted");
    let codes = each(&right["attempt"]["findings"], "code");
    assert_eq!(codes, ["completion_check_failed", "success_criterion_unattested"]);
}
