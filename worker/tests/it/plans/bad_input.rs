//! Input that is too big, too deep, or none at all: a clear error, and nothing half written.

use std::io::Write as _;

use serde_json::{Value, json};

use super::{chain, draft, each, edge, text, work};
use crate::cli::folder::TestFolder;

fn check(folder: &TestFolder, contents: &str) -> Value {
    folder.write("plan.json", contents);
    folder.said(&["plan", "check", "plan.json"]).json
}

#[test]
fn a_draft_of_fifty_megabytes_is_refused_by_its_size() {
    let folder = TestFolder::new();
    let mut big = chain(&["a"]);
    big["nodes"][0]["instructions"] = json!("x".repeat(50 << 20));

    let found = check(&folder, &big.to_string());

    assert_eq!(each(&found["findings"], "code"), ["plan_too_large"]);
    let refused = folder.said(&["plan", "create", "w", "plan.json"]).refused();
    assert!(refused.contains("plan draft failed validation: plan_too_large: "), "{refused}");
    assert!(!folder.path(".windlass/windlass.db").exists());
}

#[test]
fn what_is_no_draft_is_refused_with_its_place() {
    let folder = TestFolder::new();
    for (contents, told) in [
        ("{\"title\": ", "line 1 column"),
        ("[]", "invalid type"),
        ("{\"nodes\": 7}", "invalid type"),
        ("", "EOF"),
    ] {
        let found = check(&folder, contents);
        assert_eq!(each(&found["findings"], "code"), ["plan_unreadable"], "{contents}");
        assert!(text(&found["findings"][0]["message"]).contains(told), "{found}");
    }
    folder.write("plan.json", [0xff, 0xfe]);
    let found = folder.said(&["plan", "check", "plan.json"]).json;
    assert_eq!(each(&found["findings"], "code"), ["plan_unreadable"]);
    assert_eq!(folder.said(&["plan", "check", "gone.json"]).code, 1);
}

#[test]
fn a_circle_of_three_hundred_nodes_is_one_finding() {
    let folder = TestFolder::new();
    let ids: Vec<String> = (0..300).map(|n| format!("n{n}")).collect();
    let edges = (0..300).map(|n| edge(&ids[n], &ids[(n + 1) % 300])).collect();

    let found = check(&folder, &draft(ids.iter().map(|id| work(id)).collect(), edges).to_string());

    let codes = each(&found["findings"], "code");
    assert!(codes.contains(&"graph_cycle".to_owned()) && codes.len() <= 2, "{codes:?}");
    let more = (0..301).map(|n| work(&format!("n{n}"))).collect();
    let found = check(&folder, &draft(more, vec![]).to_string());
    assert!(each(&found["findings"], "code").contains(&"plan_too_large".to_owned()));
}

#[test]
fn a_schema_that_contains_itself_or_is_nested_too_deep_is_an_answer_and_no_crash() {
    let folder = TestFolder::new();
    let with_schema = |schema: Value| {
        let mut plan = chain(&["a"]);
        plan["schemas"] = json!({"s": schema});
        plan["nodes"][0]["outputSchemaRef"] = json!("s");
        plan.to_string()
    };
    let recursive = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
    let answer = check(&folder, &with_schema(recursive));
    assert!(answer["ok"].is_boolean(), "{answer}");
    if answer["ok"] == true {
        folder.said(&["plan", "create", "w", "plan.json"]).done();
        let deep = (0..100).fold(json!({}), |inner, _| json!({ "next": inner }));
        folder.succeed("a", deep);
    }
    let nested = (0..60)
        .fold(json!({"type": "string"}), |inner, _| json!({"type": "array", "items": inner}));
    let found = check(&folder, &with_schema(nested));
    assert_eq!(each(&found["findings"], "code")[0], "schema_invalid");
    // Deeper than JSON is read.
    let bottomless = "[".repeat(100_000);
    assert_eq!(each(&check(&folder, &bottomless)["findings"], "code"), ["plan_unreadable"]);
}

#[test]
fn results_that_are_none_are_refused_and_huge_outputs_are_rejected() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a"]));
    for wrong in
        [json!([]), json!({}), json!({"status": 3}), json!({"status": "success", "artifacts": 1})]
    {
        let refused = folder.submit("a", &wrong).refused();
        assert!(refused.contains("result_shape_invalid"), "{refused}");
    }
    let unknown = folder.submit("a", &json!({"status": "great"})).done();
    assert!(
        text(&unknown["message"]).contains("result_shape_invalid: `great` is not a status"),
        "{unknown:#}"
    );
    folder.said(&["plan", "resume", "w"]).done();

    let huge = json!({"status": "success", "output": {"text": "x".repeat(2 << 20)}});
    let rejected = folder.submit("a", &huge).done();
    let message = text(&rejected["message"]);
    assert!(message.contains("the output has more than 1048576 bytes"), "{message}");
    assert_eq!(rejected["plan"]["nodes"][0]["output"], Value::Null);
    let too_big = json!({"status": "success", "output": {"text": "x".repeat(20 << 20)}});
    assert_eq!(folder.submit("a", &too_big).code, 2);
}

#[test]
fn a_draft_and_a_result_may_come_from_stdin() {
    let folder = TestFolder::new();
    let call = |line: &str, input: &Value| {
        let mut command = folder.command(line);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };

    let created = call("plan create w - --json", &chain(&["a"]));
    assert_eq!(created["action"], "created");
    let result = json!({"status": "success"});
    let done = call("plan submit w a --result - --as agent:ada --json", &result);
    assert_eq!(done["status"], "completed");
}

#[test]
fn the_character_nul_is_refused_in_a_draft_and_replaced_in_what_is_reported() {
    let folder = TestFolder::new();
    let mut plan = chain(&["a"]);
    plan["nodes"][0]["label"] = json!("a\0b");

    let found = check(&folder, &plan.to_string());

    assert_eq!(each(&found["findings"], "code"), ["character_invalid"]);
    let said = text(&found["findings"][0]["message"]);
    assert!(said.contains("`nodes.0.label` has the character NUL"), "{said}");
    let refused = folder.said(&["plan", "create", "w", "plan.json"]).refused();
    assert!(refused.contains("character_invalid: "), "{refused}");
    folder.create(&chain(&["a"]));
    let made = json!([{"name": "c\0d", "kind": "text", "content": "x"}]);
    folder.submit("a", &json!({"status": "success", "artifacts": made})).done();
    let shown = folder.show();
    assert_eq!(each(&shown["plan"]["artifacts"], "name"), ["c\u{FFFD}d"]);
    assert!(!shown.to_string().contains("\\u0000"), "{shown}");
}

#[test]
fn names_of_workstreams_are_checked() {
    let folder = TestFolder::new();
    folder.write_json("plan.json", &chain(&["a"]));

    for name in ["", "wf_1", "a@b", "a\nb"] {
        assert_eq!(folder.said(&["plan", "create", name, "plan.json"]).code, 2, "{name:?}");
    }
    folder.said(&["plan", "create", "größe 測試", "plan.json"]).done();
    assert_eq!(folder.said(&["plan", "show", "größe 測試"]).done()["hasPlan"], true);
}
