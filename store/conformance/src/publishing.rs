//! Publishing: once per topic and message id.

use serde_json::json;
use windlass_core::{EventStatus, Failure, ResolutionKind};
use windlass_store::{NewEvent, NewInput, StopRun};

use crate::world::{TestStore, World, event, event_with, log, manifest, seconds};

/// Lets the producer publish `m1` again, saying `payload`.
async fn republish(world: &World, payload: serde_json::Value) {
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let events = vec![event_with("mail", "m1", payload)];
    world.commit_producer(&run, &[], events).await.unwrap();
}

/// The consumer has looked at what there is, found `m1` not ready yet, and rests.
async fn resting(test_store: TestStore) -> World {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    world.find_nothing(&run).await;
    assert!(!world.handler("record").await.has_work);
    world
}

pub async fn a_pending_event_says_what_was_published_last(test_store: TestStore) {
    let world = resting(test_store).await;
    let before = world.event("mail", "m1").await;

    republish(&world, json!({ "corrected": true })).await;

    let after = world.event("mail", "m1").await;
    assert_eq!(after.payload, json!({ "corrected": true }));
    assert_eq!((after.id, after.attempt_number), (before.id, 1));
    assert_eq!(after.created_by_run_id, before.created_by_run_id);
    assert!(world.handler("record").await.has_work);
}

pub async fn publishing_the_same_again_wakes_nobody(test_store: TestStore) {
    let world = resting(test_store).await;

    republish(&world, json!({ "id": "m1" })).await;

    assert!(!world.handler("record").await.has_work);
    assert_eq!(world.events("mail").await.len(), 1);
}

pub async fn a_reserved_event_stays_as_its_run_saw_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;
    let before = world.event("mail", "m1").await;
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();
    let again = world.reserve(&["m1"]).await;
    assert_ne!(again.claim.run, run.claim.run);

    // A run publishes what it has itself reserved.
    let other = world.event("mail", "m1").await;
    world.commit(&again, vec![event_with("mail", "m1", json!("changed"))]).await.unwrap();

    let after = world.event("mail", "m1").await;
    assert_eq!(other.status, EventStatus::Reserved);
    assert_eq!((after.payload, after.status), (before.payload, EventStatus::Consumed));
}

pub async fn a_consumed_event_stays_as_it_was(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    world.drain().await;
    let before = world.event("mail", "m1").await;

    republish(&world, json!("changed")).await;

    assert_eq!(world.event("mail", "m1").await, before);
    assert!(!world.handler("record").await.has_work);
    assert_eq!(world.claim().await, None);
}

pub async fn a_skipped_event_stays_skipped(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.doubtful(&["m1"]).await;
    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();
    let retry = world.take("record").await;
    world.commit(&retry, Vec::new()).await.unwrap();
    world.drain().await;
    let before = world.event("mail", "m1").await;
    assert_eq!(before.status, EventStatus::Skipped);

    republish(&world, json!("changed")).await;

    assert_eq!(world.event("mail", "m1").await, before);
}

pub async fn one_message_may_stand_in_several_topics(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let fan_out = manifest(
        &[("poll", "5m", &["sheets", "chat"])],
        &[("sheet", &["sheets"], &[]), ("chatter", &["chat"], &[])],
    );
    let world = world.deploy("mail", fan_out).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let both = ["sheets", "chat"].map(str::to_owned).to_vec();

    world
        .commit_producer(&run, &[], vec![NewEvent { topics: both, ..event("sheets", "m1") }])
        .await
        .unwrap();

    let (sheets, chat) = (world.event("sheets", "m1").await, world.event("chat", "m1").await);
    assert_ne!(sheets.id, chat.id);
    assert_eq!(sheets.payload, chat.payload);
    assert!(world.handler("sheet").await.has_work && world.handler("chatter").await.has_work);
}

pub async fn the_last_of_two_equal_events_in_a_commit_counts(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let events = vec![
        event_with("mail", "m1", json!(1)),
        event("mail", "m2"),
        event_with("mail", "m1", json!(2)),
    ];

    world.commit_producer(&run, &[], events).await.unwrap();

    assert_eq!(world.events("mail").await.len(), 2);
    assert_eq!(world.event("mail", "m1").await.payload, json!(2));
}

pub async fn a_corrected_event_has_the_causes_it_was_given_last(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let input: NewInput = world.input("m1, second part");
    let events = vec![NewEvent { caused_by: vec![input.id], ..event_with("mail", "m1", json!(2)) }];
    world.commit_producer(&run, std::slice::from_ref(&input), events).await.unwrap();

    let (_, mutation) = world.mutating(&["m1"]).await;

    assert_eq!(world.mutation(mutation).await.inputs, [input.id]);
}

pub async fn a_topic_without_subscribers_keeps_its_events(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let silent = manifest(&[("poll", "5m", &["mail", "log"])], &[("record", &["mail"], &[])]);
    let world = world.deploy("mail", silent).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;

    world.commit_producer(&run, &[], vec![event("log", "l1")]).await.unwrap();

    assert_eq!(world.event("log", "l1").await.status, EventStatus::Pending);
    assert_eq!(world.claim().await, None);
}

pub async fn a_text_with_a_nul_is_kept_as_well_as_a_database_can(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let input = world.input("m\0");
    let events = vec![NewEvent {
        caused_by: vec![input.id],
        ..event_with("mail", "m\0", json!({ "nul\0": "\0" }))
    }];

    world.commit_producer(&run, std::slice::from_ref(&input), events).await.unwrap();

    let published = world.event("mail", "m\u{FFFD}").await;
    assert_eq!(published.payload, json!({ "nul\0": "\0" }));
    let found = world.store.find_input(world.input_key(["Mail", "message", "m\0"])).await.unwrap();
    assert_eq!(found, Some(input.id));
    let run = world.reserve(&["m\0"]).await;
    let failure = Failure::logic("a\0b");
    let logs = vec![log("c\0d")];
    let params = StopRun { claim: run.claim, entered: None, failure, seen: Vec::new(), logs };
    world.store.stop_run(params).await.unwrap();
    assert_eq!(world.run(run.claim.run).await.error.as_deref(), Some("a\u{FFFD}b"));
}

pub async fn many_and_large_events_are_published_at_once(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let large = "ä".repeat(4 * 1024 * 1024);
    let mut events: Vec<NewEvent> =
        (0..1_100).map(|n| event("mail", &format!("m{n:04}"))).collect();
    events.push(event_with("mail", "large", json!({ "text": large })));

    world.commit_producer(&run, &[], events).await.unwrap();

    assert_eq!(world.events("mail").await.len(), 1_101);
    assert_eq!(world.event("mail", "large").await.payload, json!({ "text": large }));
}
