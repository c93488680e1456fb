//! Workers take runs, and keep them.

use serde_json::json;
use windlass_core::{EventStatus, FailureClass, HandlerKind, Id, Phase, RunId, Status, WorkerId};
use windlass_store::{Claim, ClaimedRun, StoreError};

use crate::world::{
    LEASE, TestStore, World, commit_consumer_of, commit_of, event, pipeline, reservation, seconds,
    start,
};

pub async fn a_claimed_run_carries_all_that_driving_it_needs(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let queued = world.open_run().await.unwrap();

    let claimed = world.claim().await.unwrap();

    let run = world.run(queued.id).await;
    let (workspace, workflow) = (world.workspace, world.workflow);
    assert_eq!(claimed.claim, Claim { workspace, workflow, run: queued.id, fence: 1 });
    assert_eq!(claimed.workflow_name, "mail");
    assert_eq!((claimed.script, claimed.session), (run.script_id, run.session_id));
    assert_eq!((claimed.state.kind, claimed.handler.as_str()), (HandlerKind::Consumer, "record"));
    assert_eq!((claimed.state.phase, claimed.state.status), (Phase::Preparing, Status::Active));
    assert_eq!((run.phase, run.status), (Phase::Preparing, Status::Active));
    assert_eq!(run.started_at, Some(start()));
    assert_eq!(run.claimed_by, Some(world.worker.to_string()));
}

pub async fn a_claimed_run_is_not_claimed_again(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    let first = world.claims(None, 10).await;
    let second = world.claims(None, 10).await;

    assert_eq!(first.len(), 1);
    assert_eq!(second, []);
}

pub async fn the_run_that_waits_longest_is_claimed_first(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let mut waiting = Vec::new();
    for name in ["c", "a", "b"] {
        let one = world.deploy(name, pipeline()).await;
        waiting.push(one.open_run().await.unwrap().id);
        world.advance(seconds(1));
    }

    let first = world.claims(None, 2).await;
    let rest = world.claims(None, 2).await;

    let claimed: Vec<RunId> = first.iter().chain(&rest).map(|run| run.claim.run).collect();
    assert_eq!(first.len(), 2);
    assert_eq!(claimed, waiting);
}

pub async fn a_worker_may_ask_for_one_workflow_only(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let first = world.deploy("a", pipeline()).await;
    let second = world.deploy("b", pipeline()).await;

    let claimed = world.claims(Some(second.workflow), 10).await;

    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].claim.workflow, second.workflow);
    assert_eq!(first.open_run().await.unwrap().status, Status::Queued);
}

pub async fn a_workflow_has_one_open_run(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(600));
    world.take("poll").await;

    world.store.enqueue_due(10).await.unwrap();

    assert_eq!(world.claim().await, None);
    let open = world.runs().await.into_iter().filter(|run| run.status.is_open()).count();
    assert_eq!(open, 1);
}

pub async fn the_next_run_is_given_the_state_that_was_committed(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let first = world.take("poll").await;
    let mut params = commit_of(&first);
    params.state = Some(json!({ "cursor": [1, "ä", null] }));
    world.store.commit_producer(params).await.unwrap();
    world.advance(seconds(300));

    let second = world.take("poll").await;

    assert_eq!(first.input_state, None);
    assert_eq!(second.input_state, Some(json!({ "cursor": [1, "ä", null] })));
    let run = world.run(second.claim.run).await;
    assert_eq!((run.input_state, run.output_state), (second.input_state, None));
    assert!(world.run(first.claim.run).await.output_state.is_some());
}

pub async fn handlers_of_one_name_and_two_kinds_keep_two_states(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let twins = crate::world::manifest(&[("x", "5m", &["mail"])], &[("x", &["mail"], &[])]);
    let world = world.deploy("mail", twins).await;
    let consumer = world.take("x").await;
    world.prepare(&consumer, Vec::new()).await.unwrap();
    let mut params = commit_consumer_of(&consumer);
    params.state = Some(json!("the consumer's"));
    world.store.commit_consumer(params).await.unwrap();

    let producer = world.take("x").await;

    assert_eq!(producer.state.kind, HandlerKind::Producer);
    assert_eq!(producer.input_state, None);
}

/// Tries everything that a worker can write to a run, with a claim that is not `run`'s own: all of it is refused, and nothing
/// changes.
async fn write_in_vain(world: &World, run: &ClaimedRun, claim: Claim) {
    let seen = async || {
        (world.run(run.claim.run).await, world.current().await, world.events("mail").await)
    };
    let before = seen().await;
    let stale = ClaimedRun { claim, ..run.clone() };
    let mutation = before.0.mutation_id;
    let mutation = mutation.unwrap_or_else(|| windlass_core::MutationId::mint(start()));

    let answers = [
        world.prepare(&stale, vec![reservation("mail", &["m1"])]).await,
        world.begin(&stale).await.map(drop),
        world.apply(claim, mutation).await,
        world.fail(claim, mutation, FailureClass::Logic).await,
        world.doubt(claim, mutation).await,
        world.commit_producer(&stale, &[], vec![event("mail", "late")]).await.map(drop),
        world.commit(&stale, vec![event("row", "late")]).await.map(drop),
        world.stop(&stale, None, FailureClass::Logic).await,
    ];

    for (nth, answer) in answers.into_iter().enumerate() {
        let refused = answer.unwrap_err();
        assert!(matches!(refused, StoreError::ClaimLost { .. }), "{nth}: {refused}");
    }
    assert_eq!(seen().await, before);
}

pub async fn with_an_older_fence_nothing_can_be_written(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let stale = Claim { fence: run.claim.fence - 1, ..run.claim };

    write_in_vain(&world, &run, stale).await;
}

pub async fn after_its_end_nothing_can_be_written(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.crash().await;

    write_in_vain(&world, &run, run.claim).await;
}

pub async fn nothing_can_be_written_to_a_run_that_never_was(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let unknown = Claim { run: RunId::mint(start()), ..run.claim };

    let refused =
        world.stop(&ClaimedRun { claim: unknown, ..run }, None, FailureClass::Logic).await;

    assert!(matches!(refused, Err(StoreError::ClaimLost { .. })), "{refused:?}");
}

pub async fn nothing_can_be_written_to_a_run_of_another_workflow(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    let other = world.deploy("other", pipeline()).await;
    let beside_it = Claim { workflow: other.workflow, ..run.claim };

    write_in_vain(&world, &run, beside_it).await;
}

pub async fn an_expired_lease_still_writes_while_nobody_took_the_run(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    world.advance(LEASE * 3);
    world.commit(&run, Vec::new()).await.unwrap();

    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
}

pub async fn a_renewed_lease_is_not_taken_for_lost(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    for _ in 0..5 {
        world.advance(LEASE - seconds(1));
        assert_eq!(world.heartbeat(&[run.claim]).await, [run.claim.run]);
        assert_eq!(world.recover().await, []);
    }

    world.advance(LEASE);
    assert_eq!(world.recover().await.len(), 1);
}

pub async fn a_renewal_tells_what_is_lost(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let kept = world.deploy("a", pipeline()).await.claim().await.unwrap();
    let other = world.deploy("b", pipeline()).await;
    let lost = other.claim().await.unwrap();
    other.stop(&lost, None, FailureClass::Logic).await.unwrap();
    let older = Claim { fence: kept.claim.fence - 1, ..kept.claim };

    let held = world.heartbeat(&[lost.claim, kept.claim]).await;
    let stale = world.heartbeat(&[older]).await;

    assert_eq!(held, [kept.claim.run]);
    assert_eq!(stale, []);
}

pub async fn the_store_knows_when_a_lease_ends(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.claim().await.unwrap();

    world.advance(seconds(20));

    assert_eq!(world.next_due().await, Some(LEASE - seconds(20)));
}

pub async fn two_workers_have_two_claims(test_store: TestStore) {
    let world = World::empty(test_store).await;
    let first = world.deploy("a", pipeline()).await;
    let second = World { worker: WorkerId::mint(start()), ..world.deploy("b", pipeline()).await };
    let held = first.claim().await.unwrap();
    second.claim().await.unwrap();

    let recovered = world.recover_from(vec![second.worker]).await;

    assert_eq!(recovered.len(), 1);
    assert_eq!(recovered[0].workflow_name, "b");
    first.find_nothing(&held).await;
}

pub async fn a_run_never_starts_before_it_was_queued(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let queued = world.open_run().await.unwrap();
    world.clock.set(queued.created_at.before(seconds(1)));

    let claimed = world.claim().await.unwrap();

    let started = world.store.run(world.workspace, claimed.claim.run).await.unwrap();
    assert_eq!((started.id, started.started_at), (queued.id, Some(queued.created_at)));
}
