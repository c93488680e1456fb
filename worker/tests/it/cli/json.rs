//! The documents of `--json`, which programs rely on.

use serde_json::{Value, json};

use crate::cli::folder::TestFolder;

/// The names in an object, in order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A folder in which the starter has run.
fn ran() -> (TestFolder, Value) {
    let folder = TestFolder::with_starter();
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    let ran = folder.json("run notes");
    (folder, ran)
}

#[test]
fn a_session_is_told_with_its_runs() {
    let (_place, ran) = ran();

    assert_eq!(keys(&ran), ["session"]);
    let session = &ran["session"];
    assert_eq!(keys(session), ["id", "result", "trigger", "handler_runs"]);
    assert_eq!((&session["result"], &session["trigger"]), (&json!("completed"), &json!("manual")));
    let runs = session["handler_runs"].as_array().unwrap();
    assert_eq!(keys(&runs[0]), ["id", "handler", "kind", "phase", "status", "error"]);
    let handlers: Vec<_> = runs.iter().map(|run| run["handler"].as_str().unwrap()).collect();
    assert_eq!(handlers, ["log", "inbox", "log", "log"]);
    assert!(runs.iter().all(|run| run["status"] == "committed"), "{runs:?}");
}

#[test]
fn outputs_inputs_and_events_are_lists() {
    let (folder, _ran) = ran();

    let [outputs, inputs, events] =
        ["outputs notes", "inputs notes", "events notes"].map(|line| folder.json(line));

    assert_eq!(
        keys(&outputs[0]),
        [
            "id",
            "workflow_id",
            "run",
            "tool",
            "method",
            "params",
            "params_digest",
            "target",
            "operation_id",
            "idempotency_key",
            "status",
            "result",
            "error",
            "error_class",
            "reconcilable",
            "reconcile_attempts",
            "next_reconcile_at",
            "resolved_by",
            "resolved_at",
            "title",
            "late_evidence",
            "cost_microdollars",
            "inputs",
            "created_at",
            "updated_at"
        ]
    );
    assert_eq!(outputs[0]["inputs"], json!([inputs[0]["id"]]));
    assert_eq!(
        (&outputs[0]["tool"], &outputs[0]["method"], &outputs[0]["status"]),
        (&json!("Files"), &json!("append"), &json!("applied"))
    );
    assert_eq!(keys(&events[0]), ["id", "topic", "message_id", "status", "attempt", "payload"]);
    assert_eq!(events[0]["payload"], json!({"path": "inbox/first.txt"}));
    assert_eq!(events[0]["status"], "consumed");
    assert_eq!(inputs[0]["status"], "done");
}

#[test]
fn whatever_an_id_stands_for_is_shown_by_its_beginning() {
    let (folder, ran) = ran();
    let id = |line: &str| folder.json(line)[0]["id"].as_str().unwrap().to_owned();
    let workflow = folder.json("list")[0]["id"].as_str().unwrap().to_owned();
    let shown = [
        (workflow, "workflow"),
        (ran["session"]["id"].as_str().unwrap().to_owned(), "session"),
        (id("events notes"), "event"),
        (id("inputs notes"), "input"),
        (id("outputs notes"), "output"),
        (id("runs notes"), "run"),
    ];

    for (id, what) in shown {
        let document = folder.json(&format!("show {}", &id[..id.len() - 1]));
        assert_eq!(document["what"], what);
        assert!(document.to_string().contains(&id), "{document}");

        let page = folder.call(&format!("show {id}"));
        assert_eq!(page.code, 0, "{}", page.stderr);
        assert!(page.stdout.contains(&id) || what == "workflow", "{}", page.stdout);
    }
}

#[test]
fn a_run_is_shown_whole() {
    let (folder, ran) = ran();
    let run = ran["session"]["handler_runs"][2]["id"].as_str().unwrap();

    let shown = folder.json(&format!("show {run}"));

    assert_eq!(
        keys(&shown),
        [
            "what",
            "run",
            "session",
            "took",
            "published",
            "mutation",
            "continues",
            "continued_by",
            "logs"
        ]
    );
    assert_eq!(shown["took"][0]["message_id"], "inbox/first.txt");
    assert_eq!(shown["mutation"]["params"]["path"], "out/notes.log");
    assert_eq!(shown["run"]["prepare_result"]["data"]["firstLine"], "Buy coffee");
}

#[test]
fn every_command_answers_with_one_document() {
    let (folder, _ran) = ran();

    for line in [
        "list",
        "status",
        "status notes",
        "notifications",
        "types",
        "migrate",
        "doctor",
        "pause notes",
        "resume notes",
        "archive notes",
        "unarchive notes",
        "activate notes",
        "deploy workflow.js --name other --yes",
    ] {
        let document = folder.json(line);
        assert!(document.get("error").is_none_or(|error| !error.is_object()), "{line}: {document}");
    }
}

#[test]
fn an_error_is_a_document_too() {
    let folder = TestFolder::with_starter();

    let [missing, usage, unreadable] =
        ["status nobody", "nonsense", "deploy none.js --name n"].map(|line| folder.json(line));

    assert_eq!(missing["error"]["code"], "not_found");
    assert_eq!(usage["error"]["code"], "usage");
    assert_eq!(unreadable["error"]["code"], "file");
    for document in [missing, usage, unreadable] {
        assert!(document["error"]["message"].is_string() && document["error"]["hint"].is_string());
    }
}
