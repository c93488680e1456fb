//! A person has consumed events processed once more.

use windlass_core::{EventStatus, FailureClass, MutationId, ResolutionKind};
use windlass_store::{EventAction, EventRounds, ReplaySelection, Round, SettleEvent, StoreError};

use crate::world::{TestStore, World};

/// An effect for the mail, and the commit of its run.
async fn process(world: &World, mail: &str) -> MutationId {
    let (run, mutation) = world.mutated(&[mail]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    mutation
}

async fn event(world: &World, mail: &str) -> ReplaySelection {
    ReplaySelection::Event(world.event("mail", mail).await.id)
}

/// Why the events are not replayed.
async fn refusal(world: &World, selection: ReplaySelection, known: &[MutationId]) -> String {
    let refused = world.replay(selection, known).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
    refused.to_string()
}

pub async fn a_consumed_event_is_processed_once_more_as_another_operation(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let first = process(&world, "m1").await;
    let selection = event(&world, "m1").await;

    let replayed = world.replay(selection, &[first]).await.unwrap();
    let pending = world.event("mail", "m1").await;
    let second = process(&world, "m1").await;

    assert_eq!((replayed.settled, replayed.left), (1, 0));
    assert_eq!((pending.status, pending.round), (EventStatus::Pending, 2));
    let [one, other] = [world.mutation(first).await, world.mutation(second).await];
    assert_eq!(one.params, other.params);
    assert_ne!(one.operation_id, other.operation_id);
    assert_ne!(one.idempotency_key, other.idempotency_key);
    let found = world.store.event_rounds(world.workspace, selection).await.unwrap();
    let [EventRounds { event, rounds }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(event.status, EventStatus::Consumed);
    let of = |number, mutation: &windlass_store::Mutation| Round {
        number,
        run_id: mutation.handler_run_id,
        mutation_id: Some(mutation.id),
    };
    assert_eq!(rounds, &[of(1, &one), of(2, &other)]);
    let journal = world.store.all_journal(world.workspace, world.workflow).await.unwrap();
    let entry = journal.iter().find(|entry| entry.action == "event.replayed").unwrap();
    assert_eq!((&*entry.actor, entry.reason.as_deref()), ("ada", Some("the filter is mended")));
    assert_eq!(entry.details, serde_json::json!({ "round": 2, "effects": [first] }));
}

pub async fn an_effect_that_a_replay_repeats_is_one_that_the_person_knows_of(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let first = process(&world, "m1").await;
    let run = world.reserve(&["m2"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    let selection = event(&world, "m1").await;

    let unknown = refusal(&world, selection, &[]).await;
    world.replay(selection, &[first]).await.unwrap();
    let second = process(&world, "m1").await;
    let half_known = refusal(&world, selection, &[first]).await;
    let without_effect = world.replay(event(&world, "m2").await, &[]).await;

    assert!(unknown.contains(&first.to_string()), "{unknown}");
    assert!(unknown.contains("--repeat-effects"), "{unknown}");
    assert!(half_known.contains(&second.to_string()), "{half_known}");
    assert_eq!(world.event("mail", "m1").await.round, 2, "what is refused changes nothing");
    without_effect.unwrap();
}

pub async fn only_consumed_events_are_replayed(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let run = world.reserve(&["m1"]).await;
    world.stop(&run, None, FailureClass::Logic).await.unwrap();
    let (workspace, event_id) = (world.workspace, world.event("mail", "m2").await.id);
    let (action, actor, reason) = (EventAction::Skip, "ada".to_owned(), None);
    let skip = SettleEvent { workspace, event: event_id, action, actor, reason };
    world.store.settle_event(skip).await.unwrap();

    let parked = refusal(&world, event(&world, "m1").await, &[]).await;
    let skipped = refusal(&world, event(&world, "m2").await, &[]).await;
    let pending = refusal(&world, event(&world, "m3").await, &[]).await;
    world.reserve(&["m3"]).await;
    let reserved = refusal(&world, event(&world, "m3").await, &[]).await;

    assert!(parked.contains("--put-back"), "{parked}");
    assert!(skipped.contains("under another id"), "{skipped}");
    assert!(pending.contains("`run`"), "{pending}");
    assert!(reserved.contains("let that end first"), "{reserved}");
}

pub async fn a_repetition_within_a_round_is_recognised(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let first = process(&world, "m1").await;
    world.replay(event(&world, "m1").await, &[first]).await.unwrap();

    let (_, doubtful) = world.doubtful(&["m1"]).await;
    world.resolve(doubtful, ResolutionKind::DidNotHappen).await.unwrap();
    let again = process(&world, "m1").await;

    let [first, doubtful, again] =
        [world.mutation(first).await, world.mutation(doubtful).await, world.mutation(again).await];
    assert_eq!(doubtful.operation_id, again.operation_id);
    assert_eq!(doubtful.idempotency_key, again.idempotency_key);
    assert_ne!(first.operation_id, again.operation_id);
}

pub async fn what_an_input_caused_is_replayed_as_far_as_it_is_consumed(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let first = process(&world, "m1").await;
    let selection = ReplaySelection::Input(world.input_named("m1").await);

    let replayed = world.replay(selection, &[first]).await.unwrap();
    let nothing = refusal(&world, ReplaySelection::Input(world.input_named("m2").await), &[]).await;

    assert_eq!((replayed.settled, replayed.left), (1, 0));
    assert!(nothing.contains("no event that"), "{nothing}");
    let found = world.store.event_rounds(world.workspace, selection).await.unwrap();
    let rounds: Vec<_> = found.iter().flat_map(|it| &it.rounds).map(|it| it.number).collect();
    assert_eq!(rounds, [1], "no run has begun the second one");
    process(&world, "m1").await;
}
