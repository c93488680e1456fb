//! Plans of agents, people and tools.

use serde_json::{Value, json};
use windlass_core::graph::NodeStatus::{
    AwaitingHuman, Blocked, Cancelled, Completed, Pending, Ready, Running, Skipped,
};
use windlass_core::graph::{
    ArtifactStatus, AttemptStatus, FindingCode, GraphStatus, NodeFailureClass, NodeResult,
};
use windlass_core::{
    Action, ApprovalKind, ApprovalStatus, Clock as _, FailureClass, HandlerKind, Phase,
    ResolutionKind, SessionResult,
};
use windlass_store::{
    CommitNode, GraphIncludes, GraphSelector, NotificationKind, Page, Replaced, SettleApproval,
    StartPlan, Steer, StoreError,
};

use crate::world::graphs::{
    agent, agent_node, chain, failed, human_node, no, success, tool_node, ungranted, words, yes,
};
use crate::world::{TestStore, World, seconds};

fn two_steps() -> Value {
    chain(&[agent_node("draft", "planner"), agent_node("send", "planner")])
}

fn with_artifact(content: &str) -> NodeResult {
    let mut result = success(&json!({}));
    result.artifacts = serde_json::from_value(json!([
        { "name": "notes", "kind": "markdown", "content": content },
    ]))
    .unwrap();
    result
}

pub async fn a_plan_begins_with_its_journal_and_a_checkpoint(test_store: TestStore) {
    let world = World::empty(test_store).await;

    let run = world.start_plan("site", &two_steps()).await;

    let view = world.graph(run).await;
    assert_eq!((view.run.workflow.as_str(), view.run.version), ("site", (1, 0)));
    assert_eq!(view.run.lead, "agent:planner");
    assert_eq!(world.progress(run).await, (GraphStatus::Running, vec![Running, Pending]));
    assert_eq!(world.actions(run).await, ["node.started", "plan.created"]);
    let created = &view.events[1];
    assert_eq!(
        (created.actor.as_str(), &created.details["nodeCount"]),
        ("agent:planner", &json!(2))
    );
    let checkpoint = &view.checkpoints[0].details;
    assert_eq!(view.checkpoints.len(), 1);
    assert_eq!(
        (&checkpoint["sequence"], &checkpoint["reason"]),
        (&json!(1), &json!("plan-created"))
    );
    assert_eq!(checkpoint["activeNodeIds"], json!(["draft"]));
    assert_eq!(checkpoint["snapshot"]["currentNodeId"], "draft");
}

pub async fn a_workstream_has_one_active_run(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let run = world.start_plan("site", &two_steps()).await;

    let again = world.store.start_plan(world.plan("site", &two_steps())).await.unwrap_err();
    let elsewhere = world.store.start_plan(world.plan("blog", &two_steps())).await;
    let none = world.store.start_plan(world.replacement("shop", &two_steps())).await.unwrap_err();

    assert!(again.to_string().contains("already active"), "{again}");
    assert!(elsewhere.is_ok());
    assert!(none.to_string().contains("no plan run is active"), "{none}");
    world.submit(run, "draft", success(&json!({}))).await.unwrap();
    world.submit(run, "send", success(&json!({}))).await.unwrap();
    let next = world.start_plan("site", &two_steps()).await;
    assert_eq!(world.graph(next).await.run.version, (2, 0), "a new plan counts the first number");
}

pub async fn a_replacement_takes_over_what_is_done(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let first = world.start_plan("site", &two_steps()).await;
    world.submit(first, "draft", success(&json!({ "text": "hello" }))).await.unwrap();
    let three = chain(&[
        agent_node("draft", "planner"),
        agent_node("check", "planner"),
        agent_node("send", "planner"),
    ]);
    let stale = StartPlan {
        replaces: Some(Replaced {
            run: Some(windlass_core::Id::mint(crate::start())),
            reason: "late".to_owned(),
            is_fresh: false,
        }),
        ..world.plan("site", &three)
    };

    let refused = world.store.start_plan(stale).await.unwrap_err();
    let second = world.store.start_plan(world.replacement("site", &three)).await.unwrap().session;

    assert!(refused.to_string().contains("only the active plan run may be replaced"), "{refused}");
    let old = world.graph(first).await;
    assert_eq!(world.progress(first).await, (GraphStatus::Aborted, vec![Completed, Cancelled]));
    assert_eq!(
        world.store.session(world.workspace, first).await.unwrap().result,
        Some(SessionResult::Cancelled)
    );
    let new = world.graph(second).await;
    assert_eq!((new.run.version, new.run.follows_id), ((1, 1), Some(first)));
    assert_eq!(
        world.progress(second).await,
        (GraphStatus::Running, vec![Completed, Running, Pending])
    );
    assert_eq!(new.nodes[0].output, Some(json!({ "text": "hello" })));
    assert_eq!(new.nodes[0].carried_from, Some(old.nodes[0].id));
    assert_eq!(
        new.nodes[1].input,
        Some(json!({ "text": "hello" })),
        "and the next node is given it"
    );
    assert!(world.actions(second).await.contains(&"plan.replaced".to_owned()));
    let active = GraphSelector::Active(world.workstream("site").await);
    let active = world.store.graph(world.workspace, active, Default::default()).await.unwrap();
    assert_eq!(active.map(|view| view.run.id), Some(second));
}

pub async fn a_repeated_key_returns_its_run(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let with_key = |plan: StartPlan| StartPlan { idempotency_key: Some("once".to_owned()), ..plan };

    let first = world.store.start_plan(with_key(world.plan("site", &two_steps()))).await.unwrap();
    let again = world.store.start_plan(with_key(world.plan("site", &two_steps()))).await.unwrap();

    assert!(first.is_new && !again.is_new);
    assert_eq!(first.session, again.session);
}

pub async fn a_result_is_judged_once_and_answered_the_same_again(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut draft = two_steps();
    draft["nodes"][0]["deliverables"] =
        json!([{ "name": "notes", "kind": "markdown", "required": true }]);
    draft["nodes"][0]["retryPolicy"] =
        json!({ "maxAttempts": 2, "retryOn": ["validation-failed"] });
    let run = world.start_plan("site", &draft).await;

    let rejected = world.submit(run, "draft", success(&json!({}))).await.unwrap();
    let accepted = world.submit(run, "draft", with_artifact("# Notes")).await.unwrap();
    let repeated = world.submit(run, "draft", with_artifact("# Notes")).await.unwrap();
    let other = world.submit(run, "draft", with_artifact("# Other")).await.unwrap_err();

    assert_eq!(
        (rejected.attempt, rejected.number, rejected.node),
        (AttemptStatus::Rejected, 1, Running)
    );
    assert!(rejected.findings.iter().any(|it| it.code == FindingCode::DeliverableMissing));
    assert_eq!(
        (accepted.attempt, accepted.number, accepted.is_repeated),
        (AttemptStatus::Accepted, 2, false)
    );
    assert_eq!(
        (repeated.attempt, repeated.number, repeated.is_repeated),
        (AttemptStatus::Accepted, 2, true)
    );
    assert!(matches!(other, StoreError::Steer(_)), "{other}");
    let view = world.graph(run).await;
    assert_eq!(
        view.attempts.iter().map(|it| it.status).collect::<Vec<_>>(),
        [AttemptStatus::Rejected, AttemptStatus::Accepted, AttemptStatus::Running]
    );
    assert_eq!(view.artifacts.len(), 1);
    assert_eq!(
        (view.artifacts[0].version, view.artifacts[0].content.clone()),
        (1, Some(json!("# Notes")))
    );
    let with_artifact: Vec<_> =
        view.checkpoints.iter().filter(|it| it.details["artifactIds"] != json!([])).collect();
    assert_eq!(with_artifact.len(), 1, "an artifact is in one checkpoint");
}

pub async fn a_person_approves_what_was_shown(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[
        agent_node("draft", "planner"),
        human_node("review", "human-approval"),
        agent_node("send", "planner"),
    ]);
    let run = world.start_plan("site", &draft).await;
    world.submit(run, "draft", with_artifact("# Notes")).await.unwrap();

    let asked = world.asked().await.remove(0);

    assert_eq!(
        (asked.kind, asked.node_id.as_deref()),
        (ApprovalKind::HumanApproval, Some("review"))
    );
    assert_eq!(asked.presented["artifacts"][0]["content"], "# Notes");
    assert_eq!(
        world.progress(run).await,
        (GraphStatus::AwaitingHuman, vec![Completed, AwaitingHuman, Pending])
    );
    let notified = world.store.notifications(world.workspace, Page::first(10)).await.unwrap().items;
    assert_eq!(
        (notified[0].kind, notified[0].resolved_at),
        (NotificationKind::ApprovalRequested, None)
    );
    let by_agent = SettleApproval {
        workspace: world.workspace,
        approval: asked.id,
        answer: yes(),
        actor: agent("planner"),
    };
    let refused = world.store.settle_approval(by_agent).await.unwrap_err();
    assert!(refused.to_string().contains("only a person"), "{refused}");
    let in_words = world.answer(asked.id, words("yes")).await.unwrap_err();
    assert!(matches!(in_words, StoreError::Answer(_)), "{in_words}");
    let seen_before =
        windlass_core::ApprovalAnswer { presented_digest: Some("other".to_owned()), ..yes() };
    assert!(world.answer(asked.id, seen_before).await.is_err());
    assert_eq!(world.progress(run).await.1[1], AwaitingHuman, "nothing of that changed anything");

    let settled = world.answer(asked.id, yes()).await.unwrap();
    let late = world.answer(asked.id, no(&[])).await.unwrap();

    assert!(settled.is_settled_now && !late.is_settled_now);
    assert_eq!(
        (settled.approval.status, late.approval.status),
        (ApprovalStatus::Approved, ApprovalStatus::Approved)
    );
    assert_eq!(settled.approval.responded_by.as_deref(), Some("user:ada"));
    assert_eq!(
        world.progress(run).await,
        (GraphStatus::Running, vec![Completed, Completed, Running])
    );
    let notified = world.store.notifications(world.workspace, Page::first(10)).await.unwrap().items;
    assert!(notified[0].resolved_at.is_some());
}

pub async fn a_refusal_with_edits_opens_the_work_before_it(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[agent_node("draft", "planner"), human_node("review", "human-approval")]);
    let run = world.start_plan("site", &draft).await;
    world.submit(run, "draft", with_artifact("long")).await.unwrap();
    let asked = world.asked().await.remove(0);

    let settled = world.answer(asked.id, no(&["shorter"])).await.unwrap();

    assert_eq!(settled.approval.status, ApprovalStatus::ChangesRequested);
    assert_eq!(world.progress(run).await, (GraphStatus::Running, vec![Running, Pending]));
    let view = world.graph(run).await;
    assert_eq!(view.nodes[0].input.as_ref().unwrap()["requiredEdits"], json!(["shorter"]));
    world.submit(run, "draft", with_artifact("short")).await.unwrap();
    let view = world.graph(run).await;
    let versions: Vec<_> = view.artifacts.iter().map(|it| (it.version, it.status)).collect();
    assert_eq!(versions, [(1, ArtifactStatus::Superseded), (2, ArtifactStatus::Current)]);
    let again = world.asked().await.remove(0);
    assert_ne!(again.presented_digest, asked.presented_digest);
    world.answer(again.id, yes()).await.unwrap();
    assert_eq!(world.progress(run).await.0, GraphStatus::Completed);
}

pub async fn people_give_edit_and_choose_in_words(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut draft = chain(&[
        agent_node("draft", "planner"),
        human_node("edit", "human-review-edit"),
        human_node("choose", "human-decision"),
        agent_node("ship", "planner"),
        agent_node("drop", "planner"),
    ]);
    draft["edges"] = json!([
        { "from": "draft", "to": "edit" }, { "from": "edit", "to": "choose" },
        { "from": "choose", "to": "ship", "when": { "path": "output.responseText", "op": "eq", "value": "ship" } },
        { "from": "choose", "to": "drop", "default": true },
    ]);
    let run = world.start_plan("site", &draft).await;
    world.submit(run, "draft", with_artifact("mine")).await.unwrap();

    let edit = world.asked().await.remove(0);
    assert!(world.answer(edit.id, words("  ")).await.is_err(), "nothing is no answer");
    world.answer(edit.id, words("better")).await.unwrap();
    let choose = world.asked().await.remove(0);
    world.answer(choose.id, words("no")).await.unwrap();

    let view = world.graph(run).await;
    let edited = view.artifacts.last().unwrap();
    assert_eq!(
        (edited.name.as_str(), edited.version, edited.created_by.as_str()),
        ("notes", 2, "user:ada")
    );
    assert_eq!(edited.content, Some(json!("better")));
    assert_eq!(world.progress(run).await.1, [Completed, Completed, Completed, Skipped, Running]);
    let restart = |discard_edits| Steer::Restart {
        node: "draft".to_owned(),
        downstream: true,
        repeat_effects: false,
        discard_edits,
    };
    let busy = world.steer(run, restart(true)).await.unwrap_err();
    assert!(busy.to_string().contains("is at work"), "{busy}");
    world.submit(run, "drop", failed("cannot")).await.unwrap();
    let edits = world.steer(run, restart(false)).await.unwrap_err();
    assert!(edits.to_string().contains("people edited"), "{edits}");
    world.steer(run, restart(true)).await.unwrap();
    assert_eq!(world.progress(run).await.1, [Running, Pending, Pending, Pending, Pending]);
    let view = world.graph(run).await;
    assert!(view.artifacts.iter().all(|it| it.status == ArtifactStatus::Superseded));
}

pub async fn a_plan_that_was_granted_nothing_waits_to_be_let_start(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft =
        chain(&[tool_node("write", "Files.append", &json!({ "path": "a.txt", "text": "x" }))]);
    let held = world.store.start_plan(ungranted(world.plan("site", &draft))).await.unwrap().session;

    let asked = world.asked().await.remove(0);

    assert_eq!((asked.kind, asked.node_id.clone()), (ApprovalKind::Start, None));
    assert_eq!(asked.presented["notGranted"], json!(["Files.append"]));
    assert_eq!(world.progress(held).await, (GraphStatus::AwaitingHuman, vec![Ready]));
    assert_eq!(world.claim().await, None);
    world.answer(asked.id, yes()).await.unwrap();
    assert_eq!(world.progress(held).await, (GraphStatus::Running, vec![Running]));
    let other =
        world.store.start_plan(ungranted(world.plan("blog", &draft))).await.unwrap().session;
    let asked = world.asked().await.remove(0);
    world.answer(asked.id, no(&[])).await.unwrap();
    assert_eq!(world.progress(other).await, (GraphStatus::Aborted, vec![Cancelled]));
}

pub async fn a_cancelled_run_leaves_nothing_open(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut draft = chain(&[]);
    draft["nodes"] = json!([
        human_node("ask", "human-input"),
        agent_node("draft", "planner"),
        tool_node("write", "Files.append", &json!({ "path": "a.txt", "text": "x" })),
    ]);
    draft["maxParallel"] = json!(3);
    let run = world.start_plan("site", &draft).await;
    let asked = world.asked().await.remove(0);

    world.cancel_graph(run).await;

    assert_eq!(world.progress(run).await, (GraphStatus::Aborted, vec![Cancelled; 3]));
    assert_eq!(world.asked().await, []);
    assert_eq!(world.claim().await, None, "its queued run is withdrawn");
    let late = world.answer(asked.id, words("hello")).await.unwrap();
    assert_eq!((late.is_settled_now, late.approval.status), (false, ApprovalStatus::Cancelled));
    let view = world.graph(run).await;
    assert!(view.attempts.iter().all(|it| it.status == AttemptStatus::Cancelled));
    let notified = world.store.notifications(world.workspace, Page::first(10)).await.unwrap().items;
    assert!(notified.iter().all(|it| it.resolved_at.is_some()));
}

pub async fn a_blocked_node_is_told_and_resumed(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let run = world.start_plan("site", &two_steps()).await;

    let answer = world.submit(run, "draft", failed("no paper")).await.unwrap();

    assert_eq!((answer.node, answer.run), (Blocked, GraphStatus::Blocked));
    let view = world.graph(run).await;
    assert_eq!(view.nodes[0].blocked_reason.as_deref(), Some("no paper"));
    assert_eq!(view.run.failure_count, 1);
    let notified = world.store.notifications(world.workspace, Page::first(10)).await.unwrap().items;
    assert_eq!(
        (notified[0].kind, notified[0].body.as_str()),
        (NotificationKind::Error, "no paper")
    );
    assert!(world.steer(run, Steer::Resume { force: false }).await.unwrap().has_changed);
    assert!(
        !world.steer(run, Steer::Resume { force: false }).await.unwrap().has_changed,
        "there is nothing left to resume"
    );
    assert_eq!(world.progress(run).await, (GraphStatus::Running, vec![Running, Pending]));
    assert_eq!(world.graph(run).await.run.failure_count, 0);
    let notified = world.store.notifications(world.workspace, Page::first(10)).await.unwrap().items;
    assert!(notified[0].resolved_at.is_some());
}

pub async fn a_paused_workstream_begins_nothing(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let run = world.start_plan("site", &two_steps()).await;
    let world = World { workflow: world.workstream("site").await, ..world };

    world.control(Action::Pause).await.unwrap();
    world.submit(run, "draft", success(&json!({}))).await.unwrap();
    let paused = world.progress(run).await;
    world.control(Action::Resume).await.unwrap();

    assert_eq!(paused.1, [Completed, Ready]);
    assert_eq!(world.progress(run).await.1, [Completed, Running]);
}

pub async fn a_question_expires_when_its_time_is_over(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut draft = chain(&[human_node("ask", "human-input"), agent_node("send", "planner")]);
    draft["nodes"][0]["timeoutMs"] = json!(60_000);
    draft["nodes"][0]["failurePolicy"] = json!([{ "on": "timeout", "action": "skip-node" }]);
    let run = world.start_plan("site", &draft).await;
    let asked = world.asked().await.remove(0);
    assert!(world.next_due().await.is_some());

    world.advance(seconds(61));
    world.store.enqueue_due(10).await.unwrap();

    assert_eq!(world.progress(run).await, (GraphStatus::Completed, vec![Skipped, Skipped]));
    let approval = world.store.approval(world.workspace, asked.id).await.unwrap();
    assert_eq!(approval.status, ApprovalStatus::Expired);
}

pub async fn a_run_whose_time_is_over_has_failed(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let deadline_at = Some(world.clock.now().after(seconds(60)));
    let plan = StartPlan { deadline_at, ..world.plan("site", &two_steps()) };
    let run = world.store.start_plan(plan).await.unwrap().session;
    world.advance(seconds(59));
    world.store.enqueue_due(10).await.unwrap();
    assert_eq!(world.progress(run).await, (GraphStatus::Running, vec![Running, Pending]));

    world.advance(seconds(1));
    world.store.enqueue_due(10).await.unwrap();

    assert_eq!(world.progress(run).await, (GraphStatus::Failed, vec![Cancelled, Cancelled]));
    assert!(world.graph(run).await.run.error.is_some());
    assert!(world.submit(run, "draft", success(&json!({}))).await.is_err(), "it is over");
}

pub async fn a_name_belongs_to_a_script_or_to_plans(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.start_plan("site", &two_steps()).await;

    let plan = world.store.start_plan(world.plan("mail", &two_steps())).await.unwrap_err();
    let site = World { workflow: world.workstream("site").await, ..world.clone() };
    let session = site.start_session().await.unwrap_err();

    assert!(plan.to_string().contains("is no workstream of plans"), "{plan}");
    assert!(session.to_string().contains("is no script"), "{session}");
}

pub async fn a_tool_node_is_run_by_a_worker_with_its_effect_in_the_ledger(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let input = json!({ "path": "a.txt", "text": "x" });
    let draft = chain(&[tool_node("write", "Files.append", &input), agent_node("send", "planner")]);
    let run = world.start_plan("site", &draft).await;
    let world = World { workflow: world.workstream("site").await, ..world };

    let claimed = world.take("write").await;
    assert_eq!((claimed.state.kind, claimed.session), (HandlerKind::Node, run));
    assert_eq!(claimed.input_state, Some(input));
    assert_eq!(world.claim().await, None, "one node is at work");
    world.prepare(&claimed, Vec::new()).await.unwrap();
    let mutation = world.begin_as(&claimed, true).await.unwrap();
    world.apply(claimed.claim, mutation).await.unwrap();
    let commit = CommitNode {
        claim: claimed.claim,
        result: success(&json!({ "bytes": 1 })),
        leaves_traces: true,
        logs: Vec::new(),
    };
    world.store.commit_node(commit.clone()).await.unwrap();
    world.store.commit_node(commit).await.unwrap();

    assert_eq!(world.progress(run).await, (GraphStatus::Running, vec![Completed, Running]));
    let view = world.graph(run).await;
    assert_eq!(view.nodes[0].output, Some(json!({ "bytes": 1 })));
    assert_eq!(
        (view.attempts[0].status, view.attempts[0].handler_run_id),
        (AttemptStatus::Accepted, Some(claimed.claim.run))
    );
    let session = world.store.session(world.workspace, run).await.unwrap();
    assert_eq!(session.handler_run_count, 1);
    let refused = world.submit(run, "write", success(&json!({}))).await.unwrap_err();
    assert!(refused.to_string().contains("only its owner"), "{refused}");
}

pub async fn a_lost_answer_blocks_its_node_until_it_is_settled(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut draft = chain(&[]);
    draft["nodes"] = json!([
        tool_node("one", "Files.append", &json!({ "n": 1 })),
        tool_node("two", "Files.append", &json!({ "n": 2 }))
    ]);
    draft["maxParallel"] = json!(2);
    let run = world.start_plan("site", &draft).await;
    let world = World { workflow: world.workstream("site").await, ..world };
    let runs = world.claims(None, 5).await;
    assert_eq!(runs.len(), 2, "nodes of one plan run beside each other");
    let (one, two) = (&runs[0], &runs[1]);
    for run in [one, two] {
        world.prepare(run, Vec::new()).await.unwrap();
    }
    let in_doubt = world.begin_as(one, false).await.unwrap();
    world.doubt(one.claim, in_doubt).await.unwrap();
    let applied = world.begin_as(two, false).await.unwrap();
    world.apply(two.claim, applied).await.unwrap();

    world.commit_node(two.claim).await.unwrap();

    assert_eq!(world.progress(run).await, (GraphStatus::Blocked, vec![Blocked, Completed]));
    let view = world.graph(run).await;
    assert_eq!(view.nodes[0].failure_class, Some(NodeFailureClass::InDoubt));
    assert!(
        !world.steer(run, Steer::Resume { force: true }).await.unwrap().has_changed,
        "a doubt is not resumed"
    );
    world.resolve(in_doubt, ResolutionKind::Happened).await.unwrap();
    assert_eq!(world.progress(run).await.1, [Running, Completed]);
    let again = world.take("one").await;
    assert_eq!(again.state.phase, Phase::Emitting, "it goes on after its effect");
    world.commit_node(again.claim).await.unwrap();
    assert_eq!(world.progress(run).await.0, GraphStatus::Completed);
}

pub async fn a_node_backs_off_alone_and_a_lost_worker_leaves_it_ready(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[
        tool_node("write", "Files.append", &json!({ "n": 1 })),
        agent_node("send", "planner"),
    ]);
    let run = world.start_plan("site", &draft).await;
    let world = World { workflow: world.workstream("site").await, ..world };
    let claimed = world.take("write").await;

    world.stop(&claimed, Some(Phase::Preparing), FailureClass::Network).await.unwrap();

    let view = world.graph(run).await;
    assert_eq!(view.nodes[0].status, Ready);
    let waits_until = view.nodes[0].available_at.unwrap();
    let workflow = world.store.find_workflow(world.workspace, "site").await.unwrap();
    assert_eq!((workflow.backoff_until, workflow.due_at), (None, Some(waits_until)));
    world.advance(seconds(3_600));
    world.store.enqueue_due(10).await.unwrap();
    world.take("write").await;
    world.crash().await;
    assert_eq!(world.progress(run).await.1, [Running, Pending], "it is begun again");
    let third = world.take("write").await;
    world.stop(&third, Some(Phase::Preparing), FailureClass::Logic).await.unwrap();
    assert_eq!(world.progress(run).await, (GraphStatus::Blocked, vec![Blocked, Pending]));
    assert_eq!(world.graph(run).await.nodes[0].attempt_count, 1, "it was one attempt");
}

pub async fn a_replaced_run_whose_request_is_out_holds_the_new_one_back(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[
        tool_node("write", "Files.append", &json!({ "n": 1 })),
        agent_node("send", "planner"),
    ]);
    world.start_plan("site", &draft).await;
    let world = World { workflow: world.workstream("site").await, ..world };
    let claimed = world.take("write").await;
    world.prepare(&claimed, Vec::new()).await.unwrap();
    let mutation = world.begin_as(&claimed, true).await.unwrap();
    let other = chain(&[
        agent_node("think", "planner"),
        tool_node("write", "Files.append", &json!({ "n": 1 })),
    ]);

    let second = world.store.start_plan(world.replacement("site", &other)).await.unwrap().session;

    assert_eq!(
        world.progress(second).await.1,
        [Ready, Pending],
        "the request of the old run is out"
    );
    world.apply(claimed.claim, mutation).await.unwrap();
    world.commit_node(claimed.claim).await.unwrap();
    assert_eq!(world.progress(second).await.1, [Running, Pending]);
    assert!(world.begin_node(second, "think").await.is_ok());
}

pub async fn an_effect_of_an_earlier_run_is_not_repeated(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[
        tool_node("write", "Files.append", &json!({ "n": 1 })),
        agent_node("send", "planner"),
    ]);
    world.start_plan("site", &draft).await;
    let world = World { workflow: world.workstream("site").await, ..world };
    let claimed = world.take("write").await;
    world.prepare(&claimed, Vec::new()).await.unwrap();
    let mutation = world.begin_as(&claimed, true).await.unwrap();
    let other = chain(&[agent_node("think", "planner")]);
    world.store.start_plan(world.replacement("site", &other)).await.unwrap();
    world.apply(claimed.claim, mutation).await.unwrap();
    world.commit_node(claimed.claim).await.unwrap();

    let third = world.store.start_plan(world.replacement("site", &draft)).await.unwrap().session;

    assert_eq!(world.progress(third).await.1, [Blocked, Pending]);
    let restart = |repeat_effects| Steer::Restart {
        node: "write".to_owned(),
        downstream: false,
        repeat_effects,
        discard_edits: false,
    };
    assert!(world.steer(third, restart(false)).await.is_err());
    world.steer(third, restart(true)).await.unwrap();
    assert_eq!(world.progress(third).await.1, [Running, Pending], "a person may repeat it");
}

pub async fn a_plan_is_removed_with_all_of_it_once_its_time_is_over(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let draft = chain(&[agent_node("draft", "planner")]);
    let first = world.start_plan("site", &draft).await;
    let second = world.store.start_plan(world.replacement("site", &draft)).await.unwrap().session;
    let execution = world.execute(world.record(&["hotel"]).await).await;
    world.submit(execution, "hotel", success(&json!({}))).await.unwrap();

    crate::pruning::prune(&world).await;

    assert_eq!(world.progress(first).await.0, GraphStatus::Aborted, "its successor may ask");
    world.submit(second, "draft", with_artifact("# Notes")).await.unwrap();
    crate::pruning::prune(&world).await;
    crate::pruning::prune(&world).await;
    let left = async |session| {
        let which = GraphSelector::Session(session);
        world.store.graph(world.workspace, which, GraphIncludes::default()).await.unwrap()
    };
    assert_eq!((left(first).await, left(second).await), (None, None));
    assert!(left(execution).await.is_some(), "what an agent recorded is kept");
}
