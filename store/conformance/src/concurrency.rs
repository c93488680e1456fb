//! Many callers at once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use windlass_core::{Action, FailureClass, Id, Status, WorkerId, WorkflowStatus};
use windlass_store::{ClaimFilter, ClaimRuns, ClaimScope, StoreError};

use crate::world::{LEASE, TestStore, World, event, pipeline, seconds, start};

/// Workflows with a queued run each.
async fn busy(test_store: TestStore, n_workflows: usize) -> Vec<World> {
    let world = World::empty(test_store).await;
    let mut all = Vec::new();
    for n in 0..n_workflows {
        all.push(world.deploy(&format!("mail {n}"), pipeline()).await);
    }
    all
}

pub async fn many_workers_claim_each_run_once(test_store: TestStore) {
    let all = busy(test_store, 30).await;
    let store = &all[0].store;
    let worker = async || {
        let worker = WorkerId::mint(start());
        let mut claimed = Vec::new();
        loop {
            let params = ClaimRuns {
                worker,
                limit: 3,
                lease: LEASE,
                scope: ClaimScope::Matching(ClaimFilter::default()),
            };
            let some = store.claim_runs(params).await.unwrap();
            if some.is_empty() {
                break claimed;
            }
            claimed.extend(some.into_iter().map(|run| run.claim.run));
        }
    };

    let claimed: Vec<_> = join_all((0..8).map(|_| worker())).await.into_iter().flatten().collect();

    assert_eq!(claimed.len(), 30);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 30);
}

pub async fn a_transaction_that_fails_does_not_affect_those_beside_it(test_store: TestStore) {
    let all = busy(test_store, 24).await;
    let mut runs = Vec::new();
    for world in &all {
        let run = world.take("record").await;
        world.prepare(&run, Vec::new()).await.unwrap();
        runs.push(run);
    }
    let commit = async |nth: usize| {
        // Every third one publishes to a topic that is not there, after it has published to one that is.
        let mut events = vec![event("row", "r1")];
        if nth.is_multiple_of(3) {
            events.push(event("nowhere", "n1"));
        }
        all[nth].commit(&runs[nth], events).await
    };

    let answers = join_all((0..all.len()).map(commit)).await;

    for (nth, answer) in answers.into_iter().enumerate() {
        let (run, rows) = (all[nth].run(runs[nth].claim.run).await, all[nth].events("row").await);
        if nth.is_multiple_of(3) {
            assert!(matches!(answer, Err(StoreError::NotFound { .. })), "{nth}: {answer:?}");
            assert_eq!((run.status, rows.len()), (Status::Active, 0), "{nth}");
        } else {
            assert!(answer.is_ok(), "{nth}: {answer:?}");
            assert_eq!((run.status, rows.len()), (Status::Committed, 1), "{nth}");
        }
    }
}

pub async fn a_run_that_is_ended_twice_at_once_ends_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    let (committed, stopped) =
        futures::join!(world.commit(&run, Vec::new()), world.stop(&run, None, FailureClass::Logic));

    assert_ne!(committed.is_ok(), stopped.is_ok(), "{committed:?} and {stopped:?}");
    let status = world.run(run.claim.run).await.status;
    let expected = if committed.is_ok() { Status::Committed } else { Status::FailedLogic };
    assert_eq!(status, expected);
}

pub async fn a_pause_and_a_stop_at_the_same_moment_are_both_kept(test_store: TestStore) {
    let all = busy(test_store, 16).await;
    let mut runs = Vec::new();
    for world in &all {
        runs.push(world.take("record").await);
    }
    let pause = async |nth: usize| all[nth].control(Action::Pause).await.map(drop);
    let stop = async |nth: usize| all[nth].stop(&runs[nth], None, FailureClass::Auth).await;

    let (paused, stopped) =
        futures::join!(join_all((0..all.len()).map(pause)), join_all((0..all.len()).map(stop)));

    assert!(paused.iter().chain(&stopped).all(Result::is_ok), "{paused:?} and {stopped:?}");
    for world in &all {
        let seen = world.current().await;
        assert_eq!(
            seen.status,
            WorkflowStatus::Paused,
            "what the person wanted is not overwritten"
        );
        assert_eq!(seen.error_class, Some(FailureClass::Auth), "nor what the system has to say");
    }
}

pub async fn many_workers_enqueue_a_due_workflow_once(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    let n_before = world.runs().await.len();
    world.advance(seconds(300));

    let enqueued = join_all((0..6).map(|_| world.store.enqueue_due(10))).await;

    assert!(enqueued.iter().all(Result::is_ok), "{enqueued:?}");
    assert_eq!(world.runs().await.len(), n_before + 1);
}

pub async fn a_waiting_worker_is_woken_by_new_work(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut wake_ups = world.store.wake_ups();

    let world = world.deploy("mail", pipeline()).await;

    heard(&mut wake_ups).await;
    let run = world.take("record").await;
    world.prepare(&run, Vec::new()).await.unwrap();
    let mut wake_ups = world.store.wake_ups();
    world.commit(&run, vec![event("row", "r1")]).await.unwrap();
    heard(&mut wake_ups).await;
}

async fn heard(wake_ups: &mut windlass_store::WakeUps) {
    let heard = tokio::time::timeout(Duration::from_secs(20), wake_ups.wait()).await;
    assert!(heard.is_ok(), "nothing was heard");
}

pub async fn claiming_nothing_wakes_nobody(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    // Whatever is still on its way arrives before this does.
    let other = world.deploy("other", pipeline()).await;
    other.drain().await;
    let mut wake_ups = world.store.wake_ups();
    while is_heard(&mut wake_ups).await {}

    assert_eq!(world.store.enqueue_due(10).await.unwrap(), 0);
    assert_eq!(world.claims(None, 10).await, []);
    assert_eq!(world.recover().await, []);

    assert!(!is_heard(&mut wake_ups).await, "nothing has changed, so nothing is to be heard");
}

pub async fn a_claim_wakes_nobody(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let mut wake_ups = world.store.wake_ups();
    while is_heard(&mut wake_ups).await {}

    let claimed = world.claim().await;

    assert!(claimed.is_some());
    assert!(!is_heard(&mut wake_ups).await, "there is less to do than before, and not more");
}

/// Whether anything is heard within a time in which everything on its way arrives.
async fn is_heard(wake_ups: &mut windlass_store::WakeUps) -> bool {
    tokio::time::timeout(Duration::from_millis(300), wake_ups.wait()).await.is_ok()
}
