//! What plans may call.

use serde_json::{Value, json};

use super::{append, chain, draft, nodes, text};
use crate::cli::folder::TestFolder;

fn calling() -> Value {
    draft(vec![append("write")], vec![])
}

#[test]
fn nothing_is_granted_by_silence() {
    let folder = TestFolder::new();
    folder.write_json("plan.json", &calling());

    let refused = folder.said(&["plan", "create", "w", "plan.json"]).refused();

    assert!(refused.contains("grant_not_confirmed: the plan calls `Files.append`"), "{refused}");
    let hint = folder.call("plan create w plan.json").stderr;
    assert!(hint.contains("`--allow Files.append`"), "{hint}");
    assert!(!folder.path(".windlass/windlass.db").exists());
    let unknown = folder.said(&["plan", "create", "w", "plan.json", "--allow", "Files.apend"]);
    assert_eq!(unknown.code, 2);
}

#[test]
fn a_plan_of_agents_and_people_needs_no_grant() {
    let folder = TestFolder::new();
    folder.write_json("plan.json", &chain(&["a"]));

    assert_eq!(folder.said(&["plan", "create", "w", "plan.json"]).done()["status"], "running");
}

#[test]
fn a_plan_that_calls_more_than_it_was_granted_is_held_until_a_person_lets_it_start() {
    let folder = TestFolder::new();
    folder.write_json("plan.json", &calling());
    let begin = |workstream: &str| {
        folder.said(&["plan", "create", workstream, "plan.json", "--allow", "User.notify"]).done()
    };

    let held = begin("w");

    assert_eq!(
        (&held["status"], &held["plan"]["run"]["isHeld"]),
        (&json!("awaiting-human"), &json!(true))
    );
    assert_eq!(nodes(&held), ["write ready"]);
    let question = folder.asked();
    assert_eq!((&question["kind"], &question["nodeId"]), (&json!("start"), &Value::Null));
    assert!(text(&question["prompt"]).contains("Files.append"), "{question:#}");
    let agent = folder.said(&["approval", "approve", text(&question["id"]), "--as", "agent:ada"]);
    assert!(agent.refused().contains("only a person answers"));
    let started = folder.said(&["approval", "approve", text(&question["id"])]).done();
    assert_eq!(
        (&started["plan"]["run"]["isHeld"], nodes(&started)),
        (&json!(false), vec!["write running".to_owned()])
    );

    begin("other");
    let question = folder.asked();
    let rejected = folder.said(&["approval", "reject", text(&question["id"])]).done();
    assert_eq!(
        (&rejected["status"], nodes(&rejected)),
        (&json!("aborted"), vec!["write cancelled".to_owned()])
    );
}

#[test]
fn a_person_decides_what_plans_of_agents_may_call() {
    let folder = TestFolder::new();

    let set = folder.said(&["workspace", "set", "planGrant", "Files.append,User.notify"]).done();

    assert_eq!(set, json!({"workspace": "default", "planGrant": ["Files.append", "User.notify"]}));
    assert_eq!(folder.said(&["workspace", "show"]).done(), set);
    assert!(folder.call("workspace show").stdout.contains("Files.append, User.notify"));
    let unknown = folder.said(&["workspace", "set", "planGrant", "Files.apend"]).refused();
    assert!(unknown.contains("there is no tool `Files.apend`"), "{unknown}");
    assert_eq!(folder.said(&["workspace", "set", "colour", "red"][..]).code, 2);
    assert_eq!(folder.said(&["workspace", "set", "planGrant", ""]).done()["planGrant"], json!([]));
}
