//! Evidence that contradicts what was settled: the workflow stops, and a person is told.

use serde_json::json;
use windlass_core::{
    Action, EventStatus, Failure, FailureClass, LookupResult, MutationId, MutationStatus,
    ResolutionKind, Status,
};
use windlass_store::{
    ClaimedRun, EventAction, EventFilter, EventSelection, Notification, NotificationKind, Page,
    SettleEvents, StoreError,
};

use crate::world::{TestStore, World, seconds};

/// A run whose worker was taken for lost while its request was on its way; somebody says what became of the effect.
async fn settled(world: &World, verdict: ResolutionKind) -> (ClaimedRun, MutationId) {
    let (run, mutation) = world.mutating(&["m1"]).await;
    world.crash().await;
    world.resolve(mutation, verdict).await.unwrap();
    (run, mutation)
}

/// The worker answers after all that the effect happened.
async fn answers_late(world: &World, (run, mutation): &(ClaimedRun, MutationId)) {
    let refused = world.apply(run.claim, *mutation).await.unwrap_err();
    assert!(matches!(refused, StoreError::ClaimLost { .. }), "{refused}");
}

async fn contradictions(world: &World) -> Vec<Notification> {
    let open = world.open_notifications().await.into_iter();
    open.filter(|it| it.kind == NotificationKind::EffectContradicted).collect()
}

async fn status_of(world: &World, message_id: &str) -> EventStatus {
    world.event("mail", message_id).await.status
}

pub async fn a_late_success_stops_a_workflow_whose_ledger_says_that_it_failed(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let late = settled(&world, ResolutionKind::DidNotHappen).await;

    answers_late(&world, &late).await;

    assert_eq!(world.current().await.contradicted_mutation_id, Some(late.1));
    let [told] = contradictions(&world).await.try_into().unwrap();
    assert_eq!(told.mutation_id, Some(late.1));
    assert!(told.body.contains("now it is known that it happened"), "{}", told.body);
    assert_eq!(status_of(&world, "m1").await, EventStatus::Parked);
    assert_eq!(status_of(&world, "m2").await, EventStatus::Pending);
    assert_eq!(world.claim().await, None);
    assert!(matches!(world.start_session().await, Err(StoreError::WaitsForPerson { .. })));

    world.control(Action::Resume).await.unwrap();

    assert_eq!(world.current().await.contradicted_mutation_id, None);
    assert_eq!(contradictions(&world).await, []);
    assert_eq!(
        status_of(&world, "m1").await,
        EventStatus::Parked,
        "it is not done again by itself"
    );
    world.reserve(&["m2"]).await;
}

pub async fn a_late_success_takes_the_events_back_from_a_run_that_would_repeat_it(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let late = settled(&world, ResolutionKind::DidNotHappen).await;
    let again = world.reserve(&["m1"]).await;

    answers_late(&world, &late).await;

    assert_eq!(world.run(again.claim.run).await.status, Status::Crashed);
    assert_eq!(status_of(&world, "m1").await, EventStatus::Parked);
    let begun = world.begin(&again).await.unwrap_err();
    assert!(matches!(begun, StoreError::ClaimLost { .. }), "{begun}");
}

pub async fn an_effect_that_was_made_again_is_said_to_have_happened_twice(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let late = settled(&world, ResolutionKind::DidNotHappen).await;
    let (again, _) = world.mutated(&["m1"]).await;

    answers_late(&world, &late).await;

    let [told] = contradictions(&world).await.try_into().unwrap();
    assert!(told.body.contains("it may have happened twice"), "{}", told.body);
    world.commit(&again, Vec::new()).await.unwrap();
    assert_eq!(status_of(&world, "m1").await, EventStatus::Consumed, "a known effect goes forward");
    assert_eq!(world.claim().await, None, "and nothing else is begun");
}

pub async fn a_late_look_up_counts_like_a_late_answer(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    assert_eq!(world.due_lookups().await.len(), 1);
    world.advance(seconds(60));
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();

    let found = world.find(mutation, LookupResult::Applied(json!({ "row": 7 }))).await.unwrap();

    assert_eq!(found, MutationStatus::Failed, "what is settled stays so");
    assert_eq!(contradictions(&world).await.len(), 1);
    assert_eq!(status_of(&world, "m1").await, EventStatus::Parked);
    assert!(world.mutation(mutation).await.late_evidence.unwrap().contains("found"));
}

/// What a mutation is settled as whose worker answers while it is looked up, if the look-up then comes to `finding`.
async fn answered_during_a_look_up(world: &World, finding: LookupResult) -> MutationStatus {
    let run = world.reserve(&["m1"]).await;
    let mutation = world.begin_as(&run, true).await.unwrap();
    world.crash().await;
    assert_eq!(world.due_lookups().await.len(), 1);
    answers_late(world, &(run, mutation)).await;
    world.find(mutation, finding).await.unwrap()
}

pub async fn a_late_success_outweighs_a_look_up_that_began_before_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let absent = LookupResult::Absent { counts_after: seconds(0) };

    assert_eq!(answered_during_a_look_up(&world, absent).await, MutationStatus::Applied);

    assert_eq!(contradictions(&world).await, []);
}

pub async fn a_late_success_saves_a_person_the_question(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let in_vain = LookupResult::Impossible(Failure::network("the key is forgotten"));

    assert_eq!(answered_during_a_look_up(&world, in_vain).await, MutationStatus::Applied);
}

pub async fn a_person_who_answers_against_what_the_worker_said_stops_the_workflow(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    world.crash().await;
    answers_late(&world, &(run, mutation)).await;
    assert_eq!(contradictions(&world).await, []);

    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();

    assert_eq!(contradictions(&world).await.len(), 1);
    assert_eq!(status_of(&world, "m1").await, EventStatus::Parked);
    assert_eq!(world.claim().await, None);
}

pub async fn a_person_who_says_that_a_request_happened_that_was_not_sent_stops_the_workflow(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    world.crash().await;
    world.fail(run.claim, mutation, FailureClass::Network).await.unwrap_err();

    world.resolve(mutation, ResolutionKind::Happened).await.unwrap();

    let [told] = contradictions(&world).await.try_into().unwrap();
    assert!(told.body.contains("the request had no effect"), "{}", told.body);
}

pub async fn a_late_refusal_contradicts_the_person_who_said_that_it_happened(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = settled(&world, ResolutionKind::Happened).await;

    world.fail(run.claim, mutation, FailureClass::Network).await.unwrap_err();

    let [told] = contradictions(&world).await.try_into().unwrap();
    assert!(told.body.contains("the request had no effect"), "{}", told.body);
    assert_eq!(world.claim().await, None);
}

pub async fn late_evidence_that_agrees_stops_nothing(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = settled(&world, ResolutionKind::DidNotHappen).await;
    world.fail(run.claim, mutation, FailureClass::Network).await.unwrap_err();
    world.doubt(run.claim, mutation).await.unwrap_err();
    let other = world.polled("other", &["m1"]).await;
    let skipped = settled(&other, ResolutionKind::Skip).await;
    answers_late(&other, &skipped).await;

    for world in [&world, &other] {
        assert_eq!(contradictions(world).await, []);
        world.take("record").await;
    }
}

pub async fn nothing_but_resuming_lets_a_contradicted_workflow_go_on(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let late = settled(&world, ResolutionKind::DidNotHappen).await;
    let (_, second) = world.mutating(&["m2"]).await;
    answers_late(&world, &late).await;
    world.crash().await;
    world.resolve(second, ResolutionKind::DidNotHappen).await.unwrap();

    assert_eq!(
        contradictions(&world).await.len(),
        1,
        "another doubt that is settled clears nothing"
    );
    assert_eq!(world.claim().await, None);

    world.control(Action::Resume).await.unwrap();
    world.take("record").await;
    let parked = EventFilter {
        workspace: world.workspace,
        workflow: world.workflow,
        topic: None,
        status: Some(EventStatus::Parked),
        message_ids: None,
        page: Page::first(10),
    };
    assert_eq!(world.store.all_events(parked).await.unwrap().len(), 1);
}

async fn put_back(world: &World, selection: EventSelection) -> usize {
    let params = SettleEvents {
        workspace: world.workspace,
        selection,
        action: EventAction::PutBack,
        actor: "ada".to_owned(),
        reason: None,
    };
    world.store.settle_events(params).await.unwrap().settled
}

pub async fn the_events_of_a_contradicted_effect_are_put_back_together(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = world.mutating(&["m1", "m2"]).await;
    world.crash().await;
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();
    answers_late(&world, &(run, mutation)).await;
    let one = world.event("mail", "m1").await;
    assert!(one.blamed_for.unwrap().contains("now it is known that it happened"));

    let all = put_back(&world, EventSelection::Parked(world.workflow)).await;
    let same = put_back(&world, EventSelection::SameReason(one.id)).await;

    assert_eq!((all, same), (0, 2), "whoever puts them back names them");
    let is_parked = |it: &Notification| it.kind == NotificationKind::EventParked;
    assert!(!world.open_notifications().await.iter().any(is_parked), "nobody is told any more");
}
