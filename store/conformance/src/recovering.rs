//! Lost workers: what a run came to decides what follows.

use windlass_core::{
    Action, EventStatus, FailureClass, MutationStatus, Outcome, Phase, ResolutionKind,
    SessionResult, Status,
};
use windlass_store::{Bump, EndedLeases, NotificationKind, RecoverRuns, StoreError};

use crate::world::{LEASE, TestStore, World, pipeline, seconds};

pub async fn a_lost_producer_polls_again(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;

    let recovered = world.crash().await;

    assert_eq!(recovered.len(), 1);
    assert_eq!((recovered[0].run, recovered[0].status), (run.claim.run, Status::Crashed));
    assert_eq!((&*recovered[0].workflow_name, &*recovered[0].handler), ("mail", "poll"));
    let seen = world.run(run.claim.run).await;
    assert_eq!((seen.phase, seen.status), (Phase::Executing, Status::Crashed));
    assert_eq!(world.session_of(run.claim.run).await.result, Some(SessionResult::Failed));
    world.take("poll").await;
}

pub async fn before_the_effect_a_fresh_run_follows(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let preparing = world.take("record").await;
    world.crash().await;
    let prepared = world.reserve(&["m1"]).await;

    world.crash().await;

    assert_eq!(world.run(preparing.claim.run).await.phase, Phase::Preparing);
    assert_eq!(world.run(prepared.claim.run).await.phase, Phase::Prepared);
    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.attempt_number), (EventStatus::Pending, 2));
    let fresh = world.take("record").await;
    assert_eq!(fresh.state.phase, Phase::Preparing);
    let workflow = world.current().await;
    assert_eq!((workflow.error, workflow.maintenance, workflow.backoff_until), (None, false, None));
    assert_eq!(world.open_notifications().await, []);
}

pub async fn a_request_without_an_answer_is_in_doubt(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    let recovered = world.crash().await;

    assert_eq!(recovered[0].status, Status::PausedReconciliation);
    let row = world.mutation(mutation).await;
    assert_eq!(row.status, MutationStatus::Indeterminate);
    assert!(row.error.is_some());
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
    let workflow = world.current().await;
    assert_eq!(workflow.pending_retry_run_id, Some(run.claim.run));
    assert!(workflow.error.is_some());
    assert_eq!(world.open_notifications().await[0].kind, NotificationKind::MutationInDoubt);
    assert_eq!(world.claim().await, None);
}

pub async fn a_doubt_of_a_lost_worker_is_settled_by_a_persons_resolution_only(
    test_store: TestStore,
) {
    for verdict in [ResolutionKind::DidNotHappen, ResolutionKind::Happened, ResolutionKind::Skip] {
        let world = World::empty(test_store.clone()).await;
        let world = world.polled(verdict.as_str(), &["m1"]).await;
        let (run, mutation) = world.mutating(&["m1"]).await;
        world.crash().await;

        world.advance(seconds(86_400));
        assert!(matches!(world.control(Action::Resume).await, Err(StoreError::InDoubt { .. })));
        assert!(matches!(world.start_session().await, Err(StoreError::InDoubt { .. })));
        let repaired = world.save(verdict.as_str(), "// repaired", pipeline(), Bump::Minor).await;
        world.activate(repaired.script.id).await.unwrap();
        assert_eq!(world.recover().await, []);
        assert_eq!(world.claim().await, None, "nobody asked again before {verdict}");

        world.resolve(mutation, verdict).await.unwrap();

        let next = world.take("record").await;
        let goes_forward = verdict != ResolutionKind::DidNotHappen;
        let expected = if goes_forward { Phase::Emitting } else { Phase::Preparing };
        assert_eq!(next.state.phase, expected, "{verdict}");
        let retry_of = world.run(next.claim.run).await.retry_of;
        assert_eq!(retry_of, goes_forward.then_some(run.claim.run), "{verdict}");
        assert_eq!(
            world.store.all_mutations(world.workspace, world.workflow).await.unwrap().len(),
            1,
            "{verdict}"
        );
    }
}

pub async fn after_the_effect_next_runs_again(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, _) = world.mutated(&["m1"]).await;

    world.crash().await;

    let seen = world.run(run.claim.run).await;
    assert_eq!((seen.phase, seen.status), (Phase::Mutated, Status::Crashed));
    let retry = world.take("record").await;
    assert_eq!((retry.state.phase, retry.state.outcome), (Phase::Emitting, Some(Outcome::Success)));
    world.crash().await;
    let again = world.take("record").await;
    assert_eq!(world.run(again.claim.run).await.retry_of, Some(retry.claim.run));
    world.commit(&again, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
}

pub async fn nothing_is_taken_from_a_worker_before_its_lease_ends(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let run = world.claim().await.unwrap();

    world.advance(LEASE - seconds(1));
    let early = world.recover().await;
    world.advance(seconds(1));
    let late = world.recover().await;

    assert_eq!(early, []);
    assert_eq!(late.iter().map(|lost| lost.run).collect::<Vec<_>>(), [run.claim.run]);
    assert_eq!(world.recover().await, []);
}

pub async fn queued_and_ended_runs_are_not_recovered(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let run = world.claim().await.unwrap();
    world.stop(&run, None, FailureClass::Network).await.unwrap();
    let other = world.deploy("other", pipeline()).await;
    assert!(other.open_run().await.is_some());

    world.advance(LEASE * 10);

    assert_eq!(world.crash().await, []);
}

pub async fn a_workflow_that_a_person_paused_is_recovered_too(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.mutated(&["m1"]).await;
    world.control(Action::Pause).await.unwrap();

    assert_eq!(world.crash().await.len(), 1);

    assert_eq!(world.claim().await, None);
    world.control(Action::Resume).await.unwrap();
    assert_eq!(world.take("record").await.state.phase, Phase::Emitting);
}

pub async fn a_few_are_recovered_at_a_time(test_store: TestStore) {
    let world = World::empty(test_store).await;
    for name in ["a", "b", "c"] {
        world.deploy(name, pipeline()).await.claim().await.unwrap();
    }
    world.advance(LEASE);
    let params = RecoverRuns {
        lost_workers: Vec::new(),
        ended_leases: EndedLeases::by_the_store(),
        limit: 2,
    };

    let first = world.store.recover_runs(params.clone()).await.unwrap();
    let second = world.store.recover_runs(params.clone()).await.unwrap();
    let third = world.store.recover_runs(params).await.unwrap();

    assert_eq!((first.len(), second.len(), third.len()), (2, 1, 0));
}

pub async fn a_recovery_is_in_the_journal(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, _) = world.mutating(&["m1"]).await;

    world.crash().await;

    let journal = world.store.all_journal(world.workspace, world.workflow).await.unwrap();
    let told: Vec<_> = journal.iter().filter(|entry| entry.actor == "windlass").collect();
    let deeds: Vec<_> = told.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(deeds, ["run.stopped", "run.recovered"]);
    assert!(told.iter().all(|entry| entry.subject == run.claim.run.to_string()));
    assert_eq!(told[1].details["worker"], world.worker.to_string());
}
