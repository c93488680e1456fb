//! Plans that agents record and do by themselves.

use serde_json::{Value, json};
use windlass_core::graph::NodeStatus::{Cancelled, Completed, Failed, Pending, Ready, Running};
use windlass_core::graph::{AttemptStatus, GraphStatus};
use windlass_core::{Action, Clock as _, SessionId, SessionResult, WorkflowKind};
use windlass_store::{
    AddNote, ControlWorkflow, DeleteExecutions, GraphFilter, GraphOrder, NoteKind, Steer,
    StoreError, Submission,
};

use crate::world::graphs::{agent, failed, success};
use crate::world::{TestStore, World, seconds};

pub async fn an_execution_goes_step_by_step(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let plan = world.record(&["hotel", "car", "mail"]).await;

    let execution = world.execute(plan).await;

    let view = world.graph(execution).await;
    assert_eq!(view.run.kind, WorkflowKind::Journal);
    assert_eq!((view.run.title.as_str(), view.run.notes.as_deref()), ("a plan", Some("notes")));
    assert_eq!(
        world.progress(execution).await,
        (GraphStatus::Running, vec![Ready, Pending, Pending])
    );
    let too_early = world.begin_node(execution, "mail").await.unwrap_err();
    assert!(matches!(too_early, StoreError::Steer(_)), "{too_early}");
    world.begin_node(execution, "hotel").await.unwrap();
    assert!(world.begin_node(execution, "hotel").await.unwrap().is_repeated);
    assert_eq!(world.progress(execution).await.1, [Running, Pending, Pending]);
    let done = world.submit(execution, "hotel", success(&json!({ "room": 7 }))).await.unwrap();
    assert_eq!((done.node, done.attempt, done.number), (Completed, AttemptStatus::Accepted, 1));
    world.submit(execution, "car", success(&json!({}))).await.unwrap();
    let last = world.submit(execution, "mail", success(&json!({}))).await.unwrap();

    assert_eq!(last.run, GraphStatus::Completed);
    let view = world.graph(execution).await;
    assert_eq!(view.nodes[0].output, Some(json!({ "room": 7 })));
    assert!(view.run.ended_at.is_some());
    let session = world.store.session(world.workspace, execution).await.unwrap();
    assert_eq!(session.result, Some(SessionResult::Completed));
    assert_eq!(
        world.actions(execution).await,
        [
            "run.started",
            "node.started",
            "node.completed",
            "node.started",
            "node.completed",
            "node.started",
            "node.completed",
            "run.completed",
        ]
    );
}

pub async fn a_stop_is_written_down_before_it_stops(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let execution = world.execute(world.record(&["hotel", "car", "mail"]).await).await;
    world.submit(execution, "hotel", success(&json!({}))).await.unwrap();
    world.begin_node(execution, "car").await.unwrap();

    let stopped = world.cancel_graph(execution).await;

    assert!(stopped.has_changed);
    assert_eq!(
        world.progress(execution).await,
        (GraphStatus::Aborted, vec![Completed, Cancelled, Cancelled])
    );
    let actions = world.actions(execution).await;
    assert_eq!(actions[actions.len() - 2..], ["decision.recorded", "run.cancelled"]);
    let late = world.submit(execution, "car", success(&json!({}))).await.unwrap_err();
    assert!(late.to_string().contains("over"), "{late}");
    assert!(!world.cancel_graph(execution).await.has_changed, "what is over stays as it is");
    assert_eq!(world.actions(execution).await.len(), actions.len() + 1, "and the decision is kept");
    assert_eq!(world.progress(execution).await.0, GraphStatus::Aborted);
}

pub async fn a_step_that_fails_ends_its_execution(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let execution = world.execute(world.record(&["hotel", "car"]).await).await;

    let answer = world.submit(execution, "hotel", failed("no rooms")).await.unwrap();

    assert_eq!((answer.node, answer.run), (Failed, GraphStatus::Failed));
    assert_eq!(world.progress(execution).await.1, [Failed, Cancelled]);
    let view = world.graph(execution).await;
    assert_eq!(view.attempts[0].failure_message.as_deref(), Some("no rooms"));
    assert_eq!(
        world.actions(execution).await,
        ["run.started", "node.started", "node.failed", "run.failed"]
    );
}

pub async fn notes_change_nothing_and_come_after_the_end_too(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let execution = world.execute(world.record(&["hotel", "car"]).await).await;
    world.submit(execution, "hotel", success(&json!({}))).await.unwrap();
    world.cancel_graph(execution).await;
    let before = world.progress(execution).await;
    let note = |node: Option<&str>| AddNote {
        workspace: world.workspace,
        session: execution,
        node: node.map(str::to_owned),
        kind: NoteKind::Action,
        reason: "cancelled the room".to_owned(),
        details: json!({ "type": "rolled_back" }),
        actor: agent("planner"),
    };

    let entry = world.store.add_note(note(Some("hotel"))).await.unwrap();
    let unknown = world.store.add_note(note(Some("train"))).await.unwrap_err();

    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("action.taken", "agent:planner"));
    assert_eq!(entry.details["nodeId"], "hotel");
    assert_eq!(entry.details["type"], "rolled_back");
    assert!(matches!(unknown, StoreError::NotFound { what: "node", .. }), "{unknown}");
    assert_eq!(world.progress(execution).await, before);
}

pub async fn a_recorded_plan_has_many_executions_and_is_not_listed_as_a_workflow(
    test_store: TestStore,
) {
    let world = World::empty(test_store).await;
    let plan = world.record(&["hotel"]).await;
    let (first, second) = (world.execute(plan).await, world.execute(plan).await);
    world.submit(first, "hotel", success(&json!({}))).await.unwrap();

    let filter = GraphFilter {
        workspace: world.workspace,
        kind: WorkflowKind::Journal,
        workflow: None,
        statuses: Vec::new(),
        order: GraphOrder::Begun,
        limit: 1,
        offset: 0,
    };
    let all = world.store.graphs(filter.clone()).await.unwrap();
    let running = GraphFilter { statuses: vec![GraphStatus::Running], ..filter };
    let running = world.store.graphs(running).await.unwrap();

    assert_eq!((all.total, all.runs.len()), (2, 1), "the total does not depend on the page");
    let ids = |runs: &windlass_store::GraphRuns| -> Vec<SessionId> {
        runs.runs.iter().map(|run| run.id).collect()
    };
    assert_eq!((running.total, ids(&running)), (1, vec![second]));
    assert_eq!(world.store.all_workflows(world.workspace).await.unwrap(), []);
    let version = world.store.graph_version(world.workspace, plan).await.unwrap();
    assert_eq!((version.title.as_str(), version.graph.nodes.len()), ("a plan", 1));
}

pub async fn a_recorded_plan_is_not_paused(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let execution = world.execute(world.record(&["hotel"]).await).await;
    let workflow = world.graph(execution).await.run.workflow_id;

    for action in Action::ALL.iter().copied() {
        let actor = "ann".to_owned();
        let params = ControlWorkflow { workspace: world.workspace, workflow, action, actor };
        let refused = world.store.control_workflow(params).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotNow { .. }), "{action}: {refused}");
    }
    let resumed = world.steer(execution, Steer::Resume { force: true }).await.unwrap();
    assert!(!resumed.has_changed);
    assert_eq!(world.progress(execution).await.1, [Ready]);
}

pub async fn another_agent_does_not_report_its_steps(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let execution = world.execute(world.record(&["hotel"]).await).await;

    let stranger = world.submit_as(&agent("stranger"), execution, "hotel", Submission::Begin).await;

    let refused = stranger.unwrap_err();
    assert!(refused.to_string().contains("only its owner or the lead"), "{refused}");
    let unknown = world.begin_node(execution, "train").await.unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { what: "node", .. }), "{unknown}");
}

pub async fn only_executions_that_are_over_are_deleted(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let (done, orphan) = (world.record(&["hotel"]).await, world.record(&["car"]).await);
    let over = world.execute(done).await;
    world.submit(over, "hotel", success(&json!({}))).await.unwrap();
    let open = world.execute(done).await;
    world.advance(seconds(100));
    let delete = |is_dry_run| DeleteExecutions {
        workspace: world.workspace,
        statuses: vec![GraphStatus::Completed, GraphStatus::Running],
        orphaned_plans: true,
        ended_before: world.clock.now(),
        is_dry_run,
        limit: 10,
    };

    let would = world.store.delete_executions(delete(true)).await.unwrap();
    let still = world.progress(over).await;
    let deleted = world.store.delete_executions(delete(false)).await.unwrap();

    assert_eq!(
        (would.executions.as_slice(), would.plans.as_slice()),
        ([over].as_slice(), [orphan].as_slice())
    );
    assert_eq!(still.0, GraphStatus::Completed, "a dry run deletes nothing");
    assert_eq!(deleted, would);
    assert_eq!(world.progress(open).await.0, GraphStatus::Running);
    let gone = world.steer(over, Steer::Resume { force: false }).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    assert!(world.store.graph_version(world.workspace, orphan).await.is_err());
    assert!(
        world.store.graph_version(world.workspace, done).await.is_ok(),
        "its execution is open"
    );
}

pub async fn executions_are_listed_by_their_beginning_their_last_change_or_their_end(
    test_store: TestStore,
) {
    let world = World::empty(test_store).await;
    let plan = world.record(&["hotel", "flight"]).await;
    let mut executions = Vec::new();
    for _ in 0..4 {
        executions.push(world.execute(plan).await);
        world.advance(seconds(1));
    }
    // The second ends before the first, and the third changes after both. The last one is left alone.
    for nth in [1, 0] {
        for step in ["hotel", "flight"] {
            world.submit(executions[nth], step, success(&json!({}))).await.unwrap();
        }
        world.advance(seconds(1));
    }
    world.begin_node(executions[2], "hotel").await.unwrap();

    let listed = async |order, statuses: &[GraphStatus], offset| {
        let filter = GraphFilter {
            workspace: world.workspace,
            kind: WorkflowKind::Journal,
            workflow: None,
            statuses: statuses.to_vec(),
            order,
            limit: 2,
            offset,
        };
        let listed = world.store.graphs(filter).await.unwrap();
        let place = |id| executions.iter().position(|it| *it == id).unwrap();
        let places: Vec<usize> = listed.runs.iter().map(|run| place(run.id)).collect();
        (listed.total, places)
    };

    assert_eq!(listed(GraphOrder::Begun, &[], 0).await, (4, vec![3, 2]));
    assert_eq!(listed(GraphOrder::Begun, &[], 2).await, (4, vec![1, 0]));
    assert_eq!(listed(GraphOrder::Changed, &[], 0).await, (4, vec![2, 0]));
    assert_eq!(listed(GraphOrder::Changed, &[], 2).await, (4, vec![1, 3]));
    assert_eq!(listed(GraphOrder::Ended, &[], 0).await, (4, vec![0, 1]));
    assert_eq!(listed(GraphOrder::Ended, &[], 2).await, (4, vec![3, 2]), "they are under way");
    let completed = [GraphStatus::Completed];
    assert_eq!(listed(GraphOrder::Ended, &completed, 0).await, (2, vec![0, 1]));
    assert_eq!(listed(GraphOrder::Ended, &completed, 1).await, (2, vec![1]));
    // What is noted later changes an execution, and ends it no later.
    let note = AddNote {
        workspace: world.workspace,
        session: executions[1],
        node: None,
        kind: NoteKind::Decision,
        reason: "go on".to_owned(),
        details: Value::Null,
        actor: agent("planner"),
    };
    world.store.add_note(note).await.unwrap();
    assert_eq!(listed(GraphOrder::Ended, &completed, 0).await.1, [0, 1]);
    assert_eq!(listed(GraphOrder::Changed, &completed, 0).await.1, [1, 0]);
}
