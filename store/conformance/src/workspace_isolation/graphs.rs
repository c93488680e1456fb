//! Plans, recorded plans and approvals of one workspace, tried from another.

use serde_json::json;
use windlass_core::graph::GraphStatus;
use windlass_core::{Clock as _, Grant, ScriptId, WorkflowKind};
use windlass_store::{
    AddNote, ApprovalFilter, CommitNode, DeleteExecutions, GraphFilter, GraphIncludes, GraphOrder,
    GraphSelector, NoteKind, Page, RecordPlan, SetWorkspace, SettleApproval, StartExecution, Steer,
    SteerGraph,
};

use crate::isolation::{TwoWorkspaces, claim_as_named_by};
use crate::world::graphs::{
    ada, agent, agent_node, chain, graph_text, human_node, success, tool_node, ungranted, yes,
};
use crate::world::{World, seconds};

/// Tries every method about graphs.
pub(super) async fn nothing_of_graphs_is_seen_or_changed(both: &TwoWorkspaces) {
    recorded(both).await;
    plan(both).await;
    tool(both).await;
    settings(both).await;
}

async fn recorded(both: &TwoWorkspaces) {
    let draft = chain(&[agent_node("hotel", "planner")]);
    let record = async |world: &World| {
        let (workspace, text) = (world.workspace, graph_text(&draft));
        world.store.record_plan(RecordPlan { workspace, text, actor: agent("planner") }).await
    };
    let (theirs, plan) =
        (record(&both.outside).await.unwrap().plan, record(&both.inside).await.unwrap().plan);
    let version = async |world: &World| world.store.graph_version(world.workspace, plan).await;
    both.refused_outside(version).await;
    let start = async |world: &World| {
        let (workspace, actor) = (world.workspace, agent("planner"));
        world.store.start_execution(StartExecution { workspace, plan, notes: None, actor }).await
    };
    let session = both.refused_outside(start).await.session;
    let submit = async |world: &World| world.submit(session, "hotel", success(&json!({}))).await;
    both.refused_outside(submit).await;
    let note = async |world: &World| {
        let params = AddNote {
            workspace: world.workspace,
            session,
            node: None,
            kind: NoteKind::Action,
            reason: "done".to_owned(),
            details: json!({}),
            actor: agent("planner"),
        };
        world.store.add_note(params).await
    };
    both.refused_outside(note).await;
    let listed = async |world: &World| {
        let filter = GraphFilter {
            workspace: world.workspace,
            kind: WorkflowKind::Journal,
            workflow: None,
            statuses: Vec::new(),
            order: GraphOrder::Begun,
            limit: 10,
            offset: 0,
        };
        world.store.graphs(filter).await.map(|listed| listed.total)
    };
    both.empty_outside(listed).await;
    delete(both, theirs, plan).await;
}

async fn delete(both: &TwoWorkspaces, theirs: ScriptId, ours: ScriptId) {
    both.inside.advance(seconds(10));
    let delete = async |world: &World| {
        let params = DeleteExecutions {
            workspace: world.workspace,
            statuses: vec![GraphStatus::Completed],
            orphaned_plans: true,
            ended_before: world.clock.now(),
            is_dry_run: false,
            limit: 10,
        };
        world.store.delete_executions(params).await
    };

    let outside = delete(&both.outside).await.unwrap();
    assert_eq!((outside.executions.len(), outside.plans), (0, vec![theirs]));
    assert!(both.inside.store.graph_version(both.inside.workspace, ours).await.is_ok());
    assert_eq!(delete(&both.inside).await.unwrap().executions.len(), 1);
}

async fn plan(both: &TwoWorkspaces) {
    let draft = chain(&[human_node("ask", "human-approval"), agent_node("send", "planner")]);
    let start = async |world: &World| world.store.start_plan(world.plan("site", &draft)).await;
    let theirs = start(&both.outside).await.unwrap();
    let session = start(&both.inside).await.unwrap().session;
    assert_ne!(theirs.session, session, "the same name is another workstream there");
    let view = async |world: &World| {
        let which = GraphSelector::Session(session);
        world.store.graph(world.workspace, which, GraphIncludes::default()).await
    };
    assert_eq!(view(&both.outside).await.unwrap(), None);
    assert!(view(&both.inside).await.unwrap().is_some());
    let asked = async |world: &World| {
        let filter = ApprovalFilter {
            workspace: world.workspace,
            session: Some(session),
            only_pending: true,
        };
        Ok(world.store.approvals(filter, Page::first(10)).await?.items)
    };
    let approval = both.empty_outside(asked).await.remove(0).id;
    both.refused_outside(async |world| world.store.approval(world.workspace, approval).await).await;
    let answer = async |world: &World| {
        let params =
            SettleApproval { workspace: world.workspace, approval, answer: yes(), actor: ada() };
        world.store.settle_approval(params).await
    };
    both.refused_outside(answer).await;
    let cancel = async |world: &World| {
        let params = SteerGraph {
            workspace: world.workspace,
            session,
            action: Steer::Cancel { reason: "over".to_owned(), details: None },
            actor: ada(),
        };
        world.store.steer_graph(params).await
    };
    both.refused_outside(cancel).await;
    made(both).await;
}

async fn made(both: &TwoWorkspaces) {
    let (inside, draft) = (&both.inside, chain(&[agent_node("write", "planner")]));
    let run = inside.start_plan("made", &draft).await;
    let mut result = success(&json!({}));
    let notes = json!([{ "name": "notes", "kind": "text", "content": "x" }]);
    result.artifacts = serde_json::from_value(notes).unwrap();
    inside.submit(run, "write", result).await.unwrap();
    let artifact = inside.graph(run).await.artifacts.remove(0).id;
    both.refused_outside(async |world| world.store.artifact(world.workspace, artifact).await).await;
}

async fn tool(both: &TwoWorkspaces) {
    let draft = chain(&[tool_node("write", "Files.append", &json!({ "n": 1 }))]);
    let inside = &both.inside;
    inside.store.start_plan(inside.plan("tools", &draft)).await.unwrap();
    let inside = World { workflow: inside.workstream("tools").await, ..inside.clone() };
    let run = inside.take("write").await;
    inside.prepare(&run, Vec::new()).await.unwrap();
    let commit = async |world: &World| {
        let params = CommitNode {
            claim: claim_as_named_by(world, &run),
            result: success(&json!({})),
            leaves_traces: false,
            logs: Vec::new(),
        };
        world.store.commit_node(params).await
    };
    both.refused_outside(commit).await;
}

async fn settings(both: &TwoWorkspaces) {
    let granted = async |world: &World| world.store.plan_grant(world.workspace).await.unwrap();
    let grant: Grant = [windlass_core::Capability::tool("Files", "append")].into_iter().collect();
    let (outside, inside) = (&both.outside, &both.inside);

    let params = |workspace| SetWorkspace { workspace, plan_grant: grant.clone(), actor: ada() };
    outside.store.set_workspace(params(outside.workspace)).await.unwrap();

    assert_eq!((granted(outside).await, granted(inside).await), (grant.clone(), Grant::default()));
    let draft = chain(&[tool_node("write", "Files.append", &json!({ "n": 1 }))]);
    let held = inside.store.start_plan(ungranted(inside.plan("held", &draft))).await.unwrap();
    inside.cancel_graph(held.session).await;
}
