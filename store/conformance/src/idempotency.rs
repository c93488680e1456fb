//! A step whose answer was lost with the connection is called again, and is answered as the first time.

use std::fmt::Debug;

use serde_json::json;
use windlass_core::{FailureClass, MutationStatus, Phase, Status};
use windlass_store::{
    CheckpointPrepare, Claim, ClaimFilter, ClaimedRun, CommitConsumer, Committed, Result,
    StoreError,
};

use crate::world::{LEASE, TestStore, World, commit_consumer_of, event, reservation};

/// Calls twice; the second answer is the first one, and changes nothing. Who calls from another workspace is refused.
async fn twice<T: Debug + PartialEq>(
    world: &World,
    run: &ClaimedRun,
    call: impl AsyncFn(&ClaimedRun) -> Result<T>,
) -> T {
    let first = call(run).await.unwrap();
    let before = seen(world, run).await;
    let workspace = world.store.ensure_workspace("elsewhere").await.unwrap();
    let stranger = ClaimedRun { claim: Claim { workspace, ..run.claim }, ..run.clone() };

    let second = call(run).await.unwrap();
    let elsewhere = call(&stranger).await;

    assert_eq!(second, first);
    assert!(elsewhere.is_err(), "{elsewhere:?}");
    assert_eq!(seen(world, run).await, before);
    first
}

async fn seen(world: &World, run: &ClaimedRun) -> impl Debug + PartialEq + use<> {
    let World { store, workspace, workflow, .. } = world;
    (
        world.run(run.claim.run).await,
        world.session_of(run.claim.run).await,
        [world.events("mail").await, world.events("row").await],
        store.all_mutations(*workspace, *workflow).await.unwrap(),
        store.handlers(*workspace, *workflow).await.unwrap(),
        store.all_notifications(*workspace).await.unwrap(),
        store.all_journal(*workspace, *workflow).await.unwrap(),
    )
}

pub async fn every_step_of_a_run_may_be_called_again(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    twice(&world, &run, async |run| world.prepare(run, vec![reservation("mail", &["m1"])]).await)
        .await;
    let mutation = twice(&world, &run, async |run| world.begin(run).await).await;
    twice(&world, &run, async |run| world.apply(run.claim, mutation).await).await;
    twice(&world, &run, async |run| world.commit(run, vec![event("row", "r1")]).await).await;

    assert_eq!(world.run(run.claim.run).await.status, Status::Committed);
}

pub async fn a_stop_may_be_called_again(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    twice(&world, &run, async |run| world.stop(run, None, FailureClass::Logic).await).await;

    assert_eq!(world.run(run.claim.run).await.status, Status::FailedLogic);
}

pub async fn the_answer_to_a_request_may_be_written_again(test_store: TestStore) {
    let failed = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = failed.mutating(&["m1"]).await;
    twice(&failed, &run, async |run| failed.fail(run.claim, mutation, FailureClass::Network).await)
        .await;
    assert_eq!(failed.mutation(mutation).await.status, MutationStatus::Failed);

    failed.advance(LEASE);
    let (run, mutation) = failed.mutating(&["m2"]).await;
    twice(&failed, &run, async |run| failed.doubt(run.claim, mutation).await).await;
    assert_eq!(failed.mutation(mutation).await.status, MutationStatus::Indeterminate);
}

pub async fn a_commit_that_is_called_again_answers_with_the_run_that_it_took(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1"]).await;
    let params = CommitConsumer { follow_up: Some(world.follow_up()), ..commit_consumer_of(&run) };
    let first = world.store.commit_consumer(params.clone()).await.unwrap();
    world.advance(LEASE / 2);

    let second = world.store.commit_consumer(params).await.unwrap();

    assert_eq!(second, first);
    let lease = world.store.agenda(&ClaimFilter::default()).await.unwrap().lease;
    assert_eq!(lease, Some(LEASE), "it counts from the answer that is heard");
    world.find_nothing(&second.follow_up.unwrap()).await;
}

pub async fn a_commit_that_is_called_again_takes_nothing_that_others_have(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1"]).await;
    let params = CommitConsumer { follow_up: Some(world.follow_up()), ..commit_consumer_of(&run) };
    world.store.commit_consumer(params.clone()).await.unwrap();
    world.crash().await;

    let again = world.store.commit_consumer(params).await.unwrap();

    assert_eq!(again, Committed { follow_up: None });
}

pub async fn another_step_than_the_one_that_was_written_is_refused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let run = world.reserve(&["m1"]).await;
    let prepared = world.prepared(&run, vec![reservation("mail", &["m2"])]);
    let other = CheckpointPrepare { result: json!({ "data": "other" }), ..prepared };

    let prepared = world.store.checkpoint_prepare(other).await;
    let mutation = world.begin(&run).await.unwrap();
    world.apply(run.claim, mutation).await.unwrap();
    let begun = world.begin(&run).await;

    assert!(matches!(prepared, Err(StoreError::Illegal(_))), "{prepared:?}");
    assert!(matches!(begun, Err(StoreError::Illegal(_))), "{begun:?}");
    assert_eq!(world.run(run.claim.run).await.phase, Phase::Mutated);
}
