//! Which event a failure is blamed on: the only one is parked, several are tried alone, and the others continue.

use windlass_core::{Action, EventStatus, FailureClass, Phase, Status, Trial};
use windlass_store::{
    ClaimedRun, Event, EventAction, EventSelection, InputStatus, NotificationKind, SettleEvent,
    SettleEvents, SettledEvents, StopRun, StoreError, TrialRun,
};

use crate::world::{TestStore, World, failure, pipeline, reservation};

/// `prepare` fails after it was given these mails.
async fn fail_prepare(world: &World, run: &ClaimedRun, mails: &[&str]) {
    let mut seen = Vec::new();
    for mail in mails {
        seen.push(world.event("mail", mail).await.id);
    }
    let params = StopRun {
        claim: run.claim,
        entered: Some(Phase::Preparing),
        failure: failure(FailureClass::Logic),
        seen,
        logs: Vec::new(),
    };
    world.store.stop_run(params).await.unwrap();
}

/// The trial that the run is, with the mail that it sees.
fn trial(run: &ClaimedRun) -> Option<(Trial, &str)> {
    run.trial.as_ref().map(|TrialRun { trial, message_id, .. }| (*trial, message_id.as_str()))
}

/// A trial of `prepare` accepts its mail.
async fn pass(world: &World, run: &ClaimedRun, mail: &str) {
    world.prepare(run, vec![reservation("mail", &[mail])]).await.unwrap();
    assert_eq!(world.event("mail", mail).await.status, EventStatus::Pending, "nothing is reserved");
    world.commit(run, Vec::new()).await.unwrap();
}

async fn statuses(world: &World) -> Vec<EventStatus> {
    world.events("mail").await.into_iter().map(|event| event.status).collect()
}

pub async fn the_only_event_of_a_failed_run_is_parked_and_the_others_go_on(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1"]).await;

    world.stop(&run, Some(Phase::Mutating), FailureClass::Logic).await.unwrap();

    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.attempt_number), (EventStatus::Parked, 2));
    assert_eq!(event.blamed_for.as_deref(), Some("a failure of class logic"));
    assert_eq!(world.run(run.claim.run).await.status, Status::FailedLogic);
    let seen = world.current().await;
    assert_eq!((seen.maintenance, seen.error), (false, None));
    let notices = world.open_notifications().await;
    assert_eq!((notices.len(), notices[0].kind), (1, NotificationKind::EventParked));
    assert!(notices[0].body.contains("a failure of class logic"), "{notices:?}");
    assert!(world.journal_actions().await.contains(&"event.parked".to_owned()));
    let next = world.reserve(&["m2"]).await;
    let session = world.session_of(next.claim.run).await;
    assert_eq!(session.id, world.session_of(run.claim.run).await.id, "the session continues");
    world.commit(&next, Vec::new()).await.unwrap();
    assert_eq!(statuses(&world).await, [EventStatus::Parked, EventStatus::Consumed]);
}

pub async fn a_refused_request_parks_its_event(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    world.fail(run.claim, mutation, FailureClass::Logic).await.unwrap();

    assert_eq!(statuses(&world).await, [EventStatus::Parked]);
    assert!(!world.current().await.maintenance);
}

pub async fn an_event_that_prepare_was_given_is_parked_where_nothing_is_reserved(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.take("record").await;

    fail_prepare(&world, &run, &["m1"]).await;

    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.attempt_number), (EventStatus::Parked, 1));
    assert_eq!(trial(&world.take("record").await), None);
}

pub async fn the_culprit_among_several_is_found_by_trying_each_alone(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let run = world.take("record").await;
    fail_prepare(&world, &run, &["m1", "m2", "m3"]).await;
    assert_eq!(statuses(&world).await, [EventStatus::Pending; 3]);

    let first = world.take("record").await;
    assert_eq!(trial(&first), Some((Trial::Prepare, "m1")));
    pass(&world, &first, "m1").await;
    let second = world.take("record").await;
    assert_eq!(trial(&second), Some((Trial::Prepare, "m2")));
    fail_prepare(&world, &second, &["m2"]).await;
    let third = world.take("record").await;
    assert_eq!(trial(&third), Some((Trial::Prepare, "m3")));
    pass(&world, &third, "m3").await;

    let all = world.reserve(&["m1", "m3"]).await;
    assert_eq!(trial(&all), None, "the search is over");
    world.commit(&all, Vec::new()).await.unwrap();
    use EventStatus::{Consumed, Parked};
    assert_eq!(statuses(&world).await, [Consumed, Parked, Consumed]);
    assert!(!world.current().await.maintenance);
}

pub async fn a_search_goes_on_after_a_crash(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.take("record").await;
    fail_prepare(&world, &run, &["m1", "m2"]).await;
    let first = world.take("record").await;
    pass(&world, &first, "m1").await;

    world.take("record").await;
    world.crash().await;

    assert_eq!(trial(&world.take("record").await), Some((Trial::Prepare, "m2")));
}

pub async fn a_batch_that_was_refused_is_tried_one_by_one_in_whole_runs(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = world.mutating(&["m1", "m2"]).await;
    world.fail(run.claim, mutation, FailureClass::Logic).await.unwrap();

    let (first, mutation) = world.mutating(&["m1"]).await;
    assert_eq!(trial(&first), Some((Trial::Run, "m1")));
    world.apply(first.claim, mutation).await.unwrap();
    world.commit(&first, Vec::new()).await.unwrap();
    let (second, mutation) = world.mutating(&["m2"]).await;
    assert_eq!(trial(&second), Some((Trial::Run, "m2")));
    world.fail(second.claim, mutation, FailureClass::Logic).await.unwrap();

    assert_eq!(statuses(&world).await, [EventStatus::Consumed, EventStatus::Parked]);
}

pub async fn a_failure_of_events_together_is_the_scripts(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.take("record").await;
    fail_prepare(&world, &run, &["m1", "m2"]).await;
    for mail in ["m1", "m2"] {
        let run = world.take("record").await;
        pass(&world, &run, mail).await;
    }

    let run = world.take("record").await;
    fail_prepare(&world, &run, &["m1", "m2"]).await;

    assert!(world.current().await.maintenance);
    assert_eq!(statuses(&world).await, [EventStatus::Pending; 2]);
    world.control(Action::Resume).await.unwrap();
    let run = world.take("record").await;
    fail_prepare(&world, &run, &["m1", "m2"]).await;
    assert!(trial(&world.take("record").await).is_some(), "a person begins the search anew");
}

pub async fn three_events_parked_in_a_row_stop_the_workflow(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    for mail in ["m1", "m2", "m3"] {
        assert!(!world.current().await.maintenance, "before {mail}");
        // Runs that find nothing are no success.
        world.drain().await;
        world.poll(&[mail]).await;
        let run = world.reserve(&[mail]).await;
        world.stop(&run, None, FailureClass::Logic).await.unwrap();
    }

    assert!(world.current().await.maintenance);
    assert_eq!(statuses(&world).await, [EventStatus::Parked; 3]);
    let notices = world.open_notifications().await;
    let parked: Vec<_> =
        notices.iter().filter(|notice| notice.kind == NotificationKind::EventParked).collect();
    assert_eq!(parked.len(), 1, "events with the same reason are told of together");
    assert!(parked[0].title.contains("3 events, same reason"), "{parked:?}");
}

pub async fn a_success_ends_the_row_of_parked_events(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3", "m4"]).await;
    for mail in ["m1", "m2"] {
        let run = world.reserve(&[mail]).await;
        world.stop(&run, None, FailureClass::Logic).await.unwrap();
    }
    let good = world.reserve(&["m3"]).await;
    world.commit(&good, Vec::new()).await.unwrap();

    let run = world.reserve(&["m4"]).await;
    world.stop(&run, None, FailureClass::Logic).await.unwrap();

    assert!(!world.current().await.maintenance);
}

pub async fn where_order_matters_a_failure_stops_the_workflow(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.redeploy("// in order", in_order()).await;
    let run = world.reserve(&["m1"]).await;

    world.stop(&run, None, FailureClass::Logic).await.unwrap();

    assert!(world.current().await.maintenance);
    assert_eq!(statuses(&world).await, [EventStatus::Pending]);
}

async fn settle(world: &World, selection: EventSelection, action: EventAction) -> (usize, usize) {
    let (workspace, actor, reason) = (world.workspace, "ada".to_owned(), None);
    let params = SettleEvents { workspace, selection, action, actor, reason };
    let SettledEvents { settled, left } = world.store.settle_events(params).await.unwrap();
    (settled, left)
}

async fn skip(world: &World, mail: &str) -> windlass_store::Result<Event> {
    let event = world.event("mail", mail).await.id;
    let (workspace, action) = (world.workspace, EventAction::Skip);
    let params = SettleEvent { workspace, event, action, actor: "ada".to_owned(), reason: None };
    world.store.settle_event(params).await
}

pub async fn events_that_are_parked_for_the_same_reason_are_put_back_together(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    for mail in ["m1", "m2"] {
        let run = world.reserve(&[mail]).await;
        world.stop(&run, None, FailureClass::Logic).await.unwrap();
    }
    let one = world.event("mail", "m1").await.id;

    let put_back = settle(&world, EventSelection::SameReason(one), EventAction::PutBack).await;

    assert_eq!(put_back, (2, 0));
    assert_eq!(statuses(&world).await, [EventStatus::Pending; 2]);
    assert_eq!(world.open_notifications().await, []);
    assert_eq!(world.journal_actions().await.last().unwrap(), "event.put_back");
    let both = world.reserve(&["m1", "m2"]).await;
    world.commit(&both, Vec::new()).await.unwrap();
}

pub async fn a_pending_event_is_skipped(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    assert_eq!(skip(&world, "m1").await.unwrap().status, EventStatus::Skipped);

    let refused = skip(&world, "m1").await.unwrap_err();
    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
    let run = world.reserve(&["m2"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
}

pub async fn skipping_stops_a_run_before_its_effect_and_lets_the_others_go_on(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1", "m2"]).await;

    skip(&world, "m1").await.unwrap();

    assert_eq!(statuses(&world).await, [EventStatus::Skipped, EventStatus::Pending]);
    let late = world.begin(&run).await.unwrap_err();
    assert!(matches!(late, StoreError::ClaimLost { .. }), "{late}");
    let next = world.reserve(&["m2"]).await;
    world.commit(&next, Vec::new()).await.unwrap();
}

pub async fn skipping_leaves_a_run_that_has_come_to_its_effect(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    let topic = EventSelection::Topic(world.workflow, "mail".to_owned());

    let refused = skip(&world, "m1").await.unwrap_err();
    let skipped = settle(&world, topic, EventAction::Skip).await;

    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
    assert_eq!(skipped, (1, 1));
    world.apply(run.claim, mutation).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();
    assert_eq!(statuses(&world).await, [EventStatus::Consumed, EventStatus::Skipped]);
}

pub async fn what_an_input_caused_is_skipped(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let input = inputs.iter().find(|input| input.external_id == "m1").unwrap();

    let skipped = settle(&world, EventSelection::Input(input.id), EventAction::Skip).await;

    assert_eq!(skipped, (1, 0));
    assert_eq!(statuses(&world).await, [EventStatus::Skipped, EventStatus::Pending]);
    let input = world.store.input(world.workspace, input.id).await.unwrap();
    assert_eq!(input.status, InputStatus::Skipped);
}

/// The pipeline, whose consumers stop at any failure.
fn in_order() -> windlass_core::Manifest {
    let mut manifest = pipeline();
    for consumer in manifest.consumers.values_mut() {
        consumer.on_failure = windlass_core::OnFailure::Stop;
    }
    manifest
}
