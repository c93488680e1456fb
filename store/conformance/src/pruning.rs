//! What is over and old is removed, what is open never, and what is removed is not taken for new.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windlass_core::{
    Action, Age, EventStatus, FailureClass, MutationStatus, Phase, RecordKind, ResolutionKind,
    Retention, Status,
};
use windlass_store::{
    ApplyMutation, CommitConsumer, InputStatus, LogFilter, LogSource, NewEvent, Page, Prune,
    PruneCursor, ReplaySelection, ScriptMessage, StoreError,
};

use crate::world::{
    TestStore, World, commit_consumer_of, event, event_with, log, policy, seconds, start,
};

pub(crate) const AT_ONCE: Retention = Retention::all(Age::Span(Duration::ZERO));

pub(crate) type Counts = BTreeMap<RecordKind, u64>;

/// How much of each kind is removed, or would be, in steps of `limit`.
pub(crate) async fn walk(
    world: &World,
    retention: &Retention,
    limit: u32,
    removes: bool,
) -> Counts {
    let mut counts = Counts::new();
    for kind in RecordKind::ALL.iter().copied() {
        let mut after: Option<PruneCursor> = None;
        loop {
            let params = Prune { kind, retention: retention.clone(), after, limit };
            let pruned = match removes {
                true => world.store.prune(params).await.unwrap(),
                false => world.store.prunable(params).await.unwrap(),
            };
            *counts.entry(kind).or_default() += pruned.count;
            after = pruned.next;
            if after.is_none() {
                break;
            }
        }
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// Lets everything come to its end that has nothing to do, and removes whatever is over.
async fn rest_and_prune(world: &World) -> Counts {
    world.drain().await;
    prune(world).await
}

/// Removes whatever is over.
pub(crate) async fn prune(world: &World) -> Counts {
    walk(world, &AT_ONCE, 500, true).await
}

/// Lets `record` do one mail from its beginning to its end.
async fn finish(world: &World, mail: &str) {
    let (run, _) = world.mutated(&[mail]).await;
    world.commit(&run, Vec::new()).await.unwrap();
}

pub async fn finished_records_are_removed_with_all_that_belongs_to_them(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = world.mutated(&["m1"]).await;
    let params = CommitConsumer { logs: vec![log("done")], ..commit_consumer_of(&run) };
    world.store.commit_consumer(params).await.unwrap();
    finish(&world, "m2").await;
    world.drain().await;
    let n_runs = world.runs().await.len();

    let removed = prune(&world).await;

    assert_eq!(removed[&RecordKind::Events], 2);
    assert_eq!(removed[&RecordKind::Mutations], 2);
    assert_eq!(removed[&RecordKind::Inputs], 2);
    assert!(removed[&RecordKind::Runs] >= 1 && removed[&RecordKind::Sessions] >= 1, "{removed:?}");
    assert_eq!(world.events("mail").await, []);
    assert_eq!(world.store.all_inputs(world.workspace, world.workflow).await.unwrap(), []);
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap(), []);
    let gone = world.store.mutation(world.workspace, mutation).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    let left = world.runs().await.len() as u64;
    assert_eq!(left + removed[&RecordKind::Runs] + removed[&RecordKind::Mutations], n_runs as u64);
    let page = Page::first(u32::MAX);
    let logs = LogFilter { workspace: world.workspace, of: LogSource::Run(run.claim.run), page };
    assert_eq!(world.store.all_logs(logs).await.unwrap(), []);
    let overview = world.store.overview(world.workspace, world.workflow).await.unwrap();
    assert_eq!(overview.pending_inputs, 0);
    assert_eq!(prune(&world).await, Counts::new(), "nothing is left to remove");
}

pub async fn young_records_are_kept(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    finish(&world, "m1").await;
    world.drain().await;
    let day = Retention::all(Age::Span(seconds(86_400)));

    let young = walk(&world, &day, 500, true).await;
    world.advance(seconds(86_400));
    let forever = Retention { events: Age::Forever, mutations: Age::Forever, ..day.clone() };
    let partly = walk(&world, &forever, 500, true).await;
    let old = walk(&world, &day, 500, true).await;

    assert_eq!(young, Counts::new());
    assert!(!partly.contains_key(&RecordKind::Events), "{partly:?}");
    assert!(!partly.contains_key(&RecordKind::Inputs), "an event keeps its inputs: {partly:?}");
    assert_eq!((old[&RecordKind::Events], old[&RecordKind::Inputs]), (1, 1));
}

pub async fn a_removed_event_is_not_published_again(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    finish(&world, "m1").await;
    rest_and_prune(&world).await;

    world.poll(&["m1", "m2"]).await;

    let left: Vec<String> =
        world.events("mail").await.into_iter().map(|event| event.message_id).collect();
    assert_eq!(left, ["m2"]);
    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let inputs: Vec<_> = inputs.iter().map(|input| input.external_id.as_str()).collect();
    assert_eq!(inputs, ["m2"], "what is over does not come back as pending");
    finish(&world, "m2").await;
}

pub async fn an_event_that_a_consumer_publishes_again_stays_over_too(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.commit(&run, vec![event("row", "r1")]).await.unwrap();
    let run = world.take("record").await;
    world.prepare(&run, Vec::new()).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();
    let told = world.take("tell").await;
    world.prepare(&told, vec![crate::world::reservation("row", &["r1"])]).await.unwrap();
    world.commit(&told, Vec::new()).await.unwrap();
    prune(&world).await;
    world.advance(seconds(300));
    world.drain().await;
    world.poll(&["m3"]).await;

    let (run, _) = world.mutated(&["m2"]).await;
    world.commit(&run, vec![event("row", "r1"), event("row", "r2")]).await.unwrap();

    let rows: Vec<_> = world.events("row").await.into_iter().map(|row| row.message_id).collect();
    assert_eq!(rows, ["r2"]);
}

pub async fn an_input_comes_back_where_something_new_is_caused_by_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    finish(&world, "m1").await;
    rest_and_prune(&world).await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let input = world.input("m1");
    let again = NewEvent { caused_by: vec![input.id], ..event("mail", "m1 of tomorrow") };

    world.commit_producer(&run, &[input], vec![again]).await.unwrap();

    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    assert_eq!((inputs.len(), inputs[0].status), (1, InputStatus::Pending));
    finish(&world, "m1 of tomorrow").await;
    assert_eq!(rest_and_prune(&world).await[&RecordKind::Inputs], 1);
}

pub async fn an_input_whose_events_are_gone_is_done(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    finish(&world, "m1").await;
    let (_, doubt) = world.doubtful(&["m2"]).await;
    world.resolve(doubt, ResolutionKind::Skip).await.unwrap();
    let retry = world.take("record").await;
    world.commit(&retry, Vec::new()).await.unwrap();
    world.drain().await;
    let keeps = Retention { inputs: Age::Forever, ..AT_ONCE };

    walk(&world, &keeps, 500, true).await;

    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    let status = |name| inputs.iter().find(|input| input.external_id == name).unwrap().status;
    assert_eq!((status("m1"), status("m2")), (InputStatus::Done, InputStatus::Skipped));
    assert_eq!(inputs[0].created_by_run_id, None, "the run that found it is not kept for it");
    let overview = world.store.overview(world.workspace, world.workflow).await.unwrap();
    assert_eq!(overview.pending_inputs, 0);
}

pub async fn a_run_under_way_is_kept_and_can_commit(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    let (run, mutation) = world.mutated(&["m1"]).await;

    prune(&world).await;

    assert_eq!(world.run(run.claim.run).await.status, Status::Active);
    assert_eq!(world.session_of(run.claim.run).await.result, None);
    assert_eq!(world.mutation(mutation).await.inputs.len(), 1, "the causes are kept");
    world.commit(&run, vec![event("row", "r1")]).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
    finish(&world, "m2").await;
}

pub async fn a_doubt_keeps_its_run_its_events_and_its_journal(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    finish(&world, "m1").await;
    let (run, mutation) = world.doubtful(&["m2"]).await;
    world.advance(seconds(400 * 86_400));

    let removed = prune(&world).await;

    assert!(removed.contains_key(&RecordKind::Mutations), "{removed:?}");
    assert_eq!(world.mutation(mutation).await.status, MutationStatus::Indeterminate);
    assert_eq!(world.run(run.claim.run).await.status, Status::PausedReconciliation);
    let event = world.event("mail", "m2").await;
    assert_eq!(event.status, EventStatus::Reserved);
    assert_eq!(world.run(event.created_by_run_id).await.id, event.created_by_run_id);
    assert!(
        world.journal_actions().await.contains(&"run.stopped".to_owned()),
        "{:?}",
        world.journal_actions().await
    );
    assert_eq!(world.open_notifications().await.len(), 1, "the question is still asked");
    world.resolve(mutation, ResolutionKind::Happened).await.unwrap();
    let retry = world.take("record").await;
    assert_eq!(retry.state.phase, Phase::Emitting);
    world.commit(&retry, Vec::new()).await.unwrap();
    world.drain().await;
    prune(&world).await;
    assert_eq!(world.events("mail").await, []);
}

pub async fn a_pending_retry_keeps_what_it_continues(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutated(&["m1"]).await;
    world.stop(&run, Some(Phase::Emitting), FailureClass::Network).await.unwrap();

    prune(&world).await;
    world.advance(seconds(10));
    let retry = world.take("record").await;
    prune(&world).await;

    assert_eq!(world.run(retry.claim.run).await.retry_of, Some(run.claim.run));
    assert_eq!(world.mutation(mutation).await.handler_run_id, run.claim.run);
    assert!(retry.mutation_result.is_some());
    world.commit(&retry, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed);
    world.drain().await;
    prune(&world).await;
    assert_eq!(world.store.all_mutations(world.workspace, world.workflow).await.unwrap(), []);
}

pub async fn a_refused_effect_is_kept_until_its_events_are_over(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, refused) = world.mutating(&["m1"]).await;
    world.fail(run.claim, refused, FailureClass::Network).await.unwrap();
    let first = world.mutation(refused).await;

    prune(&world).await;
    world.advance(seconds(10));
    let (run, second) = world.mutating(&["m1"]).await;

    let second_row = world.mutation(second).await;
    assert_eq!(first.operation_id, second_row.operation_id);
    assert_ne!(first.idempotency_key, second_row.idempotency_key, "the refusal still counts");
    let result = serde_json::json!({ "row": 1 });
    let params = ApplyMutation { claim: run.claim, mutation: second, result, resolved_by: None };
    world.store.apply_mutation(params).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();
    world.drain().await;
    assert_eq!(prune(&world).await[&RecordKind::Mutations], 2);
}

pub async fn parked_and_waiting_events_are_kept(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    for _ in 0..policy().events.park_after {
        world.reserve(&["m1"]).await;
        world.crash().await;
        world.advance(seconds(1));
    }
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Parked);

    prune(&world).await;

    let left: Vec<_> = world.events("mail").await.into_iter().map(|event| event.status).collect();
    assert_eq!(left, [EventStatus::Parked, EventStatus::Pending]);
    assert_eq!(world.open_notifications().await.len(), 1);
    assert!(world.journal_actions().await.contains(&"event.parked".to_owned()));
}

pub async fn the_runs_of_earlier_rounds_are_kept_with_their_event(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutated(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    let selection = ReplaySelection::Event(world.event("mail", "m1").await.id);
    world.replay(selection, &[mutation]).await.unwrap();

    walk(&world, &AT_ONCE, 10, true).await;
    let rounds = world.store.event_rounds(world.workspace, selection).await.unwrap();
    let kept = world.mutation(mutation).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    world.drain().await;
    walk(&world, &AT_ONCE, 10, true).await;

    assert_eq!(rounds[0].rounds.len(), 1);
    assert_eq!(kept.status, MutationStatus::Applied);
    let gone = world.store.event_rounds(world.workspace, selection).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    let mutations = world.store.all_mutations(world.workspace, world.workflow).await.unwrap();
    assert_eq!(mutations, [], "nothing refers to it any more");
}

pub async fn the_run_that_stopped_a_workflow_is_kept(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    world.stop(&run, None, FailureClass::Auth).await.unwrap();

    prune(&world).await;

    let overview = world.store.overview(world.workspace, world.workflow).await.unwrap();
    assert_eq!(overview.stopped_by.map(|run| run.id), Some(run.claim.run));
    assert_eq!(world.open_notifications().await.len(), 1);
    assert!(world.journal_actions().await.contains(&"run.stopped".to_owned()));
    world.control(Action::Resume).await.unwrap();
    finish(&world, "m1").await;
}

pub async fn a_message_is_removed_by_its_age(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;
    let message = ScriptMessage {
        workspace: world.workspace,
        workflow: world.workflow,
        mutation,
        title: "a large amount".to_owned(),
        body: String::new(),
    };
    world.store.add_message(message).await.unwrap();

    let in_flight = prune(&world).await;
    world.apply(run.claim, mutation).await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();
    world.drain().await;
    let settled = prune(&world).await;

    assert_eq!(in_flight.get(&RecordKind::Notifications), None, "it may have to be found");
    assert_eq!(settled[&RecordKind::Notifications], 1);
    assert_eq!(settled[&RecordKind::Mutations], 1);
}

pub async fn a_preview_removes_nothing_and_counts_what_would_go(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3", "m4"]).await;
    finish(&world, "m1").await;
    let (run, _) = world.mutated(&["m2"]).await;
    world.commit(&run, vec![event_with("row", "r", serde_json::json!(1))]).await.unwrap();
    let (run, refused) = world.mutating(&["m3"]).await;
    world.fail(run.claim, refused, FailureClass::Network).await.unwrap();
    world.advance(seconds(60));
    world.doubtful(&["m4"]).await;
    world.advance(seconds(60));

    let mut kinds = BTreeSet::new();
    for retention in [
        Retention { mutations: Age::Forever, ..AT_ONCE },
        Retention { events: Age::Span(seconds(90)), ..AT_ONCE },
        AT_ONCE,
    ] {
        let told = walk(&world, &retention, 3, false).await;
        let told_again = walk(&world, &retention, 500, false).await;
        let removed = walk(&world, &retention, 500, true).await;

        kinds.extend(removed.keys().copied());
        assert_eq!(told, removed, "{retention:?}");
        assert_eq!(told_again, removed, "{retention:?}");
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
}

pub async fn a_step_reads_a_bounded_number_and_the_next_one_continues(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    for mail in ["m1", "m2", "m3"] {
        finish(&world, mail).await;
    }
    let step = |after| Prune { kind: RecordKind::Events, retention: AT_ONCE, after, limit: 2 };

    let first = world.store.prune(step(None)).await.unwrap();
    let left = world.events("mail").await.len();
    let second = world.store.prune(step(first.next.clone())).await.unwrap();

    assert_eq!((first.count, left), (2, 1));
    assert!(first.next.is_some());
    assert_eq!((second.count, second.next), (1, None));
}

pub async fn names_of_removed_records_are_kept_until_they_expire(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    finish(&world, "m1").await;
    rest_and_prune(&world).await;
    world.advance(seconds(10));
    let forgetful = Retention { keys: Age::Span(seconds(5)), ..AT_ONCE };

    let kept = prune(&world).await;
    let told = walk(&world, &forgetful, 500, false).await;
    let removed = walk(&world, &forgetful, 500, true).await;

    assert_eq!(kept.get(&RecordKind::Keys), None);
    assert_eq!((told[&RecordKind::Keys], removed[&RecordKind::Keys]), (2, 2));
    world.poll(&["m1"]).await;
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Pending, "it is new again");
}

pub async fn one_of_many_workers_may_prune(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let hour = seconds(3_600);

    let first = world.store.begin_pruning(hour).await.unwrap();
    let second = world.store.begin_pruning(hour).await.unwrap();
    world.advance(hour);
    let third = world.store.begin_pruning(hour).await.unwrap();
    world.clock.set(start());
    let after_a_wrong_clock = world.store.begin_pruning(hour).await.unwrap();

    assert_eq!((first, second, third, after_a_wrong_clock), (true, false, true, true));
}
