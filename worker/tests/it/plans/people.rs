//! What people are asked, and what their answers do.

use serde_json::{Value, json};

use super::{chain, draft, each, edge, nodes, question, text, with, work};
use crate::cli::folder::TestFolder;

/// Work, then a person who looks at it, then work.
fn reviewed() -> Value {
    let wanted = json!([{"name": "notes", "kind": "markdown", "required": true}]);
    draft(
        vec![with(work("a"), "deliverables", wanted), question("ok", "human-approval"), work("b")],
        vec![edge("a", "ok"), edge("ok", "b")],
    )
}

/// The same up to its question, which is returned.
fn asked(folder: &TestFolder) -> Value {
    folder.create(&reviewed());
    make_notes(folder, "# First");
    folder.asked()
}

fn make_notes(folder: &TestFolder, content: &str) -> Value {
    let made = json!([{"name": "notes", "kind": "markdown", "content": content}]);
    let criteria = json!([{"criterion": "good", "met": true}]);
    let result =
        json!({"status": "success", "output": {"n": 1}, "artifacts": made, "criteria": criteria});
    folder.submit("a", &result).done()
}

#[test]
fn a_person_agrees_to_exactly_what_was_shown() {
    let folder = TestFolder::new();
    let question = asked(&folder);
    let id = text(&question["id"]);
    assert_eq!(
        (&question["kind"], &question["status"]),
        (&json!("human-approval"), &json!("pending"))
    );
    assert_eq!((&question["nodeId"], &question["prompt"]), (&json!("ok"), &json!("What now?")));
    assert!(question["presented"].to_string().contains("# First"), "{question:#}");
    assert!(!text(&question["presentedDigest"]).is_empty());

    let answer = folder.said(&["approval", "approve", id, "--comment", "fine"]).done();

    assert_eq!(
        (&answer["action"], &answer["changedNodeId"]),
        (&json!("approval-recorded"), &json!("ok"))
    );
    assert_eq!(nodes(&answer), ["a completed", "ok completed", "b running"]);
    let settled = &answer["approval"];
    assert_eq!((&settled["status"], &settled["comments"]), (&json!("approved"), &json!("fine")));
    assert_eq!(settled["respondedBy"], "user:tester");
    assert_eq!(settled["presentedDigest"], question["presentedDigest"]);
    assert_eq!(folder.said(&["approval", "list"]).done(), json!([]));
    let all = folder.said(&["approval", "list", "--all"]).done();
    assert_eq!(each(&all, "id"), [id]);

    // A later answer changes nothing.
    let again = folder.said(&["approval", "reject", id]).done();
    assert_eq!(again["approval"]["status"], "approved");
    assert!(text(&again["message"]).contains("Nothing changes"), "{again:#}");
    assert_eq!(nodes(&again), nodes(&answer));
}

#[test]
fn an_id_of_a_question_may_be_shortened() {
    let folder = TestFolder::new();
    let question = asked(&folder);
    let id = text(&question["id"]);

    assert_eq!(folder.said(&["approval", "show", &id[id.len() - 8..]]).done()["id"], id);
    let unknown = folder.said(&["approval", "show", "apr_zzz"]).refused();
    assert!(unknown.contains("there is no approval `apr_zzz`"), "{unknown}");
}

#[test]
fn a_refusal_with_edits_opens_the_work_again() {
    let folder = TestFolder::new();
    let question = asked(&folder);
    let id = text(&question["id"]);

    let answer = folder
        .said(&["approval", "reject", id, "--edits", "shorter", "--edits", "no jokes"])
        .done();

    assert_eq!(answer["approval"]["status"], "changes-requested");
    assert_eq!(answer["approval"]["requiredEdits"], json!(["shorter", "no jokes"]));
    assert_eq!(nodes(&answer), ["a running", "ok pending", "b pending"]);
    assert_eq!(
        answer["plan"]["nodes"][0]["input"]["requiredEdits"],
        json!(["shorter", "no jokes"])
    );
    make_notes(&folder, "# Short");
    let second = folder.asked();
    assert_ne!(second["id"], question["id"]);
    assert!(second["presented"].to_string().contains("# Short"), "{second:#}");
    assert!(!second["presented"].to_string().contains("# First"), "{second:#}");
    let done = folder.said(&["approval", "approve", text(&second["id"])]).done();
    assert_eq!(nodes(&done), ["a completed", "ok completed", "b running"]);
}

#[test]
fn a_plain_refusal_is_a_failure_of_the_node() {
    let folder = TestFolder::new();
    let question = asked(&folder);

    let answer =
        folder.said(&["approval", "reject", text(&question["id"]), "--comment", "no"]).done();

    assert_eq!(answer["approval"]["status"], "rejected");
    assert_eq!(nodes(&answer)[1], "ok blocked");
    assert_eq!(answer["plan"]["nodes"][1]["failureClass"], "rejected-by-human");
}

#[test]
fn no_text_agrees_and_no_agent_answers() {
    let folder = TestFolder::new();
    let question = asked(&folder);
    let id = text(&question["id"]);

    let said = folder.said(&["approval", "answer", id, "yes"]).refused();
    assert!(said.contains("a human-approval is answered with `approved`"), "{said}");
    let agent = folder.said(&["approval", "approve", id, "--as", "agent:ada"]).refused();
    assert!(agent.contains("only a person answers an approval"), "{agent}");
    assert_eq!(folder.said(&["approval", "approve", id, "--as", "windlass"]).code, 2);
    assert_eq!(folder.asked()["status"], "pending");
}

#[test]
fn a_person_gives_what_is_asked_for_and_the_schema_holds() {
    let folder = TestFolder::new();
    let ask = with(question("ask", "human-input"), "outputSchemaRef", json!("version"));
    let schemas = json!({"version": {"type": "object", "properties": {
        "version": {"type": "string", "required": true}, "responseText": {"type": "string"}}}});
    folder.create(&with(draft(vec![ask, work("b")], vec![edge("ask", "b")]), "schemas", schemas));
    let id = folder.asked()["id"].clone();
    let id = text(&id);

    let wrong = folder.said(&["approval", "answer", id, "2.0"]).refused();
    assert!(wrong.contains("breaks its output schema"), "{wrong}");
    let empty = folder.said(&["approval", "answer", id, " "]).refused();
    assert!(empty.contains("the answer to a human-input is empty"), "{empty}");
    let data = r#"{"version": "2.0"}"#;
    let answer = folder.said(&["approval", "answer", id, "--data", data]).done();

    assert_eq!(answer["approval"]["status"], "answered");
    assert_eq!(answer["plan"]["nodes"][0]["output"]["version"], "2.0");
    assert_eq!(nodes(&answer), ["ask completed", "b running"]);
}

#[test]
fn a_decision_is_its_text_and_the_branches_follow_it() {
    let folder = TestFolder::new();
    let when = json!({"path": "response.responseText", "op": "eq", "value": "yes"});
    let plan = draft(
        vec![question("choose", "human-decision"), work("go"), work("stay")],
        vec![
            with(edge("choose", "go"), "when", when),
            with(edge("choose", "stay"), "default", json!(true)),
        ],
    );
    folder.create(&plan);

    let id = folder.asked()["id"].clone();
    let answer = folder.said(&["approval", "answer", text(&id), "no"]).done();

    let output = &answer["plan"]["nodes"][0]["output"];
    assert_eq!((&output["responseText"], output.get("approved")), (&json!("no"), None));
    assert_eq!(nodes(&answer), ["choose completed", "go skipped", "stay running"]);
}

/// A plan of which a person has edited what its first node made, and what the person was answered.
fn edited() -> (TestFolder, Value) {
    let folder = TestFolder::new();
    let mut plan = reviewed();
    plan["nodes"][1]["type"] = json!("human-review-edit");
    folder.create(&plan);
    make_notes(&folder, "# First");
    let id = folder.asked()["id"].clone();
    let answer = folder.said(&["approval", "answer", text(&id), "# Better"]).done();
    (folder, answer)
}

#[test]
fn what_a_person_edits_becomes_a_new_version() {
    let (_folder, answer) = edited();

    assert_eq!(nodes(&answer), ["a completed", "ok completed", "b running"]);
    let artifacts = answer["plan"]["artifacts"].as_array().unwrap();
    let current: Vec<_> = artifacts.iter().filter(|it| it["status"] == "current").collect();
    assert_eq!(current.len(), 1, "{artifacts:#?}");
    assert_eq!((&current[0]["content"], &current[0]["version"]), (&json!("# Better"), &json!(2)));
    assert_eq!(current[0]["createdBy"], "user:tester");
}

#[test]
fn each_version_of_what_was_made_is_shown_by_its_id() {
    let (folder, answer) = edited();

    let artifacts = answer["plan"]["artifacts"].as_array().unwrap();
    assert_eq!(artifacts.len(), 2);
    for artifact in artifacts {
        let id = text(&artifact["id"]);
        let shown = folder.said(&["show", id]).done();
        assert_eq!((&shown["kind"], &shown["version"]), (&artifact["kind"], &artifact["version"]));
        assert_eq!(shown["content"], artifact["content"]);
    }
    let page = folder.call(&format!("show {}", text(&artifacts[1]["id"]))).stdout;
    assert!(page.contains(": notes, version 2, current"), "{page}");
    assert!(page.contains("user:tester") && page.contains("# Better"), "{page}");
    let unknown = folder.said(&["show", "art_0123"]).refused();
    assert!(unknown.contains("there is no artifact `art_0123`"), "{unknown}");
}

#[test]
fn an_answer_for_a_run_that_is_over_changes_nothing() {
    let folder = TestFolder::new();
    let question = asked(&folder);
    let id = text(&question["id"]);
    folder.said(&["plan", "cancel", "w", "--reason", "too late"]).done();

    let late = folder.said(&["approval", "approve", id]).done();

    assert_eq!(
        (&late["approval"]["status"], &late["status"]),
        (&json!("cancelled"), &json!("aborted"))
    );
    assert!(text(&late["message"]).contains("Nothing changes"), "{late:#}");
    let ended = folder.submit("b", &json!({"status": "success"})).refused();
    assert!(ended.contains("no plan run is active in workstream `w`"), "{ended}");
}

#[test]
fn a_node_that_failed_for_good_may_be_left_to_a_person() {
    let folder = TestFolder::new();
    let mut plan = chain(&["a", "b"]);
    plan["nodes"][0]["failurePolicy"] = json!([{"on": "any", "action": "escalate-human"}]);
    folder.create(&plan);

    let failed = folder.submit("a", &json!({"status": "failed", "reason": "broken"})).done();
    assert_eq!(nodes(&failed)[0], "a awaiting-human");
    let question = folder.asked();
    assert_eq!(question["kind"], "escalation");
    let answer = folder.said(&["approval", "approve", text(&question["id"])]).done();

    assert_eq!(nodes(&answer), ["a partial", "b running"]);
}

#[test]
fn a_page_says_what_to_type() {
    let folder = TestFolder::new();
    let question = asked(&folder);
    let id = text(&question["id"]);

    let page = folder.call("plan show w").stdout;

    assert!(page.contains(&format!("windlass approval approve {id}")), "{page}");
    let shown = folder.call(&format!("approval show {id}")).stdout;
    assert!(shown.contains(&format!("windlass approval reject {id} --edits TEXT")), "{shown}");
    assert!(folder.call("approval list").stdout.contains("human-approval"));
    folder.said(&["approval", "approve", id]).done();
    let page = folder.call("plan show w").stdout;
    assert!(page.contains("windlass plan submit w b --result FILE --as agent:ada"), "{page}");
}
