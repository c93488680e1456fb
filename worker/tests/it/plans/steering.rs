//! Resume, restart, cancel, the failure budget.

use serde_json::json;

use super::{append, chain, draft, each, edge, nodes, question, text, work};
use crate::cli::folder::TestFolder;

fn blocked() -> serde_json::Value {
    json!({"status": "blocked", "reason": "no key"})
}

#[test]
fn what_is_blocked_goes_on_after_resume_and_what_is_finished_stays() {
    let folder = TestFolder::new();
    let wanted = json!([{"name": "notes", "kind": "text"}]);
    let mut plan = chain(&["a", "b"]);
    plan["nodes"][0]["deliverables"] = wanted;
    folder.create(&plan);
    let made = json!([{"name": "notes", "kind": "text", "content": "x"}]);
    folder.submit("a", &json!({"status": "success", "output": {"n": 1}, "artifacts": made})).done();
    let stopped = folder.submit("b", &blocked()).done();
    assert_eq!(
        (&stopped["status"], &stopped["plan"]["run"]["failureCount"]),
        (&json!("blocked"), &json!(1))
    );
    let before = folder.show();

    let resumed = folder.said(&["plan", "resume", "w"]).done();

    assert_eq!(
        (&resumed["action"], nodes(&resumed)),
        (&json!("run-resumed"), vec!["a completed".to_owned(), "b running".to_owned()])
    );
    assert_eq!(resumed["plan"]["run"]["failureCount"], 0);
    let after = folder.show();
    assert_eq!(after["plan"]["nodes"][0], before["plan"]["nodes"][0]);
    assert_eq!(after["plan"]["artifacts"], before["plan"]["artifacts"]);
    let last = |shown: &serde_json::Value| {
        shown["plan"]["checkpoints"].as_array().unwrap().last().unwrap().clone()
    };
    assert_eq!(last(&after)["sequence"], json!(last(&before)["sequence"].as_u64().unwrap() + 1));
    assert_eq!(last(&after)["reason"], "resumed");
    // Once more changes nothing.
    let again = folder.said(&["plan", "resume", "w"]).done();
    assert!(text(&again["message"]).starts_with("Nothing changes"), "{again:#}");
    assert_eq!(last(&folder.show()), last(&after));
}

#[test]
fn a_run_that_waits_for_a_person_is_not_resumed_past_them() {
    let folder = TestFolder::new();
    folder.create(&draft(vec![question("ask", "human-approval")], vec![]));

    let answer = folder.said(&["plan", "resume", "w"]).done();

    assert_eq!(answer["status"], "awaiting-human");
    assert!(text(&answer["message"]).contains("the run waits for a person"), "{answer:#}");
    assert!(text(&answer["message"]).contains("`ask`"), "{answer:#}");
}

#[test]
fn a_node_is_done_anew_and_with_it_what_follows() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b", "c"]));
    folder.succeed("a", json!({"n": 1}));
    folder.succeed("b", json!({"n": 2}));

    let one = folder.said(&["plan", "restart", "w", "a"]);
    // `c` is at work, and keeps its place.
    let one = one.done();
    assert_eq!(nodes(&one), ["a ready", "b completed", "c running"]);
    let at_work = folder.said(&["plan", "restart", "w", "b", "--downstream"]).refused();
    assert!(at_work.contains("node `c` is at work"), "{at_work}");
    folder.submit("c", &blocked()).done();
    let all = folder.said(&["plan", "restart", "w", "b", "--downstream"]).done();
    assert_eq!((&all["action"], &all["changedNodeId"]), (&json!("node-restarted"), &json!("b")));
    assert_eq!(nodes(&all)[1..], ["b pending", "c pending"]);
    let unknown = folder.said(&["plan", "restart", "w", "z"]).refused();
    assert!(unknown.contains("the plan has no node `z`"), "{unknown}");
}

#[test]
fn an_effect_is_repeated_only_where_a_person_says_so() {
    let folder = TestFolder::new();
    folder.write("windlass.toml", "[tools.files]\nroots = [\"out\"]\n");
    std::fs::create_dir(folder.path("out")).unwrap();
    let plan = draft(vec![append("a"), question("ok", "human-approval")], vec![edge("a", "ok")]);
    folder.write_json("plan.json", &plan);
    // A worker calls the tool, up to the question.
    let work_on = || folder.said(&["demo", "plan", "--dir", "."]).json;
    assert_eq!(nodes(&work_on()), ["a completed", "ok awaiting-human"]);

    for more in [&[][..], &["--downstream"]] {
        let words = [&["plan", "restart", "release", "a"][..], more].concat();
        let refused = folder.said(&words).refused();
        let wanted =
            "the effect of node `a` has happened: only `--repeat-effects` lets it happen again";
        assert!(refused.contains(wanted), "{refused}");
    }
    assert_eq!(nodes(&work_on()), ["a completed", "ok awaiting-human"]);
    assert_eq!(folder.read("out/log.txt"), "a\n");
    let words = ["plan", "restart", "release", "a", "--downstream", "--repeat-effects"];
    let restarted = folder.said(&words).done();

    assert_eq!(nodes(&restarted)[1], "ok pending");
    assert_eq!(nodes(&work_on()), ["a completed", "ok awaiting-human"]);
    assert_eq!(folder.read("out/log.txt"), "a\na\n");
    let outputs = folder.said(&["outputs", "release"]).done();
    assert_eq!(each(&outputs, "status"), ["applied"; 2]);
}

#[test]
fn what_a_person_edited_is_given_up_only_where_a_person_says_so() {
    let folder = TestFolder::new();
    let all = vec![work("a"), question("edit", "human-review-edit"), work("b")];
    let mut plan = draft(all, vec![edge("a", "edit"), edge("edit", "b")]);
    plan["nodes"][0]["deliverables"] = json!([{"name": "notes", "kind": "text"}]);
    folder.create(&plan);
    let made = json!([{"name": "notes", "kind": "text", "content": "first"}]);
    folder.submit("a", &json!({"status": "success", "artifacts": made})).done();
    let id = folder.asked()["id"].clone();
    folder.said(&["approval", "answer", text(&id), "better"]).done();

    let refused = folder.said(&["plan", "restart", "w", "a"]).refused();
    assert!(refused.contains("people edited what is made anew"), "{refused}");
    assert!(refused.contains("notes"), "{refused}");
    let kept = folder.show()["plan"]["artifacts"].clone();
    assert_eq!(each(&kept, "status"), ["superseded", "current"]);
    let restarted = folder.said(&["plan", "restart", "w", "a", "--discard-edits"]).done();

    assert_eq!(nodes(&restarted), ["a ready", "edit completed", "b running"]);
    assert_eq!(each(&restarted["plan"]["artifacts"], "status"), ["superseded"; 2]);
}

#[test]
fn a_used_up_failure_budget_stops_the_run_until_somebody_acts() {
    let folder = TestFolder::new();
    let nodes_of = ["a", "b", "c"].map(work);
    folder.create(&draft(nodes_of.to_vec(), vec![]));
    folder.submit("a", &blocked()).done();

    let stopped = folder.submit("b", &blocked()).done();

    assert_eq!(
        (&stopped["status"], &stopped["plan"]["run"]["failureCount"]),
        (&json!("blocked"), &json!(2))
    );
    assert_eq!(nodes(&stopped)[2], "c ready");
    let resumed = folder.said(&["plan", "resume", "w"]).done();
    assert_eq!((&resumed["status"], nodes(&resumed)[0].as_str()), (&json!("running"), "a running"));
}

#[test]
fn a_cancelled_run_is_over() {
    let folder = TestFolder::new();
    folder.create(&chain(&["a", "b"]));

    let over = folder.said(&["plan", "cancel", "w", "--reason", "no money"]).done();

    assert_eq!((&over["action"], &over["status"]), (&json!("run-cancelled"), &json!("aborted")));
    assert_eq!(nodes(&over), ["a cancelled", "b cancelled"]);
    assert!(text(&over["plan"]["run"]["error"]).contains("no money"), "{over:#}");
    for words in [
        &["plan", "cancel", "w", "--reason", "again"][..],
        &["plan", "resume", "w"],
        &["plan", "restart", "w", "a"],
    ] {
        let refused = folder.said(words).refused();
        assert!(refused.contains("no plan run is active in workstream `w`"), "{refused}");
    }
}

#[test]
fn commands_for_scripts_list_plans_and_refuse_to_run_them() {
    let folder = TestFolder::with_starter();
    folder.create(&chain(&["a"]));

    let list = folder.said(&["list"]).done();
    assert_eq!((&list[0]["name"], &list[0]["badge"]), (&json!("w"), &json!("idle")));
    let status = folder.call("status w");
    assert!(status.stdout.contains("windlass plan show w"), "{}{}", status.stdout, status.stderr);
    assert_eq!(folder.said(&["pause", "w"]).done()["status"], "paused");
    assert_eq!(folder.said(&["resume", "w"]).done()["status"], "active");
    for words in [
        &["run", "w"][..],
        &["activate", "w"],
        &["versions", "w"],
        &["deploy", "workflow.js", "--name", "w", "--yes"],
    ] {
        let refused = folder.said(words).refused();
        assert!(refused.starts_with("not_a_script: `w` is a plan"), "{words:?}: {refused}");
    }
}
