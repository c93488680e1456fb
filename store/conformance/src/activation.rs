//! Making a version the one that runs.

use serde_json::json;
use windlass_core::{
    Action, Capability, FailureClass, Grant, Id, Manifest, Phase, Schedule, ScriptId,
    SessionResult, Status, WorkflowStatus,
};
use windlass_store::{Bump, StopRun, StoreError};

use crate::world::{
    TestStore, World, commit_of, event, failure, lone_consumer, manifest, pipeline, reservation,
    seconds,
};

pub async fn every_producer_is_due_and_every_consumer_has_work(test_store: TestStore) {
    let world = World::empty(test_store).await;

    let world = world.deploy("mail", pipeline()).await;

    let now = world.store.now().await.unwrap();
    let seen = world.current().await;
    assert_eq!(seen.status, WorkflowStatus::Active);
    assert_eq!(world.handler("poll").await.next_run_at, Some(now));
    assert!(world.handler("record").await.has_work);
    assert!(world.handler("tell").await.has_work);
    assert!(world.open_run().await.is_some(), "the first run is enqueued at once");
}

/// The pipeline, with a producer that runs at the first of each month.
fn monthly() -> Manifest {
    let mut manifest = pipeline();
    let poll = manifest.producers.get_mut("poll").unwrap();
    poll.schedule = Schedule::cron("0 9 1 * *", "UTC").unwrap();
    manifest
}

pub async fn a_cron_producer_waits_for_its_moment(test_store: TestStore) {
    let world = World::empty(test_store).await.deploy("mail", monthly()).await;
    let now = world.store.now().await.unwrap();
    let moment = Schedule::cron("0 9 1 * *", "UTC").unwrap().next_after(now);

    assert!(moment.is_some_and(|at| at > now));
    assert_eq!(world.handler("poll").await.next_run_at, moment);

    world.redeploy("// two", monthly()).await;
    assert_eq!(world.handler("poll").await.next_run_at, moment, "it goes on waiting for the same");

    world.redeploy("// three", pipeline()).await;
    let now = world.store.now().await.unwrap();
    assert!(world.handler("poll").await.next_run_at.is_some_and(|at| at <= now), "an interval");
}

pub async fn a_wider_grant_ends_a_stop_for_want_of_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.claim().await.unwrap();
    world.stop(&run, Some(Phase::Preparing), FailureClass::Permission).await.unwrap();

    world.redeploy("// as narrow", pipeline()).await;
    assert_eq!(world.current().await.error_class, Some(FailureClass::Permission));

    let saved = world.save_with(Grant::from_iter([Capability::tool("Files", "append")])).await;
    let workflow = world.activate(saved.script.id).await.unwrap();

    assert_eq!((workflow.error, workflow.error_class), (None, None));
    let notifications = world.store.all_notifications(world.workspace).await.unwrap();
    assert!(notifications.iter().all(|it| it.resolved_at.is_some()), "{notifications:?}");
}

pub async fn a_version_of_another_workflow_is_refused(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let other = world.deploy("other", lone_consumer()).await;
    let foreign = other.current().await.active_script_id.unwrap();
    let before = world.current().await;

    let refused = world.activate(foreign).await.unwrap_err();
    let unknown = world.activate(ScriptId::mint(before.created_at)).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotFound { what: "script", .. }), "{refused}");
    assert!(matches!(unknown, StoreError::NotFound { what: "script", .. }), "{unknown}");
    assert_eq!(world.current().await, before);
}

pub async fn an_archived_workflow_is_not_activated(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let script = world.control(Action::Archive).await.unwrap().active_script_id.unwrap();

    let refused = world.activate(script).await.unwrap_err();

    assert!(matches!(refused, StoreError::ActionRefused(_)), "{refused}");
    assert_eq!(world.current().await.status, WorkflowStatus::Archived);
}

pub async fn a_queued_run_is_withdrawn_with_a_session_that_began_nothing_else(
    test_store: TestStore,
) {
    let world = World::pipeline(test_store).await;
    let queued = world.open_run().await.unwrap();

    let script = world.redeploy("// two", pipeline()).await;

    let now = world.open_run().await.unwrap();
    assert!(matches!(
        world.store.run(world.workspace, queued.id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert!(matches!(
        world.store.session(world.workspace, queued.session_id).await,
        Err(StoreError::NotFound { .. })
    ));
    assert_eq!(now.script_id, script);
    assert_eq!(world.runs().await.len(), 1);
}

pub async fn a_queued_run_is_withdrawn_with_the_state_that_it_was_given(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let mut params = commit_of(&world.take("poll").await);
    params.state = Some(json!({ "cursor": 1 }));
    world.store.commit_producer(params).await.unwrap();
    world.advance(seconds(300));
    world.store.enqueue_due(10).await.unwrap();
    let queued = world.open_run().await.unwrap();
    assert_eq!(queued.input_state, Some(json!({ "cursor": 1 })));

    world.redeploy("// two", pipeline()).await;

    assert!(world.store.run(world.workspace, queued.id).await.is_err());
}

pub async fn a_session_that_began_other_runs_outlives_the_withdrawn_one(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let first = world.take("record").await;
    world.find_nothing(&first).await;
    let queued = world.open_run().await.unwrap();
    assert_eq!(queued.session_id, first.session, "the second run is of the same session");

    world.redeploy("// two", pipeline()).await;

    let session = world.store.session(world.workspace, first.session).await.unwrap();
    assert_eq!(session.result, Some(SessionResult::Completed));
    assert_eq!(session.handler_run_count, 1);
    assert!(world.store.run(world.workspace, queued.id).await.is_err());
}

pub async fn a_queued_retry_is_pinned_to_the_new_version(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.crash().await;
    let retry = world.open_run().await.unwrap();
    assert_eq!(retry.retry_of, Some(run.claim.run));

    let script = world.redeploy("// two", pipeline()).await;

    let pinned = world.open_run().await.unwrap();
    assert_eq!(pinned.id, retry.id);
    assert_eq!(pinned.script_id, script);
}

pub async fn a_pending_retry_stays_and_runs_the_new_version(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.stop(&run, None, FailureClass::Logic).await.unwrap();
    assert_eq!(world.current().await.pending_retry_run_id, Some(run.claim.run));
    assert!(world.open_run().await.is_none());

    let script = world.redeploy("// repaired", pipeline()).await;

    let retry = world.open_run().await.unwrap();
    assert_eq!(retry.retry_of, Some(run.claim.run));
    assert_eq!(retry.script_id, script);
    assert_eq!(world.current().await.pending_retry_run_id, None);
}

pub async fn an_active_run_stays_on_its_version(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    let script = world.redeploy("// two", pipeline()).await;
    world.prepare(&run, vec![reservation("mail", &["m1"])]).await.unwrap();
    world.commit(&run, vec![event("row", "r1")]).await.unwrap();

    assert_ne!(world.run(run.claim.run).await.script_id, script);
    assert_eq!(world.run(run.claim.run).await.status, Status::Committed);
    assert_eq!(world.open_run().await.unwrap().script_id, script);
}

pub async fn a_run_reserves_by_the_subscriptions_of_its_own_version(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let without_mail = manifest(&[("poll", "5m", &["mail"])], &[("tell", &["row", "mail"], &[])]);

    world.redeploy("// two", without_mail).await;

    world.prepare(&run, vec![reservation("mail", &["m1"])]).await.unwrap();
}

pub async fn a_run_of_an_older_version_does_not_answer_for_the_new_one(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let poll = world.take("poll").await;
    let script = world.redeploy("// two", pipeline()).await;
    let activated_at = world.store.now().await.unwrap();
    world.advance(seconds(1));

    world.commit_producer(&poll, &[], Vec::new()).await.unwrap();

    let producer = world.handler("poll").await;
    assert_eq!(producer.next_run_at, Some(activated_at), "the new version still has to poll");
    assert_eq!(producer.last_run_at, Some(world.store.now().await.unwrap()));
    let run = world.take("record").await;
    world.activate(script).await.unwrap();
    world.find_nothing(&run).await;
    assert!(!world.handler("record").await.has_work, "the same version has checked");
    let run = world.take("tell").await;
    world.redeploy("// three", pipeline()).await;
    world.find_nothing(&run).await;
    assert!(world.handler("tell").await.has_work, "an older version has not checked for this one");
}

pub async fn a_dropped_handler_neither_runs_nor_loses_its_state(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let mut params = commit_of(&run);
    params.state = Some(serde_json::json!({ "cursor": 3 }));
    world.store.commit_producer(params).await.unwrap();

    world.redeploy("// two", lone_consumer()).await;
    world.drain().await;
    let declared = world.store.handlers(world.workspace, world.workflow).await.unwrap();
    world.advance(seconds(3_600));
    let while_dropped = world.claim().await;
    world.redeploy("// three", pipeline()).await;

    assert_eq!(declared.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["record"]);
    assert_eq!(while_dropped, None);
    assert_eq!(world.handler("poll").await.state, Some(serde_json::json!({ "cursor": 3 })));
}

pub async fn events_of_a_dropped_topic_make_no_sessions(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    world
        .redeploy("// two", manifest(&[("poll", "5m", &["note"])], &[("tell", &["note"], &[])]))
        .await;
    world.drain().await;
    let n_runs = world.runs().await.len();

    assert_eq!(world.store.enqueue_due(10).await.unwrap(), 0);
    assert_eq!(world.claim().await, None);
    assert_eq!(world.runs().await.len(), n_runs);
    assert_eq!(world.events("mail").await.len(), 2);
}

pub async fn a_repair_is_over_and_an_error_is_not(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let run = world.take("record").await;
    world.stop(&run, None, FailureClass::Logic).await.unwrap();
    assert_eq!(world.open_notifications().await.len(), 1);

    world.redeploy("// repaired", pipeline()).await;

    assert!(!world.current().await.maintenance);
    assert_eq!(world.open_notifications().await, []);
    let run = world.take("record").await;
    let params = StopRun {
        claim: run.claim,
        entered: None,
        failure: failure(FailureClass::Auth),
        seen: vec![],
        logs: vec![],
    };
    world.store.stop_run(params).await.unwrap();
    world.redeploy("// again", pipeline()).await;
    assert!(world.current().await.error.is_some(), "no version mends credentials");
    assert_eq!(world.open_notifications().await.len(), 1);
    assert_eq!(world.claim().await, None);
}

pub async fn a_repair_marks_no_run_that_had_not_come_to_its_effect(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let repaired = async |nth: u32| {
        world.redeploy(&format!("// repair {nth}"), pipeline()).await;
        world.control(Action::Resume).await.unwrap();
        assert_eq!(world.current().await.pending_retry_run_id, None, "repair {nth}");
        let fresh = world.open_run().await.unwrap();
        assert_eq!((fresh.retry_of, fresh.phase), (None, Phase::Pending), "repair {nth}");
    };

    let preparing = world.take("record").await;
    world.stop(&preparing, None, FailureClass::Logic).await.unwrap();
    repaired(1).await;
    let prepared = world.reserve(&["m1"]).await;
    world.stop(&prepared, Some(Phase::Mutating), FailureClass::Auth).await.unwrap();
    repaired(2).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    world.fail(run.claim, mutation, FailureClass::Internal).await.unwrap();
    repaired(3).await;
    for consumer in ["record", "tell"] {
        let run = world.take(consumer).await;
        world.find_nothing(&run).await;
    }
    let poll = world.take("poll").await;
    world.stop(&poll, None, FailureClass::Logic).await.unwrap();
    repaired(4).await;
    world.drain().await;
}

pub async fn a_handler_that_a_version_adds_is_due_at_once(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    let n_before = world.runs().await.len();
    let grown = manifest(
        &[("poll", "5m", &["mail"]), ("scan", "1d", &["mail"])],
        &[("record", &["mail"], &["row"]), ("tell", &["row"], &[]), ("count", &["row"], &[])],
    );

    world.redeploy("// two", grown).await;
    world.drain().await;

    let runs = world.runs().await.split_off(n_before);
    for added in ["scan", "count"] {
        assert!(runs.iter().any(|run| run.handler == added), "{added} in {runs:?}");
    }
}

pub async fn an_older_version_can_be_activated_again(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let first = world.current().await.active_script_id.unwrap();
    world.redeploy("// two", lone_consumer()).await;

    world.activate(first).await.unwrap();

    assert_eq!(world.current().await.active_script_id, Some(first));
    assert_eq!(world.store.handlers(world.workspace, world.workflow).await.unwrap().len(), 3);
    let saved = world.save("mail", "// three", pipeline(), Bump::Major).await;
    assert_eq!(saved.script.version(), "2.0");
}
