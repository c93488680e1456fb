//! Stops: what becomes of the run, its events, its session and its workflow.

use windlass_core::{
    EventStatus, Failure, FailureClass, MutationStatus, Phase, ScriptPosition, Service,
    SessionResult, Status,
};
use windlass_store::{NotificationKind, StopRun, StoreError};

use crate::world::{TestStore, World, seconds};

pub async fn before_the_effect_the_events_are_released(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    world.stop(&run, Some(Phase::Mutating), FailureClass::Network).await.unwrap();

    let (seen, event) = (world.run(run.claim.run).await, world.event("mail", "m1").await);
    assert_eq!((seen.phase, seen.status), (Phase::Mutating, Status::PausedTransient));
    assert_eq!((event.status, event.reserved_by_run_id), (EventStatus::Pending, None));
    assert_eq!(event.attempt_number, 2);
    assert_eq!(world.current().await.pending_retry_run_id, None);
    assert!(world.handler("record").await.has_work);
}

pub async fn after_the_effect_the_events_are_kept(test_store: TestStore) {
    for class in [FailureClass::Network, FailureClass::Logic, FailureClass::Internal] {
        let world = World::empty(test_store.clone()).await;
        let world = world.polled(class.as_str(), &["m1"]).await;
        let (run, _) = world.mutated(&["m1"]).await;

        world.stop(&run, Some(Phase::Emitting), class).await.unwrap();

        let (seen, event) = (world.run(run.claim.run).await, world.event("mail", "m1").await);
        assert_eq!((seen.phase, seen.status), (Phase::Emitting, class.stopped_status()));
        assert_eq!(event.status, EventStatus::Reserved);
        assert_eq!(event.reserved_by_run_id, Some(run.claim.run));
        assert_eq!(world.current().await.pending_retry_run_id, Some(run.claim.run), "{class}");
    }
}

pub async fn the_session_fails_with_its_run(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    world.stop(&run, None, FailureClass::Auth).await.unwrap();

    let session = world.session_of(run.claim.run).await;
    assert_eq!((session.result, session.ended_at.is_some()), (Some(SessionResult::Failed), true));
    assert_eq!(session.error.as_deref(), Some("a failure of class auth"));
    assert_eq!(session.error_class, Some(FailureClass::Auth));
}

pub async fn a_network_failure_is_tried_again_at_growing_distances(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let mut waits = Vec::new();

    for _ in 0..5 {
        let run = world.take("record").await;
        world.stop(&run, None, FailureClass::Network).await.unwrap();
        let seen = world.current().await;
        assert_eq!((seen.error, seen.maintenance), (None, false));
        assert_eq!(seen.due_at, seen.backoff_until);
        assert_eq!(world.claim().await, None);
        let wait = world.next_due().await.unwrap();
        world.advance(wait);
        waits.push(wait.as_secs());
    }
    let run = world.take("record").await;
    world.stop(&run, None, FailureClass::Network).await.unwrap();

    assert_eq!(waits, [10, 20, 40, 80, 160]);
    assert_eq!(world.current().await.error.as_deref(), Some("a failure of class network"));
    assert_eq!(world.open_notifications().await[0].kind, NotificationKind::Error);
    world.advance(seconds(86_400));
    assert_eq!(world.claim().await, None);
}

pub async fn a_completed_session_ends_a_row_of_network_failures(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    for _ in 0..3 {
        let run = world.take("record").await;
        world.stop(&run, None, FailureClass::Network).await.unwrap();
        world.advance(seconds(600));
    }
    assert_eq!(world.current().await.transient_failures, 3);

    world.drain().await;

    let seen = world.current().await;
    assert_eq!((seen.transient_failures, seen.backoff_until), (0, None));
}

pub async fn a_wrong_script_waits_for_its_repair(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let at = ScriptPosition {
        file: "mail.js".to_owned(),
        line: 7,
        column: 3,
        source_line: Some("  throw 1".to_owned()),
    };
    let failure = Failure::logic("thrown").at(Some(at.clone()));
    let params =
        StopRun { claim: run.claim, entered: None, failure, seen: Vec::new(), logs: Vec::new() };

    world.store.stop_run(params).await.unwrap();

    let (workflow, seen) = (world.current().await, world.run(run.claim.run).await);
    assert_eq!((workflow.maintenance, workflow.error), (true, None));
    assert_eq!(workflow.stopped_by_run_id, Some(run.claim.run));
    assert_eq!((seen.error.as_deref(), seen.error_at), (Some("thrown"), Some(at)));
    let notices = world.open_notifications().await;
    assert_eq!((notices.len(), notices[0].kind), (1, NotificationKind::ScriptFailed));
    assert_eq!(notices[0].run_id, Some(run.claim.run));
    assert!(notices[0].body.contains("mail.js:7:3"), "{notices:?}");
}

pub async fn missing_credentials_wait_for_a_person_who_is_told_which(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let service = Service { name: "mail".to_owned(), account: Some("ada@example.com".to_owned()) };
    let failure = Failure {
        service: Some(Box::new(service)),
        ..Failure::new(FailureClass::Auth, "the login was refused")
    };
    let params =
        StopRun { claim: run.claim, entered: None, failure, seen: Vec::new(), logs: Vec::new() };

    world.store.stop_run(params).await.unwrap();

    let workflow = world.current().await;
    assert_eq!(workflow.error.as_deref(), Some("the login was refused"));
    assert_eq!(workflow.error_class, Some(FailureClass::Auth));
    assert!(!workflow.maintenance);
    let notices = world.open_notifications().await;
    assert_eq!((notices.len(), notices[0].kind), (1, NotificationKind::Error));
    assert!(notices[0].body.contains("`mail` as `ada@example.com`"), "{notices:?}");
    assert_eq!(world.journal_actions().await.last().unwrap(), "run.stopped");
}

pub async fn other_workflows_go_on(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let other = world.deploy("other", crate::world::pipeline()).await;
    let run = world.take("record").await;

    world.stop(&run, None, FailureClass::Internal).await.unwrap();

    assert!(other.claim().await.is_some());
}

pub async fn an_effect_under_way_is_never_taken_for_failed(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    world.stop(&run, None, FailureClass::Logic).await.unwrap();

    let row = world.mutation(mutation).await;
    assert_eq!(row.status, MutationStatus::Indeterminate);
    assert_eq!(row.error.as_deref(), Some("a failure of class logic"));
    assert_eq!(world.run(run.claim.run).await.status, Status::PausedReconciliation);
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
    assert!(!world.current().await.maintenance);
    assert_eq!(world.open_notifications().await[0].kind, NotificationKind::MutationInDoubt);
}

pub async fn a_run_stops_once_and_never_backwards(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    let backwards =
        world.stop(&run, Some(Phase::Preparing), FailureClass::Logic).await.unwrap_err();
    let committed =
        world.stop(&run, Some(Phase::Committed), FailureClass::Logic).await.unwrap_err();
    world.stop(&run, None, FailureClass::Logic).await.unwrap();
    let again = world.stop(&run, None, FailureClass::Auth).await.unwrap_err();

    assert!(matches!(backwards, StoreError::Illegal(_)), "{backwards}");
    assert!(matches!(committed, StoreError::Illegal(_)), "{committed}");
    assert!(matches!(again, StoreError::ClaimLost { .. }), "{again}");
    assert_eq!(world.open_notifications().await.len(), 1);
}
