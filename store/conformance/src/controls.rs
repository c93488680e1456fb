//! What a person does with a workflow.

use windlass_core::{Action, FailureClass, SessionResult, Status, Trigger, WorkflowStatus};
use windlass_store::StoreError;

use crate::world::{TestStore, World, lone_consumer, manifest, seconds};

pub async fn a_paused_workflow_waits_and_a_resumed_one_goes_on(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let queued = world.open_run().await.unwrap();

    world.control(Action::Pause).await.unwrap();
    let while_paused = world.claim().await;
    world.control(Action::Resume).await.unwrap();

    assert_eq!(while_paused, None);
    assert_eq!(world.take("record").await.claim.run, queued.id);
}

pub async fn a_paused_workflow_is_not_due(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;

    world.control(Action::Pause).await.unwrap();
    world.advance(seconds(3_600));

    assert_eq!(world.current().await.due_at, None);
    assert_eq!(world.store.enqueue_due(10).await.unwrap(), 0);
    assert_eq!(world.next_due().await, None);
}

pub async fn an_active_run_finishes_while_the_workflow_is_paused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    world.control(Action::Pause).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();

    assert_eq!(world.run(run.claim.run).await.status, Status::Committed);
    assert_eq!(world.session_of(run.claim.run).await.result, Some(SessionResult::Completed));
    assert_eq!(world.current().await.status, WorkflowStatus::Paused);
    assert!(!world.current().await.maintenance);
    assert_eq!(world.open_run().await, None);
    world.control(Action::Resume).await.unwrap();
    let next = world.take("record").await;
    assert_ne!(next.session, run.session);
}

pub async fn resuming_clears_whatever_stopped_the_workflow(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    for class in [FailureClass::Auth, FailureClass::Logic, FailureClass::Network] {
        let run = world.take("record").await;
        world.stop(&run, None, class).await.unwrap();
        assert_eq!(world.claim().await, None, "{class} holds the workflow");

        world.control(Action::Resume).await.unwrap();

        let seen = world.current().await;
        assert_eq!((seen.error, seen.maintenance, seen.backoff_until), (None, false, None));
        assert_eq!((seen.stopped_by_run_id, seen.transient_failures), (None, 0));
        assert_eq!(world.open_notifications().await, []);
        assert!(world.open_run().await.is_some(), "{class}");
    }
}

pub async fn resuming_is_refused_while_an_effect_is_in_doubt(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.doubtful(&["m1"]).await;
    let before = world.current().await;

    let refused = world.control(Action::Resume).await.unwrap_err();

    assert!(
        matches!(refused, StoreError::InDoubt { mutation: named } if named == mutation),
        "{refused}"
    );
    assert_eq!(world.current().await, before);
    assert_eq!(world.open_notifications().await.len(), 1);
}

pub async fn an_effect_under_way_is_not_in_doubt(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.mutating(&["m1"]).await;
    world.control(Action::Pause).await.unwrap();

    world.control(Action::Resume).await.unwrap();

    assert_eq!(world.current().await.status, WorkflowStatus::Active);
}

pub async fn an_archived_workflow_comes_back_paused(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    world.control(Action::Archive).await.unwrap();
    let resumed = world.control(Action::Resume).await.unwrap_err();
    let back = world.control(Action::Unarchive).await.unwrap();

    assert!(matches!(resumed, StoreError::ActionRefused(_)), "{resumed}");
    assert_eq!(back.status, WorkflowStatus::Paused);
    assert_eq!(world.claim().await, None);
}

pub async fn activating_needs_a_version(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let before = world.current().await;

    let refused = world.control(Action::Activate).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
    assert_eq!(world.current().await, before);
}

pub async fn every_control_is_in_the_journal_with_its_actor(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    for action in [Action::Pause, Action::Resume, Action::Archive, Action::Unarchive] {
        world.control(action).await.unwrap();
    }

    let journal = world.store.all_journal(world.workspace, world.workflow).await.unwrap();
    let told = &journal[2..];
    let deeds: Vec<_> = told.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        deeds,
        ["workflow.paused", "workflow.resumed", "workflow.archived", "workflow.unarchived"]
    );
    assert!(told.iter().all(|entry| entry.actor == "ada"));
    assert!(told.iter().all(|entry| entry.subject == world.workflow.to_string()));
}

pub async fn a_manual_session_makes_every_producer_due(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let polls = manifest(
        &[("poll", "5m", &["mail"]), ("scan", "1d", &["mail"])],
        &[("record", &["mail"], &[])],
    );
    let world = world.deploy("mail", polls).await;
    world.drain().await;
    world.advance(seconds(60));
    assert_eq!(world.claim().await, None);

    let session = world.start_session().await.unwrap();

    assert_eq!(session.trigger, Trigger::Manual);
    let first = world.take("poll").await;
    world.commit_producer(&first, &[], Vec::new()).await.unwrap();
    let second = world.take("scan").await;
    world.commit_producer(&second, &[], Vec::new()).await.unwrap();
    assert_eq!((first.session, second.session), (session.id, session.id));
    assert_eq!(world.last_session().await.result, Some(SessionResult::Completed));
    assert_eq!(world.last_session().await.handler_run_count, 2);
}

pub async fn a_manual_session_is_refused_where_nothing_may_run(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let refusal = async |world: &World| world.start_session().await.unwrap_err();
    let lets_run = |refusal: StoreError| {
        let StoreError::NotRunning { action, .. } = refusal else { panic!("{refusal}") };
        action
    };

    let run = world.take("record").await;
    let active = refusal(&world).await;
    world.stop(&run, None, FailureClass::Logic).await.unwrap();
    let in_repair = refusal(&world).await;
    world.control(Action::Resume).await.unwrap();
    let run = world.take("record").await;
    world.stop(&run, None, FailureClass::Permission).await.unwrap();
    let with_error = refusal(&world).await;
    world.control(Action::Resume).await.unwrap();
    let (_, mutation) = world.doubtful(&["m1"]).await;
    let in_doubt = refusal(&world).await;
    world.control(Action::Pause).await.unwrap();
    let paused = refusal(&world).await;
    world.control(Action::Archive).await.unwrap();
    let archived = refusal(&world).await;

    assert!(matches!(active, StoreError::NotNow { .. }), "{active}");
    assert!(active.to_string().contains("is under way"), "{active}");
    assert!(matches!(in_repair, StoreError::WaitsForPerson { .. }), "{in_repair}");
    assert!(matches!(with_error, StoreError::WaitsForPerson { .. }), "{with_error}");
    assert!(matches!(in_doubt, StoreError::InDoubt { mutation: named } if named == mutation));
    assert_eq!(lets_run(paused), Action::Resume);
    assert_eq!(lets_run(archived), Action::Unarchive);
}

pub async fn a_manual_session_joins_the_one_that_still_waits(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let queued = world.open_run().await.unwrap();

    let session = world.start_session().await.unwrap();

    assert_eq!((session.id, session.trigger), (queued.session_id, Trigger::Manual));
    assert_eq!(world.runs().await.len(), 1);
    world.drain().await;
    assert_eq!(world.last_session().await.id, session.id);
    assert_eq!(world.last_session().await.handler_run_count, 3);
}

pub async fn a_manual_session_ends_a_back_off(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    world.stop(&run, None, FailureClass::Network).await.unwrap();
    assert_eq!(world.claim().await, None);

    let session = world.start_session().await.unwrap();

    let again = world.take("record").await;
    assert_eq!(again.session, session.id);
    assert_eq!(world.current().await.backoff_until, None);
}

pub async fn a_manual_session_with_nothing_to_do_is_completed_at_once(test_store: TestStore) {
    let world = World::empty(test_store).await.deploy("mail", lone_consumer()).await;
    world.drain().await;

    let session = world.start_session().await.unwrap();

    assert_eq!(session.result, Some(SessionResult::Completed));
    assert_eq!((session.trigger, session.handler_run_count), (Trigger::Manual, 0));
    assert_eq!(world.open_run().await, None);
}
