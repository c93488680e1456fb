//! Commits: everything of a run becomes true at once.

use serde_json::json;
use windlass_core::{EventStatus, FailureClass, Id, InputId, Phase, Status};
use windlass_store::{NewEvent, NewInput, StoreError};

use crate::world::{
    TestStore, World, commit_consumer_of, commit_of, event, log, manifest, reservation, seconds,
    start,
};

pub async fn a_producers_commit_is_one_thing(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let input = world.input("m1");
    let mut params = commit_of(&run);
    params.state = Some(json!({ "cursor": 1 }));
    params.inputs = vec![input.clone()];
    params.events = vec![NewEvent { caused_by: vec![input.id], ..event("mail", "m1") }];
    params.logs = vec![log("polled")];

    world.store.commit_producer(params).await.unwrap();

    let seen = world.run(run.claim.run).await;
    let published = world.event("mail", "m1").await;
    assert_eq!((seen.phase, seen.status), (Phase::Committed, Status::Committed));
    assert_eq!((seen.output_state, seen.ended_at.is_some()), (Some(json!({ "cursor": 1 })), true));
    assert_eq!(world.handler("poll").await.state, Some(json!({ "cursor": 1 })));
    assert_eq!((published.status, published.attempt_number), (EventStatus::Pending, 1));
    assert_eq!(published.created_by_run_id, run.claim.run);
    assert_eq!(published.payload, json!({ "id": "m1" }));
    let entered = world.store.input(world.workspace, input.id).await.unwrap();
    assert_eq!((entered.source.as_str(), entered.title.as_str()), ("Mail", "the mail m1"));
    assert!(world.handler("record").await.has_work);
    assert!(!world.handler("tell").await.has_work);
    assert_eq!(world.session_of(run.claim.run).await.handler_run_count, 1);
}

pub async fn a_refused_commit_leaves_nothing_behind(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let stranger = InputId::mint(start());
    let mut params = commit_of(&run);
    params.state = Some(json!("lost"));
    params.inputs = vec![world.input("m1")];
    params.events =
        vec![event("mail", "m1"), NewEvent { caused_by: vec![stranger], ..event("mail", "m2") }];

    let refused = world.store.commit_producer(params).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotFound { what: "input", .. }), "{refused}");
    assert_eq!(world.events("mail").await, []);
    assert_eq!(world.store.all_inputs(world.workspace, world.workflow).await.unwrap(), []);
    assert_eq!(world.handler("poll").await.state, None);
    assert_eq!(world.run(run.claim.run).await.status, Status::Active);
}

pub async fn a_consumers_commit_is_one_thing(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    let mut params = commit_consumer_of(&run);
    params.state = Some(json!({ "rows": 1 }));
    params.events = vec![event("row", "r1")];

    world.store.commit_consumer(params).await.unwrap();

    let seen = world.run(run.claim.run).await;
    let consumed = world.event("mail", "m1").await;
    assert_eq!((seen.phase, seen.status), (Phase::Committed, Status::Committed));
    assert_eq!(consumed.status, EventStatus::Consumed);
    assert_eq!(consumed.reserved_by_run_id, Some(run.claim.run), "who consumed it stays known");
    assert_eq!(world.event("mail", "m2").await.status, EventStatus::Pending);
    assert_eq!(world.event("row", "r1").await.status, EventStatus::Pending);
    assert_eq!(world.handler("record").await.state, Some(json!({ "rows": 1 })));
    assert!(world.handler("tell").await.has_work);
}

pub async fn a_run_commits_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();

    let again = world.commit(&run, vec![event("row", "r1")]).await.unwrap();

    assert_eq!(again.follow_up, None);
    assert_eq!(world.events("row").await, []);
    assert_eq!(world.session_of(run.claim.run).await.handler_run_count, 2);
}

pub async fn a_producer_and_a_consumer_commit_in_their_own_ways(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let consumer = world.reserve(&["m1"]).await;

    let as_producer = world.commit_producer(&consumer, &[], Vec::new()).await.unwrap_err();
    world.commit(&consumer, Vec::new()).await.unwrap();
    world.drain().await;
    world.advance(seconds(300));
    let producer = world.take("poll").await;
    let as_consumer = world.commit(&producer, Vec::new()).await.unwrap_err();

    assert!(matches!(as_producer, StoreError::Illegal(_)), "{as_producer}");
    assert!(matches!(as_consumer, StoreError::Illegal(_)), "{as_consumer}");
}

pub async fn a_consumer_commits_only_what_is_prepared_and_settled(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    let unprepared = world.commit(&run, Vec::new()).await.unwrap_err();
    world.prepare(&run, vec![reservation("mail", &["m1"])]).await.unwrap();
    let mutation = world.begin(&run).await.unwrap();
    let in_flight = world.commit(&run, Vec::new()).await.unwrap_err();
    world.apply(run.claim, mutation).await.unwrap();

    assert!(matches!(unprepared, StoreError::Illegal(_)), "{unprepared}");
    assert!(matches!(in_flight, StoreError::Illegal(_)), "{in_flight}");
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
    world.commit(&run, Vec::new()).await.unwrap();
}

pub async fn without_a_returned_state_the_old_one_stays(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let mut params = commit_consumer_of(&run);
    params.state = Some(json!(1));
    world.store.commit_consumer(params).await.unwrap();

    world.drain().await;

    assert_eq!(world.handler("record").await.state, Some(json!(1)));
}

pub async fn a_consumer_looks_again_until_it_finds_nothing(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    for mail in ["m1", "m2"] {
        let run = world.reserve(&[mail]).await;
        world.commit(&run, Vec::new()).await.unwrap();
        assert!(world.handler("record").await.has_work, "{mail}");
    }
    let run = world.take("record").await;
    world.find_nothing(&run).await;

    assert!(!world.handler("record").await.has_work);
    assert_eq!(world.claim().await, None);
}

pub async fn a_consumer_that_feeds_itself_has_work(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let circle = manifest(&[], &[("again", &["loop"], &["loop"])]);
    let world = world.deploy("mail", circle).await;
    let run = world.take("again").await;
    world.prepare(&run, Vec::new()).await.unwrap();

    world.commit(&run, vec![event("loop", "one")]).await.unwrap();

    world.take("again").await;
}

pub async fn a_registered_input_keeps_its_id_and_title(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.drain().await;
    let known =
        world.store.all_inputs(world.workspace, world.workflow).await.unwrap().pop().unwrap();
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let again = NewInput { title: "another title".to_owned(), ..world.input("m1") };
    let fresh = world.input("m2");
    let caused = |id| NewEvent { caused_by: vec![id], ..event("mail", &id.to_string()) };

    let events = vec![caused(again.id), caused(fresh.id), caused(known.id)];
    world.commit_producer(&run, &[again.clone(), fresh.clone()], events).await.unwrap();

    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let listed: Vec<_> = inputs.iter().map(|input| (input.id, input.title.as_str())).collect();
    assert_eq!(listed, [(known.id, "the mail m1"), (fresh.id, "the mail m2")]);
    assert!(world.store.input(world.workspace, again.id).await.is_err());
    let found = world.store.find_input(world.input_key(["Mail", "message", "m1"])).await.unwrap();
    assert_eq!(found, Some(known.id));
}

pub async fn one_key_in_two_workflows_is_two_inputs(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;

    let other = world.polled("other", &["m1"]).await;

    let here = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let there = other.store.all_inputs(other.workspace, other.workflow).await.unwrap();
    assert_eq!((here.len(), there.len()), (1, 1));
    assert_ne!(here[0].id, there[0].id);
}

pub async fn an_input_of_another_workflow_causes_nothing_here(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let theirs =
        world.store.all_inputs(world.workspace, world.workflow).await.unwrap().pop().unwrap();
    let other = world.deploy("other", crate::world::pipeline()).await;
    other.drain().await;
    other.advance(seconds(300));
    let run = other.take("poll").await;

    let events = vec![NewEvent { caused_by: vec![theirs.id], ..event("mail", "m1") }];
    let refused = other.commit_producer(&run, &[], events).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotFound { what: "input", .. }), "{refused}");
}

pub async fn an_undeclared_topic_takes_no_event(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    let refused = world.commit(&run, vec![event("nowhere", "n1")]).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotFound { what: "topic", .. }), "{refused}");
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
}

pub async fn events_published_in_next_are_caused_by_everything_reserved(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let run = world.reserve(&["m1", "m2"]).await;
    let half = NewEvent { caused_by: vec![inputs[0].id], ..event("row", "r1") };
    world.commit(&run, vec![half]).await.unwrap();
    let tell = world.take("tell").await;
    world.prepare(&tell, vec![reservation("row", &["r1"])]).await.unwrap();

    let mutation = world.begin(&tell).await.unwrap();

    let mut causes = world.mutation(mutation).await.inputs;
    causes.sort();
    assert_eq!(causes, [inputs[0].id, inputs[1].id]);
}

pub async fn a_failed_producer_is_due_again_and_leaves_nothing(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let due = world.handler("poll").await.next_run_at;
    let run = world.take("poll").await;

    world.stop(&run, None, FailureClass::Network).await.unwrap();

    assert_eq!(world.handler("poll").await.next_run_at, due);
    assert_eq!(world.handler("poll").await.last_run_at, Some(start()));
    world.advance(seconds(10));
    world.take("poll").await;
}
