//! What people and agents do with a plan, killed at every boundary: it is wholly there or not at all, and the same command again gives
//! the answer that it would have given anyway.

use serde_json::{Value, json};
use windlass_core::ApprovalStatus;
use windlass_core::graph::{GraphStatus, NodeStatus};

use super::assert_reaches;
use super::deployment::{Database, Deployment, workflows};
use super::plans::view;

/// What is stored of a plan, without ids and times.
#[derive(Debug, PartialEq)]
struct Stored {
    run: GraphStatus,
    version: (u32, u32),
    nodes: Vec<(String, NodeStatus, u32, bool)>,
    n_attempts: usize,
    approvals: Vec<ApprovalStatus>,
    journal: Vec<String>,
    n_checkpoints: usize,
    /// For each notice, whether it is settled.
    notices: Vec<bool>,
}

/// A draft of work of `ada` in a row, and a question to a person beside it.
fn draft(instructions_of_c: &str) -> String {
    let work = |id: &str, instructions: &str| {
        json!({
            "id": id, "type": "action", "label": id, "objective": id, "instructions": instructions,
            "owner": { "executorType": "agent", "ref": "ada" }, "successCriteria": ["good"],
        })
    };
    let ask = json!({
        "id": "ask", "type": "human-approval", "label": "ask", "objective": "ask", "instructions": "May it go out?",
        "owner": { "executorType": "user", "ref": "ada" },
    });
    let plan: Value = json!({
        "title": "Release", "objective": "Bring it out", "maxParallel": 4,
        "nodes": [work("a", "i"), work("b", "i"), work("c", instructions_of_c), ask],
        "edges": [{ "from": "a", "to": "b" }, { "from": "b", "to": "c" }],
    });
    plan.to_string()
}

fn folder() -> Deployment {
    let folder = Deployment::empty(Database::Sqlite, "release").unwrap();
    folder.make_database();
    folder.write("plan.json", &draft("i"));
    folder.write("other.json", &draft("otherwise"));
    folder.write("good.json", r#"{"status": "success", "output": {"n": 1}}"#);
    folder.write("stuck.json", r#"{"status": "blocked", "reason": "no key"}"#);
    folder
}

const CREATE: [&str; 5] = ["plan", "create", "release", "plan.json", "--yes"];

fn submit(node: &'static str, result: &'static str) -> [&'static str; 8] {
    ["plan", "submit", "release", node, "--result", result, "--as", "agent:ada"]
}

/// `a` and `b` are done, `c` is blocked, and the person has not answered.
fn under_way() -> Deployment {
    let folder = folder();
    folder.must(&CREATE);
    for node in ["a", "b"] {
        folder.must(&submit(node, "good.json"));
    }
    folder.must(&submit("c", "stuck.json"));
    folder
}

fn stored(folder: &Deployment) -> Option<Stored> {
    let has_workstream = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { !workflows(&folder.open().await).await.is_empty() });
    if !has_workstream {
        return None;
    }
    let view = view(folder);
    let notices =
        folder.read(async |store, workflow| store.all_notifications(workflow.workspace_id).await);
    let is_carried = |carried: Option<_>| carried.is_some();
    Some(Stored {
        run: view.run.status,
        version: view.run.version,
        nodes: view
            .nodes
            .iter()
            .map(|it| {
                (it.node_id.clone(), it.status, it.attempt_count, is_carried(it.carried_from))
            })
            .collect(),
        n_attempts: view.attempts.len(),
        approvals: view.approvals.iter().map(|it| it.status).collect(),
        journal: view.events.into_iter().map(|entry| entry.action).collect(),
        n_checkpoints: view.checkpoints.len(),
        notices: notices.iter().map(|it| it.resolved_at.is_some()).collect(),
    })
}

/// Exit code and page of a call.
fn said(folder: &Deployment, words: &[&str]) -> (Option<i32>, String) {
    let output = folder.run(words);
    let page = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), page)
}

/// Kills a command at every point. `again` is part of what it says once it has been carried out.
fn carried_out_or_not(from: &Deployment, words: &[&str], operation: &str, again: &str) {
    let undisturbed = from.copy();
    let points = undisturbed.traced(words);
    assert_reaches(&points, &[operation]);
    let (before, after) = (stored(from), stored(&undisturbed));
    assert_ne!(before, after, "{words:?}");
    let (code, page) = said(&undisturbed, words);
    assert!(page.contains(again), "{words:?} once more: {page}");
    let after_both = stored(&undisturbed);

    let (mut n_undone, mut n_done) = (0, 0);
    for (idx, point) in points.iter().enumerate() {
        let killed = from.copy();
        assert!(killed.killed_at(words, idx + 1), "{words:?} is not killed at {point}");
        let left = stored(&killed);
        let answer = said(&killed, words);
        if left == before {
            n_undone += 1;
            assert_eq!(answer.0, Some(0), "killed at {point}: {}", answer.1);
            assert_eq!(stored(&killed), after, "{words:?} after a kill at {point}");
        } else {
            n_done += 1;
            assert_eq!(left, after, "{words:?}, killed at {point}, is there in part");
            assert!(
                answer.0 == code && answer.1.contains(again),
                "killed at {point}: {}",
                answer.1
            );
            assert_eq!(stored(&killed), after_both, "{words:?} twice");
        }
    }
    assert!(n_undone > 0 && n_done > 0, "{words:?} passes {points:?}");
}

#[test]
fn crash_while_a_plan_is_created_leaves_it_or_nothing() {
    carried_out_or_not(&folder(), &CREATE, "start_plan", "a plan run is already active");
}

#[test]
fn crash_while_a_result_is_submitted_keeps_it_once() {
    let from = folder();
    from.must(&CREATE);
    let words = submit("a", "good.json");
    carried_out_or_not(&from, &words, "submit_node", "it was submitted before");
}

#[test]
fn crash_while_a_plan_is_replaced_leaves_one_of_the_two() {
    let from = under_way();
    let run = view(&from).run.id.to_string();
    let words =
        ["plan", "replace", "release", "other.json", "--reason", "r", "--run", &run, "--yes"];
    carried_out_or_not(&from, &words, "start_plan", "only the active plan run may be replaced");
}

#[test]
fn crash_while_a_plan_is_steered_leaves_it_steered_or_not() {
    let from = under_way();
    let approval = view(&from).approvals[0].id.to_string();
    for (words, operation, again) in [
        (&["plan", "resume", "release"][..], "steer_graph", "Nothing changes"),
        (&["plan", "restart", "release", "b"], "steer_graph", "node `b` is at work"),
        (&["plan", "cancel", "release", "--reason", "r"], "steer_graph", "no plan run is active"),
        (&["approval", "approve", &approval], "settle_approval", "approved"),
        (&["approval", "reject", &approval], "settle_approval", "rejected"),
    ] {
        carried_out_or_not(&from, words, operation, again);
    }
}
