//! What can be looked at.

use std::collections::BTreeMap;

use windlass_core::{
    Action, EventStatus, FailureClass, HandlerKind, MutationStatus, ResolutionKind, Status,
};
use windlass_store::{
    Bump, CommitProducer, EventAction, EventCounts, EventFilter, InputStatus, LogFilter, LogSource,
    NewInput, Page, RunFilter, SettleEvent, StoreError, Workspace,
};

use crate::world::{TestStore, World, commit_of, event, pipeline, reservation, seconds};

/// What became of each input, by its title's mail, and how many the overview counts as pending.
async fn inputs(world: &World) -> (BTreeMap<String, InputStatus>, u32) {
    let inputs = world.store.all_inputs(world.workspace, world.workflow).await.unwrap();
    for input in &inputs {
        assert_eq!(world.store.input(world.workspace, input.id).await.unwrap(), *input);
    }
    let statuses = inputs.into_iter().map(|input| (input.external_id, input.status)).collect();
    (statuses, world.store.overview(world.workspace, world.workflow).await.unwrap().pending_inputs)
}

pub async fn workspaces_are_listed_by_name_and_none_is_made_by_looking(test_store: TestStore) {
    let store = &test_store.store;
    assert_eq!(store.workspaces().await.unwrap(), []);
    let mut made = Vec::new();
    for name in ["b", "A", "a"] {
        made.push(Workspace {
            id: store.ensure_workspace(name).await.unwrap(),
            name: name.to_owned(),
        });
    }

    made.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(store.workspaces().await.unwrap(), made);
}

pub async fn an_input_is_over_when_all_that_it_caused_is_over(test_store: TestStore) {
    use InputStatus::{Pending, Skipped};
    let statuses = |m1, m2| BTreeMap::from([("m1".to_owned(), m1), ("m2".to_owned(), m2)]);
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    assert_eq!(inputs(&world).await, (statuses(Pending, Pending), 2));
    let (_, mutation) = world.doubtful(&["m1"]).await;
    assert_eq!(inputs(&world).await, (statuses(Pending, Pending), 2));
    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();
    assert_eq!(inputs(&world).await, (statuses(Skipped, Pending), 1));

    // The skipped run goes on: what it publishes was caused by the input as well.
    let retry = world.take("record").await;
    world.commit(&retry, vec![event("row", "r1")]).await.unwrap();
    assert_eq!(inputs(&world).await, (statuses(Pending, Pending), 2));
    world.reserve(&["m2"]).await;
    assert_eq!(inputs(&world).await, (statuses(Pending, Pending), 2));
}

pub async fn an_input_is_done_after_its_last_consumer(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;

    world.commit(&run, Vec::new()).await.unwrap();

    let done = BTreeMap::from([("m1".to_owned(), InputStatus::Done)]);
    assert_eq!(inputs(&world).await, (done, 0));
}

pub async fn an_input_without_events_is_pending(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;

    world.commit_producer(&run, &[world.input("m1")], Vec::new()).await.unwrap();

    let pending = BTreeMap::from([("m1".to_owned(), InputStatus::Pending)]);
    assert_eq!(inputs(&world).await, (pending, 1));
}

pub async fn an_input_whose_event_is_parked_is_not_done(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    for _ in 0..5 {
        world.reserve(&["m1"]).await;
        world.crash().await;
    }
    let event = world.event("mail", "m1").await;
    assert_eq!(event.status, EventStatus::Parked);

    let pending = BTreeMap::from([("m1".to_owned(), InputStatus::Pending)]);
    assert_eq!(inputs(&world).await, (pending, 1));
    let action = EventAction::Skip;
    let params = SettleEvent {
        workspace: world.workspace,
        event: event.id,
        action,
        actor: "ada".to_owned(),
        reason: None,
    };
    world.store.settle_event(params).await.unwrap();
    let skipped = BTreeMap::from([("m1".to_owned(), InputStatus::Skipped)]);
    assert_eq!(inputs(&world).await, (skipped, 0));
}

pub async fn an_input_is_found_by_its_whole_key(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let find = async |source: &str, input_type: &str, external_id: &str| {
        let key = world.input_key([source, input_type, external_id]);
        world.store.find_input(key).await.unwrap()
    };
    let expected = world.store.all_inputs(world.workspace, world.workflow).await.unwrap()[0].id;

    assert_eq!(find("Mail", "message", "m1").await, Some(expected));
    assert_eq!(find("Files", "message", "m1").await, None);
    assert_eq!(find("Mail", "file", "m1").await, None);
    assert_eq!(find("Mail", "message", "m2").await, None);
    let other = world.deploy("other", pipeline()).await;
    let elsewhere = other.store.find_input(other.input_key(["Mail", "message", "m1"])).await;
    assert_eq!(elsewhere.unwrap(), None);
}

pub async fn a_mutation_lists_every_input_behind_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let (first, mutation) = world.mutated(&["m1", "m3"]).await;
    world.commit(&first, Vec::new()).await.unwrap();
    let (_, alone) = world.mutated(&["m2"]).await;
    let names: BTreeMap<_, _> = world
        .store
        .all_inputs(world.workspace, world.workflow)
        .await
        .unwrap()
        .into_iter()
        .map(|input| (input.id, input.external_id))
        .collect();

    let mutations = world.store.all_mutations(world.workspace, world.workflow).await.unwrap();

    let causes =
        |nth: usize| mutations[nth].inputs.iter().map(|id| names[id].as_str()).collect::<Vec<_>>();
    assert_eq!(mutations.iter().map(|m| m.id).collect::<Vec<_>>(), [mutation, alone]);
    assert_eq!((causes(0), causes(1)), (vec!["m1", "m3"], vec!["m2"]));
    assert_eq!(world.mutation(mutation).await, mutations[0]);
}

pub async fn events_are_chosen_by_topic_status_and_id(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2", "m3"]).await;
    let run = world.reserve(&["m2"]).await;
    world.commit(&run, vec![event("row", "m2")]).await.unwrap();
    let all = EventFilter {
        workspace: world.workspace,
        workflow: world.workflow,
        topic: None,
        status: None,
        message_ids: None,
        page: Page::first(100),
    };
    let chosen = async |filter: EventFilter| {
        let events = world.store.all_events(filter).await.unwrap();
        events
            .iter()
            .map(|event| format!("{}/{}", event.topic, event.message_id))
            .collect::<Vec<_>>()
    };
    let mail = EventFilter { topic: Some("mail".to_owned()), ..all.clone() };

    assert_eq!(chosen(all.clone()).await, ["mail/m1", "mail/m2", "mail/m3", "row/m2"]);
    assert_eq!(
        chosen(EventFilter { page: Page::first(2), ..all.clone() }).await,
        ["mail/m1", "mail/m2"]
    );
    assert_eq!(chosen(mail.clone()).await, ["mail/m1", "mail/m2", "mail/m3"]);
    let pending = EventFilter { status: Some(EventStatus::Pending), ..mail.clone() };
    assert_eq!(chosen(pending).await, ["mail/m1", "mail/m3"]);
    let ids = vec!["m3".to_owned(), "m2".to_owned(), "m9".to_owned()];
    let named = EventFilter { message_ids: Some(ids), ..mail };
    assert_eq!(chosen(named).await, ["mail/m2", "mail/m3"]);
    let none = EventFilter { message_ids: Some(Vec::new()), ..all.clone() };
    assert_eq!(chosen(none).await, [""; 0]);
    let elsewhere = world.deploy("other", pipeline()).await;
    assert_eq!(
        chosen(EventFilter { workspace: world.workspace, workflow: elsewhere.workflow, ..all })
            .await,
        [""; 0]
    );
}

pub async fn the_overview_of_a_workflow_that_waits_for_a_person(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;
    world.save("mail", "// newer", pipeline(), Bump::Major).await;
    let (run, mutation) = world.doubtful(&["m1"]).await;

    let overview = world.store.overview(world.workspace, world.workflow).await.unwrap();

    let kinds: Vec<_> = overview.handlers.iter().map(|h| (h.kind, h.name.as_str())).collect();
    let expected = [
        (HandlerKind::Producer, "poll"),
        (HandlerKind::Consumer, "record"),
        (HandlerKind::Consumer, "tell"),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(overview.active_version.as_deref(), Some("1.0"));
    assert_eq!(overview.latest_version.as_deref(), Some("2.0"));
    assert_eq!(overview.open_run, None);
    let stopped = overview.stopped_by.unwrap();
    assert_eq!((stopped.id, stopped.status), (run.claim.run, Status::PausedReconciliation));
    let doubts: Vec<_> = overview.in_doubt.iter().map(|m| (m.id, m.status)).collect();
    assert_eq!(doubts, [(mutation, MutationStatus::Indeterminate)]);
    assert_eq!(overview.in_doubt[0].inputs.len(), 1);
    let mail = EventCounts { pending: 1, reserved: 1, ..EventCounts::default() };
    let row = EventCounts::default();
    let counts = BTreeMap::from([("mail".to_owned(), mail), ("row".to_owned(), row)]);
    assert_eq!(overview.events, counts);
    assert_eq!(overview.last_session.unwrap().id, stopped.session_id);
}

pub async fn the_overview_of_a_workflow_at_work(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, _) = world.mutating(&["m1"]).await;

    let overview = world.store.overview(world.workspace, world.workflow).await.unwrap();

    assert_eq!(overview.open_run.map(|open| open.id), Some(run.claim.run));
    assert_eq!(overview.in_doubt, [], "a request under way is no doubt");
    assert_eq!(overview.stopped_by, None);
}

pub async fn runs_come_newest_first(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let all = world.runs().await;
    let newest = async |limit| {
        let filter = RunFilter {
            workspace: world.workspace,
            workflow: world.workflow,
            session: None,
            page: Page::first(limit),
        };
        world.store.all_runs(filter).await.unwrap().iter().map(|run| run.id).collect::<Vec<_>>()
    };

    let last_two: Vec<_> = all.iter().rev().take(2).map(|run| run.id).collect();
    assert_eq!(newest(2).await, last_two);
    assert_eq!(newest(0).await, []);
    let session = all[0].session_id;
    let filter = RunFilter {
        workspace: world.workspace,
        workflow: world.workflow,
        session: Some(session),
        page: Page::first(100),
    };
    let of_session = world.store.all_runs(filter).await.unwrap();
    let expected: Vec<_> = all.iter().rev().filter(|run| run.session_id == session).collect();
    assert_eq!(of_session.iter().collect::<Vec<_>>(), expected);
    assert!(expected.len() < all.len(), "there were two sessions");
}

pub async fn logs_come_in_order_after_a_given_line(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let logs = ["one", "two", "three"].map(crate::world::log).to_vec();
    let committed = world.store.commit_producer(CommitProducer { logs, ..commit_of(&run) }).await;
    committed.unwrap();
    let read = async |after| {
        let page = Page { limit: u32::MAX, after };
        let filter =
            LogFilter { workspace: world.workspace, of: LogSource::Run(run.claim.run), page };
        let lines = world.store.all_logs(filter).await.unwrap();
        lines.into_iter().map(|line| (line.seq, line.message)).collect::<Vec<_>>()
    };
    let line = |seq, text: &str| (seq, text.to_owned());

    assert_eq!(read(None).await, [line(1, "one"), line(2, "two"), line(3, "three")]);
    assert_eq!(read(Some(2)).await, [line(3, "three")]);
    assert_eq!(read(Some(3)).await, []);
}

pub async fn notifications_come_newest_first_with_their_workflow(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let other = world.deploy("other", pipeline()).await;
    for world in [&world, &other] {
        world.advance(seconds(1));
        let run = world.claim().await.unwrap();
        world.stop(&run, None, FailureClass::Auth).await.unwrap();
    }
    let elsewhere = world.store.ensure_workspace("elsewhere").await.unwrap();

    let notices = world.store.all_notifications(world.workspace).await.unwrap();

    let workflows: Vec<_> = notices.iter().map(|notice| notice.workflow.as_str()).collect();
    assert_eq!(workflows, ["other", "mail"]);
    assert_eq!(world.store.all_notifications(elsewhere).await.unwrap(), []);
}

pub async fn a_run_that_waits_for_a_worker_is_to_be_taken_now(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.store.enqueue_due(10).await.unwrap();

    let while_queued = world.next_due().await;
    world.control(Action::Pause).await.unwrap();
    let while_paused = world.next_due().await;

    assert_eq!(while_queued, Some(seconds(0)));
    assert_eq!(while_paused, None, "nobody may take it");
}

pub async fn an_event_says_which_run_has_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.take("record").await;
    world.prepare(&run, vec![reservation("mail", &["m1"])]).await.unwrap();

    let event = world.event("mail", "m1").await;

    assert_eq!(event.reserved_by_run_id, Some(run.claim.run));
    assert_eq!(world.store.event(world.workspace, event.id).await.unwrap(), event);
}

pub async fn a_text_that_cannot_be_stored_is_found_as_it_was_stored(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    world.advance(seconds(300));
    let run = world.take("poll").await;
    let input = NewInput { external_id: "x\0y".to_owned(), ..world.input("m1") };
    world.commit_producer(&run, &[input], vec![event("mail", "m\0")]).await.unwrap();
    let (workflow, topic) = (world.workflow, Some("mail".to_owned()));
    let message_ids = Some(vec!["m\0".to_owned()]);
    let filter = EventFilter {
        workspace: world.workspace,
        workflow,
        topic,
        status: None,
        message_ids,
        page: Page::first(10),
    };

    let events = world.store.all_events(filter).await.unwrap();
    let input = world.store.find_input(world.input_key(["Mail", "message", "x\0y"])).await.unwrap();
    let unknown = world.store.find_workflow(world.workspace, "\0").await.unwrap_err();

    assert_eq!(events.len(), 1);
    assert_eq!(events[0].message_id, "m\u{FFFD}");
    assert!(input.is_some());
    assert!(matches!(unknown, StoreError::NotFound { .. }), "{unknown:?}");
}
