//! The ledger: written before the request leaves, settled once.

use serde_json::json;
use windlass_core::{
    EventInRound, EventName, EventStatus, FailureClass, MutationStatus, NoEffect, OperationKey,
    Outcome, Phase, ResolutionKind, ResolvedBy, Status, digest, idempotency_key,
};
use windlass_store::{ApplyMutation, BeginMutation, CaptureMutation, NotificationKind, StoreError};

use crate::world::{TestStore, World};

pub async fn the_row_is_there_before_the_request_leaves(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let params = BeginMutation {
        claim: run.claim,
        tool_namespace: "Http".to_owned(),
        tool_method: "post".to_owned(),
        params: json!({ "url": "http://example.com/", "body": [1.5, null] }),
        target: "POST http://example.com/".to_owned(),
        place: Some("http://example.com".to_owned()),
        ui_title: "post a row".to_owned(),
        reconcilable: true,
        price: 0,
        logs: Vec::new(),
    };

    let begun = world.store.begin_mutation(params.clone()).await.unwrap();

    let row = world.mutation(begun.id).await;
    let seen = world.run(run.claim.run).await;
    assert_eq!((row.status, row.handler_run_id), (MutationStatus::InFlight, run.claim.run));
    assert_eq!((row.tool_namespace.as_str(), row.tool_method.as_str()), ("Http", "post"));
    assert_eq!((&row.params, row.params_digest), (&params.params, digest(&params.params)));
    assert_eq!((row.ui_title.as_str(), row.reconcilable), ("post a row", true));
    assert_eq!(row.idempotency_key, begun.idempotency_key);
    assert_eq!(row.target, "POST http://example.com/");
    assert_eq!((seen.phase, seen.mutation_id), (Phase::Mutating, Some(begun.id)));
    assert_eq!(seen.mutation_outcome, None);
}

pub async fn a_refused_call_that_is_made_again_has_another_key(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, first) = world.mutating(&["m1"]).await;
    world.fail(run.claim, first, FailureClass::Network).await.unwrap();
    world.advance(crate::world::seconds(10));

    let (_, second) = world.mutating(&["m1"]).await;

    let (first, second) = (world.mutation(first).await, world.mutation(second).await);
    assert_eq!(first.params, second.params);
    assert_eq!(first.operation_id, second.operation_id);
    assert_ne!(first.idempotency_key, second.idempotency_key);
    assert!(first.idempotency_key.len() >= 32, "{}", first.idempotency_key);
}

/// A restored backup may bring the key of an earlier attempt back: the provider must know it.
pub async fn a_request_that_did_not_leave_keeps_its_key(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, first) = world.mutating(&["m1"]).await;
    world.fail_because(run.claim, first, NoEffect::Unsent).await.unwrap();
    world.advance(crate::world::seconds(10));

    let (run, second) = world.mutating(&["m1"]).await;
    world.fail_because(run.claim, second, NoEffect::Refused).await.unwrap();
    world.advance(crate::world::seconds(20));
    let (_, third) = world.mutating(&["m1"]).await;

    let [first, second, third] =
        [world.mutation(first).await, world.mutation(second).await, world.mutation(third).await];
    assert_eq!(first.idempotency_key, second.idempotency_key, "nobody has seen it");
    assert_ne!(second.idempotency_key, third.idempotency_key, "it was refused");
}

pub async fn the_same_operation_after_a_doubt_has_the_same_key(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (_, first) = world.doubtful(&["m1"]).await;
    world.resolve(first, ResolutionKind::DidNotHappen).await.unwrap();

    let (run, second) = world.mutating(&["m1"]).await;
    world.apply(run.claim, second).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();
    let (_, other) = world.mutating(&["m2"]).await;

    let [first, second, other] =
        [world.mutation(first).await, world.mutation(second).await, world.mutation(other).await];
    assert_eq!(first.operation_id, second.operation_id);
    assert_eq!(first.idempotency_key, second.idempotency_key, "a provider can tell a repetition");
    assert_ne!(second.operation_id, other.operation_id, "another event is another question");
    assert_ne!(second.idempotency_key, other.idempotency_key);
}

pub async fn an_operation_is_known_by_names_that_a_restored_backup_still_has(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    let (_, mutation) = world.mutating(&["m1", "m2"]).await;

    let row = world.mutation(mutation).await;
    let event = |message_id: &str| EventInRound {
        name: EventName { topic: "mail".to_owned(), message_id: message_id.to_owned() },
        round: 1,
    };
    let key = OperationKey {
        workspace: "default",
        workflow: "mail",
        handler: "record",
        tool: "Files.append",
        digest: &row.params_digest,
        events: vec![event("m1"), event("m2")],
    };
    assert_eq!(row.operation_id, key.operation_id());
    assert_eq!(row.idempotency_key, idempotency_key(&key.operation_id(), 0));
}

pub async fn workflows_of_one_name_in_two_workspaces_make_two_operations(test_store: TestStore) {
    let world = World::with_mails(test_store.clone(), &["m1"]).await;
    let workspace = world.store.ensure_workspace("elsewhere").await.unwrap();
    let elsewhere = World { workspace, ..world.clone() }.polled("mail", &["m1"]).await;

    let (run, here) = world.mutated(&["m1"]).await;
    let (_, there) = elsewhere.mutated(&["m1"]).await;

    world.commit(&run, Vec::new()).await.unwrap();
    let operations =
        [world.mutation(here).await, elsewhere.mutation(there).await].map(|row| row.operation_id);
    assert_ne!(operations[0], operations[1]);
}

pub async fn a_captured_mutation_goes_forward_and_nothing_left(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    let params = CaptureMutation { claim: run.claim, result: json!({ "row": 0 }) };
    world.store.capture_mutation(params).await.unwrap();

    let row = world.mutation(mutation).await;
    assert_eq!((row.status, row.result), (MutationStatus::WouldSend, Some(json!({ "row": 0 }))));
    world.commit(&run, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
}

pub async fn a_mutation_belongs_to_reserved_events(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    world.prepare(&run, Vec::new()).await.unwrap();

    let refused = world.begin(&run).await.unwrap_err();

    assert!(matches!(refused, StoreError::Illegal(_)), "{refused}");
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap(), []);
    assert_eq!(world.run(run.claim.run).await.phase, Phase::Prepared);
}

pub async fn a_run_mutates_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    let begun = world.mutation(mutation).await;
    let other = BeginMutation {
        claim: run.claim,
        tool_namespace: begun.tool_namespace,
        tool_method: begun.tool_method,
        params: json!({ "path": "ledger.csv", "line": "c;d" }),
        target: begun.target,
        place: None,
        ui_title: begun.ui_title,
        reconcilable: false,
        price: 0,
        logs: Vec::new(),
    };
    let while_open = world.store.begin_mutation(other).await.unwrap_err();
    world.apply(run.claim, mutation).await.unwrap();
    let when_settled = world.begin(&run).await.unwrap_err();

    assert!(matches!(while_open, StoreError::Illegal(_)), "{while_open}");
    assert!(matches!(when_settled, StoreError::Illegal(_)), "{when_settled}");
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap().len(), 1);
}

pub async fn a_mutation_needs_a_prepared_run(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;

    let refused = world.begin(&run).await.unwrap_err();

    assert!(matches!(refused, StoreError::Illegal(_)), "{refused}");
}

pub async fn an_applied_mutation_keeps_its_answer(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    world.apply(run.claim, mutation).await.unwrap();

    let row = world.mutation(mutation).await;
    let seen = world.run(run.claim.run).await;
    assert_eq!((row.status, row.result), (MutationStatus::Applied, Some(json!({ "row": 7 }))));
    assert_eq!((row.resolved_by, row.resolved_at), (None, None));
    assert_eq!((seen.phase, seen.status), (Phase::Mutated, Status::Active));
    assert_eq!(seen.mutation_outcome, Some(Outcome::Success));
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Reserved);
}

pub async fn an_answer_that_was_looked_up_says_so(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    let by = Some(ResolvedBy::Reconciliation);
    let params = ApplyMutation { claim: run.claim, mutation, result: json!(null), resolved_by: by };

    world.store.apply_mutation(params).await.unwrap();

    let row = world.mutation(mutation).await;
    assert_eq!((row.status, row.result), (MutationStatus::Applied, Some(json!(null))));
    assert_eq!((row.resolved_by, row.resolved_at.is_some()), (by, true));
}

pub async fn a_mutation_is_settled_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutated(&["m1"]).await;
    let before = world.mutation(mutation).await;

    let (claim, result) = (run.claim, json!({ "row": 8 }));
    let other = ApplyMutation { claim, mutation, result, resolved_by: None };
    let answers = [
        world.store.apply_mutation(other).await,
        world.fail(run.claim, mutation, FailureClass::Logic).await,
        world.doubt(run.claim, mutation).await,
    ];

    for answer in answers {
        let refused = answer.unwrap_err();
        assert!(matches!(refused, StoreError::Illegal(_)), "{refused}");
    }
    assert_eq!(world.mutation(mutation).await, before);
}

pub async fn a_run_settles_its_own_mutation_only(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, theirs) = world.mutating(&["m1"]).await;
    let other = world.polled("other", &["m1"]).await;
    let (run, _) = other.mutating(&["m1"]).await;

    let refused = other.apply(run.claim, theirs).await.unwrap_err();

    assert!(matches!(refused, StoreError::NotFound { what: "mutation", .. }), "{refused}");
    assert_eq!(world.mutation(theirs).await.status, MutationStatus::InFlight);
}

pub async fn a_failed_mutation_releases_its_events_and_stops_the_run_by_its_class(
    test_store: TestStore,
) {
    for (class, status) in [
        (FailureClass::Network, Status::PausedTransient),
        (FailureClass::Auth, Status::PausedApproval),
        (FailureClass::Permission, Status::PausedApproval),
        (FailureClass::Internal, Status::FailedInternal),
    ] {
        let world = World::empty(test_store.clone()).await;
        let world = world.polled(class.as_str(), &["m1"]).await;
        let (run, mutation) = world.mutating(&["m1"]).await;

        world.fail(run.claim, mutation, class).await.unwrap();

        let (row, seen) = (world.mutation(mutation).await, world.run(run.claim.run).await);
        let event = world.event("mail", "m1").await;
        assert_eq!((row.status, row.error_class), (MutationStatus::Failed, Some(class)));
        assert_eq!((seen.status, seen.phase), (status, Phase::Mutated), "{class}");
        assert_eq!(seen.mutation_outcome, Some(Outcome::Failure));
        assert_eq!((event.status, event.attempt_number), (EventStatus::Pending, 2));
        assert_eq!(event.reserved_by_run_id, None);
        assert_eq!(world.current().await.pending_retry_run_id, None);
        assert!(world.handler("record").await.has_work);
    }
}

pub async fn a_doubt_keeps_the_events_and_asks_a_person(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;

    let (run, mutation) = world.doubtful(&["m1"]).await;

    let (row, seen) = (world.mutation(mutation).await, world.run(run.claim.run).await);
    assert_eq!(row.status, MutationStatus::Indeterminate);
    assert_eq!((seen.status, seen.phase), (Status::PausedReconciliation, Phase::Mutating));
    assert_eq!(seen.mutation_outcome, None);
    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.attempt_number), (EventStatus::Reserved, 1));
    let workflow = world.current().await;
    assert_eq!(workflow.error.as_deref(), Some("the answer was lost"));
    assert_eq!(workflow.pending_retry_run_id, Some(run.claim.run));
    assert_eq!(workflow.stopped_by_run_id, Some(run.claim.run));
    let notices = world.open_notifications().await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, NotificationKind::MutationInDoubt);
    assert_eq!(notices[0].mutation_id, Some(mutation));
    assert!(notices[0].body.contains(&format!("say whether `{mutation}` happened")), "{notices:?}");
    assert!(notices[0].body.contains("Files.append"), "{notices:?}");
    world.advance(crate::world::seconds(86_400));
    assert_eq!(world.claim().await, None, "nothing happens by itself");
}

pub async fn a_late_answer_is_kept_as_evidence(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    world.crash().await;
    let before = (world.run(run.claim.run).await, world.current().await);
    let evidence = async || world.mutation(mutation).await.late_evidence.unwrap_or_default();

    let lost =
        |answer: windlass_store::Result<()>| matches!(answer, Err(StoreError::ClaimLost { .. }));
    assert!(lost(world.apply(run.claim, mutation).await));
    assert!(evidence().await.contains(r#""row":7"#));
    assert!(lost(world.fail(run.claim, mutation, FailureClass::Logic).await));
    assert!(evidence().await.contains("a failure of class logic"));
    assert!(lost(world.doubt(run.claim, mutation).await));
    assert!(evidence().await.contains("the answer was lost"));

    assert_eq!(world.mutation(mutation).await.status, MutationStatus::Indeterminate);
    assert_eq!((world.run(run.claim.run).await, world.current().await), before);
    assert_eq!(world.journal_actions().await.last().unwrap(), "mutation.answered_late");
}

pub async fn the_inputs_behind_an_effect_stay_known(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let (run, mutation) = world.mutated(&["m1", "m3"]).await;
    let of = |mail: &str| inputs.iter().find(|input| input.external_id == mail).unwrap().id;

    world.crash().await;
    let retry = world.take("record").await;
    world.commit(&retry, Vec::new()).await.unwrap();

    assert_ne!(retry.claim.run, run.claim.run);
    let mut causes = world.mutation(mutation).await.inputs;
    causes.sort();
    assert_eq!(causes, [of("m1"), of("m3")]);
}
