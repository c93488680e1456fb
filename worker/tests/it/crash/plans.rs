//! A plan of tools and a person: killed at every boundary that a worker passes, and at every boundary of what people do with it.

use serde_json::{Value, json};
use windlass_core::graph::{AttemptStatus, GraphStatus, NodeStatus};
use windlass_core::{ApprovalStatus, MutationStatus};
use windlass_store::{EventsAfter, GraphIncludes, GraphSelector, GraphView, Mutation};

use crate::crash::deployment::{Database, Deployment};
use crate::crash::{Kills, assert_reaches};

/// Begins the plan of the folder where none is, and works on it up to a question or to its end.
const WORK: [&str; 4] = ["demo", "plan", "--dir", "."];

/// Two tools beside each other, a person, and two tools more. Three of the four have an effect, each of its own kind.
fn plan() -> Value {
    let node = |id: &str, node_type: &str, owner: (&str, &str)| {
        json!({
            "id": id, "type": node_type, "label": id, "objective": id, "instructions": "do it",
            "owner": { "executorType": owner.0, "ref": owner.1 },
        })
    };
    let call = |id: &str, tool: &str, input: Value| {
        let mut node = node(id, "tool", ("system", tool));
        node.as_object_mut().unwrap().insert("input".to_owned(), input);
        node
    };
    json!({
        "title": "Release", "objective": "Bring it out", "maxParallel": 2,
        "nodes": [
            call("read", "Files.read", json!({ "path": "notes/changes.md" })),
            call("log", "Files.append", json!({ "path": "out/log.txt", "line": "begun 1", "key": "1" })),
            node("approve", "human-approval", ("user", "ada")),
            call("publish", "Files.write", json!({ "path": "out/RELEASE.md" })),
            call("tell", "User.notify", json!({ "title": "It is out", "text": "" })),
        ],
        "edges": [
            { "from": "read", "to": "approve" }, { "from": "log", "to": "approve" },
            { "from": "read", "to": "publish", "map": { "text": "output.text" } },
            { "from": "approve", "to": "publish" }, { "from": "approve", "to": "tell", "map": {} },
        ],
    })
}

/// What a plan came to, inside and outside. How often something was begun anew differs from crash to crash.
#[derive(Debug, PartialEq)]
struct Outcome {
    run: GraphStatus,
    nodes: Vec<(String, NodeStatus, u32)>,
    attempts: Vec<(String, AttemptStatus)>,
    approvals: Vec<ApprovalStatus>,
    effects: Vec<(String, MutationStatus)>,
    files: Vec<(String, String)>,
    messages: usize,
}

/// A folder in which nothing has begun.
fn folder(database: Database) -> Option<Deployment> {
    let folder = Deployment::empty(database, "release")?;
    folder.write("windlass.toml", "[tools.files]\nroots = [\"notes\", \"out\"]\n");
    folder.write("plan.json", &plan().to_string());
    folder.make_folder("notes");
    folder.write("notes/changes.md", "# What is new\n");
    folder.make_folder("out");
    Some(folder)
}

/// The newest run, whole.
pub(super) fn view(folder: &Deployment) -> GraphView {
    let includes = GraphIncludes {
        events: Some(EventsAfter { seq: 0, limit: 1_000 }),
        attempts: true,
        artifacts: true,
        approvals: true,
        checkpoints: true,
    };
    let view = folder.read(async |store, workflow| {
        store.graph(workflow.workspace_id, GraphSelector::Newest(workflow.id), includes).await
    });
    view.unwrap()
}

fn mutations(folder: &Deployment) -> Vec<Mutation> {
    folder
        .read(async |store, workflow| store.all_mutations(workflow.workspace_id, workflow.id).await)
}

fn outcome(folder: &Deployment) -> Outcome {
    let view = view(folder);
    let mutations = mutations(folder);
    // What failed did not happen, and was begun anew.
    let happened = mutations.iter().filter(|it| it.status != MutationStatus::Failed);
    let mut effects: Vec<_> = happened.map(|it| (it.tool_method.clone(), it.status)).collect();
    effects.sort_by(|a, b| a.0.cmp(&b.0));
    Outcome {
        run: view.run.status,
        nodes: view
            .nodes
            .iter()
            .map(|it| (it.node_id.clone(), it.status, it.attempt_count))
            .collect(),
        attempts: view.attempts.iter().map(|it| (it.node_id.clone(), it.status)).collect(),
        approvals: view.approvals.iter().map(|it| it.status).collect(),
        effects,
        files: folder.files("out"),
        messages: folder.n_messages(),
    }
}

/// The id of the only question.
fn question(folder: &Deployment) -> String {
    let view = view(folder);
    let [approval] = &view.approvals[..] else { panic!("not one question: {view:#?}") };
    approval.id.to_string()
}

/// Before an operation everything is as after the one before it: to die there once is enough.
#[test]
fn crash_anywhere_in_a_plan_of_tools_and_a_person_on_sqlite() {
    release(Database::Sqlite, |point| point.ends_with(".after"));
}

/// Every boundary is passed on SQLite. Here those around the plan's beginning, its first effect and its question are.
#[test]
fn crash_around_each_step_of_a_plan_on_postgres() {
    let mut seen = std::collections::BTreeSet::new();
    release(Database::Postgres, move |point| {
        let is_step = ["start_plan.after", "begin_mutation.after", "apply_mutation.before"]
            .contains(&point)
            || point.starts_with("commit_node");
        is_step && seen.insert(point.to_owned())
    });
}

/// A doubt that workers settle by themselves is no reason to stop waiting for the plan.
#[test]
fn crash_after_an_effect_is_waited_for_until_its_look_up_has_found_it() {
    let empty = folder(Database::Sqlite).unwrap();
    empty.append("windlass.toml", "[limits.lookup]\nattempts = 1000\nbase_ms = 50\ncap_ms = 200\n");
    let points = empty.copy().traced(&WORK);
    let before = |point: &String| point == "apply_mutation.before";
    let applied = points.iter().position(before).unwrap() + 1;
    // How often the process looks for work differs from run to run, and with it the number of the point.
    let mut killed = (applied.saturating_sub(4)..applied + 4).map(|point| {
        let folder = empty.copy();
        folder.killed_at(&WORK, point);
        folder
    });
    let has_appended = |folder: &Deployment| {
        let is_sent = |it: &Mutation| it.status == MutationStatus::InFlight;
        !folder.files("out").is_empty() && mutations(folder).iter().any(is_sent)
    };
    let folder = killed.find(has_appended).unwrap();
    // Elsewhere nothing is proved, so it is looked up again and again.
    std::fs::rename(folder.path("out"), folder.path("unmounted")).unwrap();
    folder.make_folder("out");

    let mut waiting = folder.start(&WORK);
    while mutations(&folder).iter().all(|it| it.reconcile_attempts < 3) {
        assert!(!waiting.has_ended(), "it does not wait for the look-up");
    }
    std::fs::remove_dir(folder.path("out")).unwrap();
    std::fs::rename(folder.path("unmounted"), folder.path("out")).unwrap();

    assert_eq!(waiting.end(), 3);
    let came_to = outcome(&folder);
    assert_eq!(came_to.run, GraphStatus::AwaitingHuman, "{came_to:#?}");
    assert_eq!(came_to.effects, [("append".to_owned(), MutationStatus::Applied)]);
}

/// Kills the worker before the question and after it. `is_chosen` says at which points.
fn release(database: Database, mut is_chosen: impl FnMut(&str) -> bool) {
    let Some(empty) = folder(database) else { return };
    let mut kills = Kills::default();
    let reached = ["start_plan", "checkpoint_prepare", "Files.append", "commit_node"];
    let asked = survives(&empty, &reached, &mut is_chosen, &mut kills);
    let before = outcome(&asked);
    assert_eq!((before.run, before.effects.len()), (GraphStatus::AwaitingHuman, 1), "{before:#?}");

    asked.must(&["approval", "approve", &question(&asked)]);
    let reached = ["begin_mutation", "Files.write", "User.notify", "apply_mutation"];
    let done = outcome(&survives(&asked, &reached, &mut is_chosen, &mut kills));
    assert_eq!((done.run, done.messages), (GraphStatus::Completed, 1), "{done:#?}");
    assert!(done.effects.iter().all(|(_, status)| *status == MutationStatus::Applied), "{done:#?}");
    let written = [("RELEASE.md", "# What is new\n"), ("log.txt", "begun 1\n")];
    assert_eq!(done.files, written.map(|(name, text)| (name.to_owned(), text.to_owned())));
    kills.assert_most();
}

/// Works from here on once undisturbed, and once for each point, killed there and started again. Returns the undisturbed one.
fn survives(
    from: &Deployment,
    reached: &[&str],
    is_chosen: &mut impl FnMut(&str) -> bool,
    kills: &mut Kills,
) -> Deployment {
    let undisturbed = from.copy();
    let points = undisturbed.traced(&WORK);
    assert_reaches(&points, reached);
    let expected = outcome(&undisturbed);
    for (idx, point) in points.iter().enumerate().filter(|(_, point)| is_chosen(point)) {
        let killed = from.copy();
        kills.count(killed.killed_at(&WORK, idx + 1));
        killed.traced(&WORK);

        assert_eq!(outcome(&killed), expected, "killed at point {}, {point}", idx + 1);
    }
    undisturbed
}
