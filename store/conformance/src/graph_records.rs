//! What is kept of plans: under which ids it is found, and which texts it may have.

use serde_json::{Value, json};
use windlass_core::graph::{ArtifactStatus, NodeResult, NodeStatus};
use windlass_core::{ApprovalAnswer, Id as _};
use windlass_store::{AddNote, AnyId, NoteKind, StartPlan, Steer, StoreError};

use crate::pruning::prune;
use crate::world::graphs::{
    agent, agent_node, chain, failed, human_node, success, tool_node, words,
};
use crate::world::{TestStore, World};

const NUL: &str = "a\0b";
const KEPT: &str = "a\u{FFFD}b";

/// A result with an artifact of that name.
fn made(name: &str, content: &str) -> NodeResult {
    let mut result = serde_json::to_value(success(&json!({ "text": content }))).unwrap();
    result["notes"] = json!(content);
    result["artifacts"] =
        json!([{ "name": name, "kind": "text", "content": content, "description": content }]);
    serde_json::from_value(result).unwrap()
}

pub async fn what_a_node_made_is_found_by_its_id(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[agent_node("write", "planner"), agent_node("send", "planner")]);
    let run = world.start_plan("site", &draft).await;
    world.submit(run, "write", made("notes", "first")).await.unwrap();
    world.submit(run, "send", failed("no")).await.unwrap();
    let restart = Steer::Restart {
        node: "write".to_owned(),
        downstream: false,
        repeat_effects: false,
        discard_edits: false,
    };
    world.steer(run, restart).await.unwrap();
    world.submit(run, "write", made("notes", "second")).await.unwrap();

    let artifacts = world.graph(run).await.artifacts;

    let seen: Vec<_> = artifacts.iter().map(|it| (it.version, it.status)).collect();
    assert_eq!(seen, [(1, ArtifactStatus::Superseded), (2, ArtifactStatus::Current)]);
    for artifact in artifacts {
        let found = world.store.resolve_id(world.workspace, &artifact.id.to_string()).await;
        assert_eq!(found.unwrap(), AnyId::Artifact(artifact.id));
        let read = world.store.artifact(world.workspace, artifact.id).await.unwrap();
        assert_eq!(read, artifact);
    }
    let unknown = windlass_core::ArtifactId::mint(crate::start());
    let unknown = world.store.artifact(world.workspace, unknown).await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { what: "artifact", .. }), "{unknown}");
}

/// PostgreSQL has no texts with NUL. What an agent, a tool or a person says is kept all the same, and the same on both databases.
pub async fn texts_with_nul_are_kept_alike(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut draft = chain(&[
        agent_node("write", "planner"),
        human_node("ask", "human-input"),
        agent_node("send", "planner"),
    ]);
    draft["nodes"][2]["completionChecks"] = json!([
        { "type": "field-equals", "target": "state", "value": "done", "description": "it is done" },
    ]);
    let plan = StartPlan { idempotency_key: Some(NUL.to_owned()), ..world.plan("site", &draft) };
    let run = world.store.start_plan(plan.clone()).await.unwrap();
    let again = world.store.start_plan(plan).await.unwrap();
    assert_eq!((again.session, again.is_new), (run.session, false), "the key is known again");
    let run = run.session;

    let first = world.submit(run, "write", made(NUL, NUL)).await.unwrap();
    let repeated = world.submit(run, "write", made(NUL, NUL)).await.unwrap();
    let asked = world.asked().await.remove(0);
    let answer = ApprovalAnswer {
        comments: Some(NUL.to_owned()),
        message_id: Some(NUL.to_owned()),
        ..words(NUL)
    };
    let settled = world.answer(asked.id, answer).await.unwrap();
    let refused =
        world.submit(run, "send", success(&json!({ "state": NUL, NUL: 1 }))).await.unwrap();
    let reason = NUL.to_owned();
    world.steer(run, Steer::Cancel { reason, details: Some(json!({ NUL: NUL })) }).await.unwrap();

    assert!(first.node == NodeStatus::Completed && repeated.is_repeated);
    assert_eq!(refused.node, NodeStatus::Blocked, "{refused:?}");
    let view = world.graph(run).await;
    let artifact = &view.artifacts[0];
    assert_eq!((artifact.name.as_str(), artifact.description.as_deref()), (KEPT, Some(KEPT)));
    assert_eq!(view.attempts[0].notes.as_deref(), Some(KEPT));
    assert_eq!(
        view.nodes[0].output,
        Some(json!({ "text": NUL })),
        "the next node is given it whole"
    );
    assert_eq!(settled.approval.comments.as_deref(), Some(KEPT));
    assert_eq!(settled.approval.message_id.as_deref(), Some(KEPT));
    assert_eq!(view.run.error.as_deref(), Some(KEPT));
    let findings = &view.attempts.last().unwrap().findings;
    assert!(
        findings.iter().all(|it| !it.message.contains('\0') && !it.path.contains('\0')),
        "{findings:?}"
    );
    let details: Vec<&Value> = view.events.iter().map(|entry| &entry.details).collect();
    assert!(!json!(details).to_string().contains("\\u0000"), "the views read it: {details:?}");
}

pub async fn notes_with_nul_are_kept_alike(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let execution = world.execute(world.record(&["hotel"]).await).await;
    let note = AddNote {
        workspace: world.workspace,
        session: execution,
        node: None,
        kind: NoteKind::Action,
        reason: NUL.to_owned(),
        details: json!({ NUL: [NUL] }),
        actor: agent("planner"),
    };
    let entry = world.store.add_note(note).await.unwrap();
    assert_eq!((entry.reason.as_deref(), &entry.details[KEPT]), (Some(KEPT), &json!([KEPT])));
}

pub async fn an_open_plan_keeps_its_effects_and_its_journal(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let append = tool_node("write", "Files.append", &json!({ "n": 1 }));
    let run = world.start_plan("site", &chain(&[append, agent_node("send", "planner")])).await;
    let world = World { workflow: world.workstream("site").await, ..world };
    let claimed = world.take("write").await;
    world.prepare(&claimed, Vec::new()).await.unwrap();
    let mutation = world.begin_as(&claimed, true).await.unwrap();
    world.apply(claimed.claim, mutation).await.unwrap();
    world.commit_node(claimed.claim).await.unwrap();
    let before = world.graph(run).await;
    let ledger = || world.store.all_mutations(world.workspace, world.workflow);

    prune(&world).await;

    assert_eq!(world.graph(run).await, before, "nothing of it is gone");
    assert_eq!(ledger().await.unwrap().len(), 1, "the node may be restarted");
    world.submit(run, "send", success(&json!({}))).await.unwrap();
    prune(&world).await;
    assert_eq!(ledger().await.unwrap(), [], "nobody asks any more");
}
