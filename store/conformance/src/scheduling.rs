//! What a workflow does next, and when.

use windlass_core::{SessionResult, Trigger};
use windlass_store::Committed;

use crate::world::{
    TestStore, World, commit_consumer_of, commit_of, event, manifest, pipeline, reservation,
    seconds,
};

pub async fn an_idle_workflow_sleeps_until_its_next_moment(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    let n_runs = world.runs().await.len();

    for _ in 0..3 {
        assert_eq!(world.store.enqueue_due(10).await.unwrap(), 0);
        assert_eq!(world.claim().await, None);
    }

    assert_eq!(world.runs().await.len(), n_runs);
    assert_eq!(world.next_due().await, Some(seconds(300)));
    world.advance(seconds(299));
    assert_eq!(world.next_due().await, Some(seconds(1)));
    assert_eq!(world.store.enqueue_due(10).await.unwrap(), 0);
    world.advance(seconds(1));
    assert_eq!(world.next_due().await, Some(seconds(0)));
    assert_eq!(world.store.enqueue_due(10).await.unwrap(), 1);
}

pub async fn a_producer_is_due_so_long_after_it_ended(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;

    world.advance(seconds(40));
    world.commit_producer(&run, &[], Vec::new()).await.unwrap();

    let now = world.store.now().await.unwrap();
    let producer = world.handler("poll").await;
    assert_eq!(producer.last_run_at, Some(now));
    assert_eq!(producer.next_run_at, Some(now.after(seconds(300))));
    assert_eq!(world.current().await.due_at, Some(now.after(seconds(300))));
}

pub async fn a_missed_moment_is_caught_up_once(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(10 * 300));

    let run = world.take("poll").await;
    world.commit_producer(&run, &[], Vec::new()).await.unwrap();

    assert_eq!(world.claim().await, None);
}

pub async fn consumers_come_before_producers(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.advance(seconds(600));

    let first = world.take("record").await;

    world.prepare(&first, vec![reservation("mail", &["m1"])]).await.unwrap();
    world.commit(&first, vec![event("row", "r1")]).await.unwrap();
    let mut order = Vec::new();
    while let Some(run) = world.claim().await {
        order.push(run.handler.clone());
        if run.handler == "poll" {
            world.commit_producer(&run, &[], Vec::new()).await.unwrap();
        } else {
            world.find_nothing(&run).await;
        }
    }
    assert_eq!(
        order,
        ["tell", "record", "poll"],
        "what waits longest, what has no event, what polls"
    );
}

pub async fn the_consumer_with_the_oldest_event_comes_first(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let two =
        manifest(&[("poll", "5m", &["b"])], &[("first", &["a"], &[]), ("second", &["b"], &["a"])]);
    let world = world.deploy("mail", two).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    world.commit_producer(&run, &[], vec![event("b", "b1"), event("b", "b2")]).await.unwrap();
    let run = world.take("second").await;
    world.prepare(&run, vec![reservation("b", &["b1"])]).await.unwrap();
    world.advance(seconds(1));
    world.commit(&run, vec![event("a", "a1")]).await.unwrap();

    let older = world.take("second").await;
    world.prepare(&older, vec![reservation("b", &["b2"])]).await.unwrap();
    world.commit(&older, Vec::new()).await.unwrap();

    world.take("first").await;
}

pub async fn a_busy_workflow_needs_no_tick(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    world.commit(&run, vec![event("row", "r1")]).await.unwrap();

    let next = world.claims(Some(world.workflow), 1).await.pop().unwrap();
    assert_eq!((next.handler.as_str(), next.session), ("tell", run.session));
}

pub async fn wake_at_brings_a_consumer_back(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let wake_at = world.store.now().await.unwrap().after(seconds(120));
    let mut params = world.prepared(&run, Vec::new());
    params.wake_at = Some(wake_at.to_string());
    world.store.checkpoint_prepare(params).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();

    assert_eq!(world.handler("record").await.wake_at, Some(wake_at));
    assert_eq!(world.current().await.due_at, Some(wake_at));
    world.advance(seconds(119));
    assert_eq!(world.claim().await, None);
    world.advance(seconds(1));
    let woken = world.take("record").await;
    assert_eq!(world.session_of(woken.claim.run).await.trigger, Trigger::Schedule);
    world.find_nothing(&woken).await;
    assert_eq!(world.handler("record").await.wake_at, None, "it does not persist");
}

pub async fn wake_at_is_kept_within_its_limits(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let now = world.store.now().await.unwrap();
    for (wanted, expected) in [
        ("2020-01-01T00:00:00Z", Some(now.after(seconds(30)))),
        ("2099-01-01T00:00:00Z", Some(now.after(seconds(24 * 60 * 60)))),
        ("tomorrow", None),
        ("", None),
    ] {
        let run = world.take("record").await;
        let mut params = world.prepared(&run, vec![reservation("mail", &["m1"])]);
        params.wake_at = Some(wanted.to_owned());

        world.store.checkpoint_prepare(params).await.unwrap();

        assert_eq!(world.handler("record").await.wake_at, expected, "{wanted}");
        world.crash().await;
    }
}

pub async fn an_event_wakes_a_consumer_before_its_time(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let mut params = world.prepared(&run, Vec::new());
    params.wake_at = Some(world.store.now().await.unwrap().after(seconds(3_600)).to_string());
    world.store.checkpoint_prepare(params).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();

    world.poll(&["m2"]).await;

    world.take("record").await;
}

pub async fn a_session_ends_after_its_budget_and_another_goes_on(test_store: TestStore) {
    let mails: Vec<String> = (0..7).map(|n| format!("m{n}")).collect();
    let world = World::pipeline(test_store).await;
    world.drain().await;
    let names: Vec<&str> = mails.iter().map(String::as_str).collect();
    world.poll(&names).await;

    let mut sessions = Vec::new();
    for mail in &names {
        let run = world.reserve(&[mail]).await;
        world.commit(&run, Vec::new()).await.unwrap();
        sessions.push(run.session);
    }

    // The poll was the first of five.
    assert!(sessions[..4].iter().all(|session| *session == sessions[0]));
    assert!(sessions[4..].iter().all(|session| *session == sessions[4]));
    assert_ne!(sessions[0], sessions[4]);
    let first = world.store.session(world.workspace, sessions[0]).await.unwrap();
    assert_eq!((first.result, first.handler_run_count), (Some(SessionResult::Completed), 5));
}

pub async fn a_session_says_why_it_began(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let activated = world.take("record").await;
    assert_eq!(world.session_of(activated.claim.run).await.trigger, Trigger::Event);
    world.find_nothing(&activated).await;
    world.drain().await;

    let polled = world.poll(&["m1"]).await;

    assert_eq!(world.session_of(polled).await.trigger, Trigger::Schedule);
    let (run, _) = world.mutated(&["m1"]).await;
    world.crash().await;
    let retry = world.take("record").await;
    assert_eq!(retry.state.phase, windlass_core::Phase::Emitting);
    assert_ne!(retry.session, run.session);
    assert_eq!(world.session_of(retry.claim.run).await.trigger, Trigger::Retry);
}

pub async fn due_workflows_beyond_the_limit_wait_for_the_next_look(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut all = Vec::new();
    for name in ["a", "b", "c"] {
        let one = world.deploy(name, pipeline()).await;
        one.drain().await;
        all.push(one);
    }
    world.advance(seconds(300));

    assert_eq!(world.store.enqueue_due(2).await.unwrap(), 2);
    assert_eq!(world.store.enqueue_due(2).await.unwrap(), 1);
    assert_eq!(world.store.enqueue_due(2).await.unwrap(), 0);
    for one in all {
        assert!(one.open_run().await.is_some());
    }
}

pub async fn a_commit_may_claim_the_next_run_in_the_same_transaction(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let mut params = commit_consumer_of(&run);
    params.follow_up = Some(world.follow_up());
    params.events = vec![event("row", "r1")];

    let Committed { follow_up } = world.store.commit_consumer(params).await.unwrap();

    let next = follow_up.unwrap();
    assert_eq!(next.handler, "tell");
    assert_eq!(world.run(next.claim.run).await.claimed_by, Some(world.worker.to_string()));
    world.find_nothing(&next).await;
    world.drain().await;
    world.advance(seconds(300));
    let poll = world.take("poll").await;
    let mut params = commit_of(&poll);
    params.follow_up = Some(world.follow_up());
    assert_eq!(world.store.commit_producer(params).await.unwrap().follow_up, None);
}
