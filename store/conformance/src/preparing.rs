//! The checkpoint of `prepare`: its result, and the events it chose.

use serde_json::json;
use windlass_core::{EventStatus, FailureClass, Phase};
use windlass_store::{CheckpointPrepare, LogFilter, LogSource, Page, Reservation, StoreError};

use crate::world::{TestStore, World, event, log, reservation};

/// Why these reservations are refused; nothing may have changed.
async fn refusal(world: &World, reservations: Vec<Reservation>) -> (String, String) {
    let run = world.take("record").await;
    let before = (world.run(run.claim.run).await, world.events("mail").await);

    let refused = world.prepare(&run, reservations).await.unwrap_err();

    let after = (world.run(run.claim.run).await, world.events("mail").await);
    assert_eq!(after, before, "a refused reservation changes nothing");
    let StoreError::ReservationRefused { topic, message_id, reason } = refused else {
        panic!("expected a refused reservation, found {refused}");
    };
    (format!("{topic}/{message_id}"), reason)
}

pub async fn the_result_is_kept_and_the_events_are_reserved(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let run = world.take("record").await;
    let mut params = world.prepared(&run, vec![reservation("mail", &["m1", "m3"])]);
    params.result =
        json!({ "data": { "total": 3.5, "text": "ä\u{0}\u{1F4E8}" }, "ui": { "title": "a row" } });

    world.store.checkpoint_prepare(params.clone()).await.unwrap();

    let seen = world.run(run.claim.run).await;
    assert_eq!((seen.phase, seen.prepare_result), (Phase::Prepared, Some(params.result)));
    for (mail, status) in
        [("m1", EventStatus::Reserved), ("m2", EventStatus::Pending), ("m3", EventStatus::Reserved)]
    {
        let event = world.event("mail", mail).await;
        let owner = (status == EventStatus::Reserved).then_some(run.claim.run);
        assert_eq!((event.status, event.reserved_by_run_id), (status, owner), "{mail}");
    }
}

pub async fn an_unknown_event_is_refused_with_all_others(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    let (which, reason) = refusal(&world, vec![reservation("mail", &["m1", "m9", "m2"])]).await;

    assert_eq!(which, "mail/m9");
    assert!(reason.contains("no such event"), "{reason}");
}

pub async fn an_event_that_is_done_is_refused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();

    let (which, reason) = refusal(&world, vec![reservation("mail", &["m2", "m1"])]).await;

    assert_eq!(which, "mail/m1");
    assert!(reason.contains("consumed"), "{reason}");
}

pub async fn an_event_of_a_topic_that_is_not_subscribed_is_refused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    world.commit(&run, vec![event("row", "r1")]).await.unwrap();
    let tell = world.take("tell").await;
    world.find_nothing(&tell).await;

    let (which, reason) = refusal(&world, vec![reservation("row", &["r1"])]).await;

    assert_eq!(which, "row/r1");
    assert!(reason.contains("does not subscribe"), "{reason}");
    assert_eq!(world.event("row", "r1").await.status, EventStatus::Pending);
}

pub async fn an_event_of_another_workflow_is_refused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let other = world.polled("other", &["theirs"]).await;

    let (which, reason) = refusal(&world, vec![reservation("mail", &["theirs"])]).await;

    assert_eq!(which, "mail/theirs");
    assert!(reason.contains("no such event"), "{reason}");
    assert_eq!(other.event("mail", "theirs").await.status, EventStatus::Pending);
}

pub async fn an_event_that_is_named_twice_counts_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    world
        .prepare(&run, vec![reservation("mail", &["m1", "m1"]), reservation("mail", &["m1"])])
        .await
        .unwrap();
    world.commit(&run, Vec::new()).await.unwrap();

    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
}

pub async fn reserving_nothing_is_legal(test_store: TestStore) {
    let world = World::empty(test_store).await;
    for (name, reservations) in [("a", vec![]), ("b", vec![reservation("mail", &[])])] {
        let world = world.polled(name, &["m1"]).await;
        let run = world.take("record").await;

        world.prepare(&run, reservations).await.unwrap();

        assert_eq!(world.run(run.claim.run).await.phase, Phase::Prepared);
        assert_eq!(world.event("mail", "m1").await.status, EventStatus::Pending);
        world.commit(&run, Vec::new()).await.unwrap();
    }
}

pub async fn a_run_prepares_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1"]).await;

    let prepared = world.prepared(&run, vec![reservation("mail", &["m2"])]);
    let other = CheckpointPrepare { result: json!({ "data": "other" }), ..prepared };
    let refused = world.store.checkpoint_prepare(other).await.unwrap_err();

    assert!(matches!(refused, StoreError::Illegal(_)), "{refused}");
    assert_eq!(world.event("mail", "m2").await.status, EventStatus::Pending);
}

pub async fn a_producer_does_not_prepare(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(crate::world::seconds(300));
    let run = world.take("poll").await;

    let refused = world.prepare(&run, Vec::new()).await.unwrap_err();

    assert!(matches!(refused, StoreError::Illegal(_)), "{refused}");
}

pub async fn hundreds_of_events_are_reserved_at_once(test_store: TestStore) {
    let names: Vec<String> = (0..1_203).map(|n| format!("m{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let world = World::with_mails(test_store, &names).await;

    let run = world.reserve(&names).await;
    let all = world.events("mail").await;
    world.commit(&run, Vec::new()).await.unwrap();

    assert_eq!(all.len(), names.len());
    assert!(all.iter().all(|event| event.reserved_by_run_id == Some(run.claim.run)));
    let published: Vec<&str> = all.iter().map(|event| event.message_id.as_str()).collect();
    assert_eq!(published, names, "oldest first, and of one instant in the order of publishing");
    let done = world.events("mail").await;
    assert!(done.iter().all(|event| event.status == EventStatus::Consumed));
}

pub async fn log_lines_are_counted_through_all_phases(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let mut params = world.prepared(&run, Vec::new());
    params.logs = vec![log("one"), log("two")];
    world.store.checkpoint_prepare(params).await.unwrap();
    let mut params = crate::world::commit_consumer_of(&run);
    params.logs = vec![log("three")];

    world.store.commit_consumer(params).await.unwrap();

    let filter = LogFilter {
        workspace: world.workspace,
        of: LogSource::Run(run.claim.run),
        page: Page::first(u32::MAX),
    };
    let lines = world.store.all_logs(filter).await.unwrap();
    let lines: Vec<_> = lines.iter().map(|line| (line.seq, line.message.as_str())).collect();
    assert_eq!(lines, [(1, "one"), (2, "two"), (3, "three")]);
}

pub async fn a_refused_reservation_leaves_the_run_to_be_stopped(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    world.prepare(&run, vec![reservation("mail", &["m9"])]).await.unwrap_err();

    world.stop(&run, None, FailureClass::Logic).await.unwrap();

    assert_eq!(world.run(run.claim.run).await.phase, Phase::Preparing);
    assert!(world.current().await.maintenance);
}
