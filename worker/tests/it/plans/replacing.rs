//! One plan replaces another.

use serde_json::{Value, json};

use super::{chain, draft, each, edge, nodes, question, text, work};
use crate::cli::folder::TestFolder;

fn replace(folder: &TestFolder, draft: &Value, more: &[&str]) -> super::Said {
    folder.write_json("next.json", draft);
    let words = ["plan", "replace", "w", "next.json", "--reason", "a better idea", "--yes"];
    folder.said(&[&words[..], more].concat())
}

#[test]
fn the_old_run_is_aborted_and_the_new_version_points_to_it() {
    let folder = TestFolder::new();
    let old = folder.create(&chain(&["a", "b"]))["plan"].clone();

    let new = replace(&folder, &chain(&["a", "c"]), &[]).done();

    assert_eq!((&new["action"], &new["plan"]["spec"]["version"]), (&json!("replaced"), &json!(2)));
    assert_eq!(new["plan"]["spec"]["replacedSpecId"], old["spec"]["id"]);
    assert_eq!(new["plan"]["run"]["replacedRunId"], old["run"]["id"]);
    let events = new["plan"]["events"].as_array().unwrap();
    let replaced = events.iter().find(|it| it["eventType"] == "plan-replaced").unwrap();
    assert_eq!(replaced["detail"]["reason"], "a better idea");
    assert_eq!(replaced["detail"]["replacedRunId"], old["run"]["id"]);
    assert_eq!(new["plan"]["checkpoints"][0]["reason"], "plan-replaced");
    let before = folder.said(&["plan", "show", text(&old["run"]["id"])]).done();
    let (run, spec) = (&before["plan"]["run"], &before["plan"]["spec"]);
    assert_eq!((&run["status"], &spec["status"]), (&json!("aborted"), &json!("superseded")));
    assert_eq!((&run["readyNodeIds"], &run["currentNodeId"]), (&json!([]), &Value::Null));
    assert!(run["completedAt"].is_string());
    assert_eq!(nodes(&before), ["a cancelled", "b cancelled"]);
}

#[test]
fn only_the_active_run_is_replaced_and_only_by_a_right_draft() {
    let folder = TestFolder::with_starter();
    let none = replace(&folder, &chain(&["a"]), &[]).refused();
    assert!(none.contains("no plan run is active in `w`"), "{none}");
    let first = folder.create(&chain(&["a"]))["plan"]["run"]["id"].clone();
    let second = replace(&folder, &chain(&["b"]), &[]).done()["plan"]["run"]["id"].clone();

    let stale = replace(&folder, &chain(&["c"]), &["--run", text(&first)]).refused();
    assert!(stale.contains("only the active plan run may be replaced"), "{stale}");
    let wrong = replace(&folder, &json!({"title": "t", "objective": "o"}), &[]).refused();
    assert!(wrong.contains("plan draft failed validation: plan_empty: "), "{wrong}");

    let shown = folder.show();
    assert_eq!((&shown["plan"]["run"]["id"], &shown["status"]), (&second, &json!("running")));
    assert_eq!(nodes(&shown), ["b running"]);
    replace(&folder, &chain(&["c"]), &["--run", text(&second)]).done();
}

#[test]
fn finished_work_under_the_same_contract_is_taken_over() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b", "c"]));
    folder.succeed("a", json!({"n": 1}));
    folder.succeed("b", json!({"n": 2}));
    let mut changed = chain(&["a", "b", "c"]);
    changed["nodes"][1]["instructions"] = json!("do it otherwise");

    let new = replace(&folder, &changed, &[]).done();

    assert_eq!(nodes(&new), ["a completed", "b running", "c pending"]);
    assert_eq!(new["plan"]["nodes"][0]["output"], json!({"n": 1}));
    assert!(text(&new["plan"]["nodes"][0]["carriedFrom"]).starts_with("nod_"));
    // What was done before is told, also where it has to be done anew.
    assert_eq!(each(&new["plan"]["carriedNodes"], "nodeId"), ["a", "b"]);
    assert_eq!(new["plan"]["carriedNodes"][1]["output"], json!({"n": 2}));

    let fresh = replace(&folder, &changed, &["--fresh"]).done();
    assert_eq!(nodes(&fresh), ["a running", "b pending", "c pending"]);
    assert_eq!(each(&fresh["plan"]["carriedNodes"], "nodeId"), ["a", "b"]);
}

#[test]
fn questions_of_the_old_run_are_closed() {
    let folder = TestFolder::new();
    folder.create(&draft(vec![question("ask", "human-approval")], vec![]));
    let id = folder.asked()["id"].clone();

    replace(&folder, &chain(&["a"]), &[]).done();

    assert_eq!(folder.said(&["approval", "list"]).done(), json!([]));
    let late = folder.said(&["approval", "approve", text(&id)]).done();
    assert_eq!(
        (&late["approval"]["status"], &late["status"]),
        (&json!("cancelled"), &json!("aborted"))
    );
    assert_eq!(nodes(&folder.show()), ["a running"]);
}

#[test]
fn a_new_plan_after_the_last_one_begins_at_version_one() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a"]));
    replace(&folder, &chain(&["b"]), &[]).done();
    folder.succeed("b", json!({}));

    let new = folder.create(&draft(vec![work("a"), work("b")], vec![edge("a", "b")]));

    assert_eq!(
        (&new["plan"]["spec"]["version"], &new["plan"]["run"]["replacedRunId"]),
        (&json!(1), &Value::Null)
    );
    let list = folder.said(&["plan", "list"]).done();
    assert_eq!(each(&list, "status"), ["running", "completed", "aborted"]);
}
