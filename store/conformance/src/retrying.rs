//! Retries: after its effect a run only goes forward.

use serde_json::json;
use windlass_core::{
    EventStatus, FailureClass, MutationStatus, Outcome, Phase, ResolutionKind, Status,
};
use windlass_store::{ClaimedRun, StoreError};

use crate::world::{TestStore, World, event, seconds};

/// A run whose effect happened and whose `next` failed on the network, and the retry of it.
async fn retried(world: &World) -> (ClaimedRun, ClaimedRun) {
    let (run, _) = world.mutated(&["m1"]).await;
    world.stop(&run, Some(Phase::Emitting), FailureClass::Network).await.unwrap();
    assert_eq!(world.claim().await, None, "a back-off also holds a retry");
    world.advance(seconds(10));
    let retry = world.take("record").await;
    (run, retry)
}

pub async fn a_retry_goes_on_from_next_with_all_that_the_first_had(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;

    let (run, retry) = retried(&world).await;

    assert_eq!((retry.state.phase, retry.state.outcome), (Phase::Emitting, Some(Outcome::Success)));
    assert_eq!(retry.prepare_result, Some(json!({ "data": "prepared" })));
    assert_eq!(retry.mutation_result, Some(json!({ "row": 7 })));
    let (first, second) = (world.run(run.claim.run).await, world.run(retry.claim.run).await);
    assert_eq!(second.retry_of, Some(first.id));
    assert_eq!(second.mutation_id, first.mutation_id);
    assert_eq!(second.input_state, first.input_state);
    assert_ne!(second.session_id, first.session_id);
    assert_eq!(first.status, Status::PausedTransient, "a stopped run is never started again");
    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.reserved_by_run_id), (EventStatus::Reserved, Some(second.id)));
    assert_eq!(event.attempt_number, 1);
    assert_eq!(world.current().await.pending_retry_run_id, None);
}

pub async fn a_retry_consumes_what_the_first_reserved(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let (_, retry) = retried(&world).await;

    world.commit(&retry, vec![event("row", "r1")]).await.unwrap();

    let consumed = world.event("mail", "m1").await;
    assert_eq!(consumed.status, EventStatus::Consumed);
    assert_eq!(consumed.reserved_by_run_id, Some(retry.claim.run));
    let tell = world.take("tell").await;
    world.prepare(&tell, vec![crate::world::reservation("row", &["r1"])]).await.unwrap();
    let mutation = world.begin(&tell).await.unwrap();
    assert_eq!(world.mutation(mutation).await.inputs, [inputs[0].id]);
}

pub async fn a_retry_neither_prepares_nor_mutates(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, retry) = retried(&world).await;

    let prepared = world.prepare(&retry, Vec::new()).await.unwrap_err();
    let mutated = world.begin(&retry).await.unwrap_err();

    assert!(matches!(prepared, StoreError::Illegal(_)), "{prepared}");
    assert!(matches!(mutated, StoreError::Illegal(_)), "{mutated}");
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap().len(), 1);
}

pub async fn a_retry_comes_before_everything_else(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.stop(&run, None, FailureClass::Internal).await.unwrap();
    world.advance(seconds(3_600));

    world.control(windlass_core::Action::Resume).await.unwrap();

    let retry = world.take("record").await;
    assert_eq!(world.run(retry.claim.run).await.retry_of, Some(run.claim.run));
}

pub async fn a_retry_that_stops_is_continued_by_another(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, retry) = retried(&world).await;

    world.stop(&retry, None, FailureClass::Logic).await.unwrap();
    assert_eq!(world.claim().await, None);
    world.redeploy("// repaired", crate::world::pipeline()).await;
    let third = world.take("record").await;
    world.commit(&third, Vec::new()).await.unwrap();

    assert_eq!(world.run(third.claim.run).await.retry_of, Some(retry.claim.run));
    assert_eq!(third.mutation_result, Some(json!({ "row": 7 })));
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
    assert_eq!(world.event("mail", "m1").await.reserved_by_run_id, Some(third.claim.run));
    let commits = world.runs().await.into_iter().filter(|run| run.mutation_id.is_some());
    assert_eq!(commits.filter(|run| run.status == Status::Committed).count(), 1);
}

pub async fn giving_up_on_the_network_keeps_the_retry(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (mut run, _) = world.mutated(&["m1"]).await;
    for _ in 0..5 {
        world.stop(&run, None, FailureClass::Network).await.unwrap();
        world.advance(seconds(600));
        run = world.take("record").await;
    }

    world.stop(&run, None, FailureClass::Network).await.unwrap();

    assert!(world.current().await.error.is_some());
    assert_eq!(world.current().await.pending_retry_run_id, Some(run.claim.run));
    world.control(windlass_core::Action::Resume).await.unwrap();
    let retry = world.take("record").await;
    world.commit(&retry, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
}

pub async fn before_its_effect_a_run_starts_over(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    world.stop(&run, None, FailureClass::Network).await.unwrap();
    world.advance(seconds(10));

    let fresh = world.take("record").await;

    assert_eq!((fresh.state.phase, fresh.prepare_result.as_ref()), (Phase::Preparing, None));
    assert_eq!(world.run(fresh.claim.run).await.retry_of, None);
}

pub async fn after_a_skip_next_runs_once_and_the_consumer_looks_again(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;
    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();

    let retry = world.take("record").await;
    world.commit(&retry, Vec::new()).await.unwrap();

    assert_eq!((retry.state.phase, retry.state.outcome), (Phase::Emitting, Some(Outcome::Skipped)));
    assert_eq!(retry.mutation_result, None);
    let skipped = world.event("mail", "m1").await;
    assert_eq!(skipped.status, EventStatus::Skipped);
    assert_eq!(skipped.reserved_by_run_id, Some(run.claim.run));
    let fresh = world.reserve(&["m2"]).await;
    assert_eq!(world.run(fresh.claim.run).await.retry_of, None);
}

pub async fn a_refusal_that_the_consumer_expects_goes_forward_even_after_a_crash(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    for _ in ["first", "again, because its answer was lost"] {
        world.refused(run.claim, mutation, FailureClass::Logic, true).await.unwrap();
    }

    let seen = world.run(run.claim.run).await;
    assert_eq!((seen.status, seen.mutation_outcome), (Status::Active, Some(Outcome::Refused)));
    assert_eq!(seen.error, None, "the run has not failed");
    assert_eq!(world.mutation(mutation).await.status, MutationStatus::Failed);
    world.crash().await;
    let retry = world.take("record").await;
    assert_eq!((retry.state.phase, retry.state.outcome), (Phase::Emitting, Some(Outcome::Refused)));
    assert_eq!(retry.refusal.as_deref(), Some("a failure of class logic"));
    assert_eq!(retry.mutation_result, None);
    world.commit(&retry, vec![event("row", "told")]).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
    assert_eq!(world.open_notifications().await, []);
}

pub async fn a_refusal_cannot_go_forward_once_the_effect_is_in_doubt(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;

    let late = world.refused(run.claim, mutation, FailureClass::Logic, true).await;

    assert!(matches!(late, Err(StoreError::ClaimLost { .. })), "{late:?}");
    assert_eq!(world.mutation(mutation).await.status, MutationStatus::Indeterminate);
}
