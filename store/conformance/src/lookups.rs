//! Doubts that a tool can look up: attempts that are counted, spaced and given up.

use serde_json::json;
use windlass_core::{
    Action, EventStatus, Failure, LookupResult, MutationStatus, Phase, ResolutionKind, ResolvedBy,
    Status,
};
use windlass_store::{ClaimLookups, DoubtMutation, NotificationKind, SettleLookup, StoreError};

use crate::world::{TestStore, World, seconds};

fn in_vain() -> LookupResult {
    LookupResult::Unknown(Failure::network("the service does not answer"))
}

const ABSENT: LookupResult = LookupResult::Absent { counts_after: std::time::Duration::ZERO };

pub async fn a_doubt_that_can_be_looked_up_blocks_and_asks_nobody_yet(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    let (run, mutation) = world.looked_up(&["m1"]).await;

    let row = world.mutation(mutation).await;
    assert_eq!((row.status, row.reconcile_attempts), (MutationStatus::NeedsReconcile, 1));
    let now = world.store.now().await.unwrap();
    assert_eq!(row.next_reconcile_at, Some(now.after(seconds(10))));
    assert_eq!(world.next_due().await, Some(seconds(10)));
    assert_eq!(world.run(run.claim.run).await.status, Status::PausedReconciliation);
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
    assert_eq!(world.current().await.pending_retry_run_id, Some(run.claim.run));
    assert_eq!(world.open_notifications().await, []);
    assert_eq!(world.claim().await, None, "nothing else of the workflow runs");
    let refused = world.control(Action::Resume).await.unwrap_err();
    assert!(matches!(refused, StoreError::InDoubt { .. }), "{refused}");
}

pub async fn an_effect_of_a_lost_worker_is_due_at_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let mutation = world.begin_as(&run, true).await.unwrap();

    world.crash().await;

    let row = world.mutation(mutation).await;
    assert_eq!((row.status, row.reconcile_attempts), (MutationStatus::NeedsReconcile, 0));
    let due = world.due_lookups().await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].mutation.id, due[0].mutation.reconcile_attempts), (mutation, 1));
    assert_eq!((due[0].workspace, due[0].workflow_name.as_str()), (world.workspace, "mail"));
}

pub async fn an_attempt_is_made_by_one_worker_until_its_time_is_over(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    assert_eq!(world.due_lookups().await, [], "not before its time");
    world.advance(seconds(10));

    let first = world.due_lookups().await;
    let meanwhile = world.due_lookups().await;
    world.advance(seconds(60));
    let after_a_loss = world.due_lookups().await;

    assert_eq!(first.len(), 1);
    assert_eq!(meanwhile, []);
    assert_eq!(after_a_loss[0].mutation.id, mutation);
    assert_eq!(after_a_loss[0].place.as_deref(), Some("the place"), "where it was to happen");
    assert_eq!(after_a_loss[0].mutation.reconcile_attempts, 3, "the lost attempt counts");
}

pub async fn a_person_need_not_wait_for_the_next_attempt(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    let other = world.polled("other", &["m1"]).await;
    other.looked_up(&["m1"]).await;

    let params =
        ClaimLookups { of: Some((world.workspace, world.workflow)), limit: 10, time: seconds(60) };
    let due = world.store.claim_lookups(params).await.unwrap();

    let claimed: Vec<_> =
        due.iter().map(|it| (it.mutation.id, it.mutation.reconcile_attempts)).collect();
    assert_eq!(claimed, [(mutation, 2)], "it counts, and is the workflow's own");
    let refused = world.start_session().await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::NotNow { hint, .. } if hint.contains("looks it up again")),
        "{refused}"
    );
}

pub async fn an_effect_that_is_found_goes_forward(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.looked_up(&["m1"]).await;
    let result = json!({ "row": 9 });

    let status = world.find(mutation, LookupResult::Applied(result.clone())).await.unwrap();

    let row = world.mutation(mutation).await;
    assert_eq!((status, row.status), (MutationStatus::Applied, MutationStatus::Applied));
    assert_eq!((row.result.as_ref(), row.next_reconcile_at), (Some(&result), None));
    assert_eq!(row.resolved_by, Some(ResolvedBy::Reconciliation));
    let retry = world.take("record").await;
    assert_eq!(world.run(retry.claim.run).await.retry_of, Some(run.claim.run));
    assert_eq!(retry.mutation_result, Some(result));
    world.commit(&retry, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap().len(), 1);
}

pub async fn an_effect_that_is_absent_is_prepared_anew(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;

    let status = world.find(mutation, ABSENT).await.unwrap();

    assert_eq!(status, MutationStatus::Failed);
    assert_eq!(world.mutation(mutation).await.resolved_by, Some(ResolvedBy::Reconciliation));
    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.attempt_number, event.blamed), (EventStatus::Pending, 2, 0));
    assert_eq!(world.take("record").await.state.phase, Phase::Preparing);
}

pub async fn absence_counts_only_after_its_time(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    let doubted_at = world.mutation(mutation).await.created_at;
    let absent = || LookupResult::Absent { counts_after: seconds(100) };
    assert_eq!(world.due_lookups().await.len(), 1);

    let early = world.find(mutation, absent()).await.unwrap();

    let row = world.mutation(mutation).await;
    assert_eq!(early, MutationStatus::NeedsReconcile);
    assert_eq!(row.next_reconcile_at, Some(doubted_at.after(seconds(100))));
    assert_eq!(row.reconcile_attempts, 1, "it was no attempt");
    world.advance(seconds(90));
    assert_eq!(world.due_lookups().await.len(), 1);
    assert_eq!(world.find(mutation, absent()).await.unwrap(), MutationStatus::Failed);
}

pub async fn absence_counts_from_when_the_request_may_have_left_last(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let mutation = world.begin_as(&run, true).await.unwrap();
    let absent = || LookupResult::Absent { counts_after: seconds(40) };
    world.advance(seconds(50));
    world.crash().await;
    let lost_at = world.store.now().await.unwrap();
    world.due_lookups().await;

    let status = world.find(mutation, absent()).await.unwrap();

    assert_eq!(
        status,
        MutationStatus::NeedsReconcile,
        "the row is old, and the request may be young"
    );
    let row = world.mutation(mutation).await;
    assert_eq!(row.next_reconcile_at, Some(lost_at.after(seconds(40))));
    world.advance(seconds(40));
    world.due_lookups().await;
    assert_eq!(world.find(mutation, absent()).await.unwrap(), MutationStatus::Failed);
}

pub async fn an_early_lookup_proves_no_absence_later(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    let absent = || LookupResult::Absent { counts_after: seconds(30) };
    world.advance(seconds(10));
    world.due_lookups().await;
    world.advance(seconds(30));

    let status = world.find(mutation, absent()).await.unwrap();

    assert_eq!(status, MutationStatus::NeedsReconcile, "it was looked at after 10 s");
    assert_eq!(world.due_lookups().await.len(), 1, "and is looked at again at once");
    assert_eq!(world.find(mutation, absent()).await.unwrap(), MutationStatus::Failed);
}

pub async fn an_overtaken_attempt_does_not_prove_absence(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    world.due_lookups().await;
    world.advance(seconds(60));
    world.due_lookups().await;
    let settle =
        |attempt| SettleLookup { workspace: world.workspace, mutation, attempt, finding: ABSENT };

    let overtaken = world.store.settle_lookup(settle(2)).await.unwrap();

    assert_eq!(overtaken, MutationStatus::NeedsReconcile);
    assert_eq!(world.store.settle_lookup(settle(3)).await.unwrap(), MutationStatus::Failed);
}

pub async fn failed_attempts_are_spaced_and_then_a_person_is_asked(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;

    for delay in [10, 20, 40, 80] {
        world.advance(seconds(delay - 1));
        assert_eq!(world.due_lookups().await, [], "too early, before {delay} s");
        world.advance(seconds(1));
        assert_eq!(world.due_lookups().await.len(), 1, "after {delay} s");
        assert_eq!(world.open_notifications().await, []);
        world.find(mutation, in_vain()).await.unwrap();
    }

    let row = world.mutation(mutation).await;
    assert_eq!((row.status, row.reconcile_attempts), (MutationStatus::Indeterminate, 5));
    assert!(row.error.as_ref().is_some_and(|error| error.contains("5 attempts")), "{row:?}");
    let notices = world.open_notifications().await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, NotificationKind::MutationInDoubt);
    world.advance(seconds(86_400));
    assert_eq!(world.due_lookups().await, [], "nobody looks any more");
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
}

pub async fn who_asks_to_wait_is_not_asked_about_an_effect_before(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let mutation = world.begin_as(&run, true).await.unwrap();
    let now = world.store.now().await.unwrap();
    let busy = |wait| Failure::network("busy").asked_to_wait(seconds(wait), now);
    let params = DoubtMutation { claim: run.claim, mutation, failure: busy(300), looked_up: None };

    world.store.doubt_mutation(params).await.unwrap();

    assert_eq!(world.next_due().await, Some(seconds(300)));
    world.advance(seconds(300));
    assert_eq!(world.due_lookups().await.len(), 1);
    world.find(mutation, LookupResult::Unknown(busy(600))).await.unwrap();
    assert_eq!(world.next_due().await, Some(seconds(600)), "after an attempt too");
}

pub async fn trying_again_counts_attempts_anew(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    for delay in [10, 20, 40, 80] {
        world.advance(seconds(delay));
        world.due_lookups().await;
        world.find(mutation, in_vain()).await.unwrap();
    }

    let row = world.resolve(mutation, ResolutionKind::TryAgain).await.unwrap();

    assert_eq!((row.status, row.reconcile_attempts), (MutationStatus::NeedsReconcile, 0));
    assert_eq!((row.resolved_by, world.open_notifications().await.len()), (None, 0));
    let due = world.due_lookups().await;
    assert_eq!(due[0].mutation.reconcile_attempts, 1);
    world.find(mutation, LookupResult::Applied(json!({}))).await.unwrap();
    assert_eq!(world.take("record").await.state.phase, Phase::Emitting);
}

pub async fn an_attempt_that_was_overtaken_changes_nothing_unless_it_knows(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    world.due_lookups().await;
    world.advance(seconds(60));
    world.due_lookups().await;
    let before = world.mutation(mutation).await;
    let settle =
        |finding| SettleLookup { workspace: world.workspace, mutation, attempt: 2, finding };

    world.store.settle_lookup(settle(in_vain())).await.unwrap();
    assert_eq!(world.mutation(mutation).await, before);
    world.store.settle_lookup(settle(LookupResult::Applied(json!({})))).await.unwrap();

    assert_eq!(world.mutation(mutation).await.status, MutationStatus::Applied);
}

pub async fn nobody_says_that_it_did_not_happen_while_an_attempt_is_under_way(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    let [due] = world.due_lookups().await.try_into().unwrap();

    for verdict in [ResolutionKind::DidNotHappen, ResolutionKind::Skip] {
        let refused = world.resolve(mutation, verdict).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::NotNow { what, .. } if what.contains("looked up just now")),
            "{verdict}: {refused}"
        );
    }
    world.resolve(mutation, ResolutionKind::TryAgain).await.unwrap();
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap_err();

    let attempt = due.mutation.reconcile_attempts;
    let stale = SettleLookup { workspace: world.workspace, mutation, attempt, finding: in_vain() };
    world.store.settle_lookup(stale).await.unwrap();
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap_err();
    world.advance(seconds(60));
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();
}

pub async fn a_person_may_answer_once_an_attempt_is_over(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    world.due_lookups().await;

    world.find(mutation, in_vain()).await.unwrap();

    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();
}

pub async fn a_person_may_answer_between_two_attempts(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;

    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();

    let late = world.find(mutation, ABSENT).await.unwrap_err();
    assert!(matches!(late, StoreError::NotNow { .. }), "{late}");
    world.advance(seconds(86_400));
    assert_eq!(world.due_lookups().await, []);
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Pending);
}

pub async fn a_paused_workflow_is_looked_up_and_stays_paused(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.control(Action::Pause).await.unwrap();
    world.advance(seconds(10));

    assert_eq!(world.due_lookups().await.len(), 1);
    world.find(mutation, LookupResult::Applied(json!({}))).await.unwrap();

    assert_eq!(world.claim().await, None);
    world.control(Action::Resume).await.unwrap();
    assert_eq!(world.take("record").await.state.phase, Phase::Emitting);
}

pub async fn every_attempt_that_settles_is_in_the_journal(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;

    world.find(mutation, ABSENT).await.unwrap();

    let entries = world.store.all_journal(world.workspace, world.workflow).await.unwrap();
    let entry = entries.iter().find(|entry| entry.action == "mutation.reconciled").unwrap();
    assert_eq!((entry.actor.as_str(), &entry.subject), ("windlass", &mutation.to_string()));
    assert_eq!(entry.details["happened"], false);
}
