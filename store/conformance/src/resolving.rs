//! Doubts: settled by a person or by looking, once.

use serde_json::json;
use windlass_core::{
    Action, EventStatus, Id, LookupResult, MutationId, MutationStatus, Outcome, Phase,
    ResolutionKind, ResolvedBy, Status, WorkflowStatus,
};
use windlass_store::StoreError;

use crate::world::{TestStore, World, start};

pub async fn an_effect_that_did_not_happen_is_prepared_anew(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;

    let row = world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();

    assert_eq!((row.status, row.result.as_ref()), (MutationStatus::Failed, None));
    assert_eq!(row.resolved_by, Some(ResolvedBy::UserDidNotHappen));
    assert!(row.resolved_at.is_some());
    let (event, seen) = (world.event("mail", "m1").await, world.run(run.claim.run).await);
    assert_eq!((event.status, event.attempt_number), (EventStatus::Pending, 2));
    assert_eq!((seen.mutation_outcome, seen.phase), (Some(Outcome::Failure), Phase::Mutated));
    assert_eq!(seen.status, Status::PausedReconciliation, "a stopped run stays stopped");
    let workflow = world.current().await;
    assert_eq!((workflow.error, workflow.pending_retry_run_id), (None, None));
    assert_eq!(workflow.stopped_by_run_id, None);
    let (fresh, second) = world.mutating(&["m1"]).await;
    assert_eq!(world.run(fresh.claim.run).await.retry_of, None);
    assert_ne!(second, mutation);
}

pub async fn skipped_events_leave_the_queue(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;

    let row = world.resolve(mutation, ResolutionKind::Skip).await.unwrap();

    assert_eq!(row.status, MutationStatus::Failed);
    assert_eq!(row.resolved_by, Some(ResolvedBy::UserSkip));
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Skipped);
    assert_eq!(world.run(run.claim.run).await.mutation_outcome, Some(Outcome::Skipped));
    let retry = world.open_run().await.unwrap();
    assert_eq!((retry.retry_of, retry.phase), (Some(run.claim.run), Phase::Emitting));
}

pub async fn an_effect_that_happened_goes_forward_with_the_persons_result(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;

    let row = world.resolve(mutation, ResolutionKind::Happened).await.unwrap();

    let result = Some(json!({ "row": 7 }));
    assert_eq!((row.status, row.result.as_ref()), (MutationStatus::Applied, result.as_ref()));
    assert_eq!(row.resolved_by, Some(ResolvedBy::UserHappened));
    let retry = world.take("record").await;
    assert_eq!(world.run(retry.claim.run).await.retry_of, Some(run.claim.run));
    assert_eq!(retry.mutation_result, result);
    world.commit(&retry, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap().len(), 1);
}

pub async fn trying_again_is_refused_where_the_tool_cannot_look(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.doubtful(&["m1"]).await;
    let before = world.mutation(mutation).await;

    let refused = world.resolve(mutation, ResolutionKind::TryAgain).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
    assert_eq!(world.mutation(mutation).await, before);
    assert_eq!(world.open_notifications().await.len(), 1, "it still asks");
}

pub async fn a_doubt_is_settled_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.doubtful(&["m1"]).await;
    let settled = world.resolve(mutation, ResolutionKind::Skip).await.unwrap();

    let again = world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap_err();
    let absent = LookupResult::Absent { counts_after: std::time::Duration::ZERO };
    let reconciled = world.find(mutation, absent).await.unwrap_err();

    assert!(matches!(again, StoreError::NotNow { .. }), "{again}");
    assert!(matches!(reconciled, StoreError::NotNow { .. }), "{reconciled}");
    assert_eq!(world.mutation(mutation).await, settled);
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Skipped);
}

pub async fn an_effect_whose_worker_waits_is_not_settled_by_others(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    let refused = world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
    world.apply(run.claim, mutation).await.unwrap();
}

pub async fn an_unknown_mutation_is_not_found(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    let refused = world.resolve(MutationId::mint(start()), ResolutionKind::Skip).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotFound { what: "mutation", .. }), "{refused}");
}

pub async fn settling_does_not_resume_a_workflow_that_a_person_paused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.doubtful(&["m1"]).await;
    world.control(Action::Pause).await.unwrap();

    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();

    assert_eq!(world.current().await.status, WorkflowStatus::Paused);
    assert_eq!(world.claim().await, None);
    world.control(Action::Resume).await.unwrap();
    assert_eq!(world.take("record").await.state.phase, Phase::Emitting);
}

pub async fn resolving_settles_the_notification_and_writes_the_journal(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.doubtful(&["m1"]).await;

    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();

    assert_eq!(world.open_notifications().await, []);
    let entry =
        world.store.all_journal(world.workspace, world.workflow).await.unwrap().pop().unwrap();
    assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("ada", "mutation.resolved"));
    assert_eq!(entry.reason.as_deref(), Some("I looked"));
    assert_eq!(entry.subject, mutation.to_string());
    assert_eq!(entry.details["verdict"], "skip");
    let journal = world
        .store
        .all_journal_for(world.workspace, world.workflow, &mutation.to_string())
        .await
        .unwrap();
    assert_eq!(journal, [entry]);
}
