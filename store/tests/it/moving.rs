//! A stopped instance is carried over whole, goes on as if it had stayed, and leaves nothing that works behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot have its database has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Action, Age, Backoff, Clock, FailureClass, HandlerKind, ManualClock, Phase, RecordKind,
    ResolutionKind, Retention, WorkflowKind,
};
use windlass_store::{
    CheckpointPrepare, ClaimDeliveries, EndedLeases, EventFilter, LogFilter, LogSource, MovedTable,
    Options, Page, Prune, RecoverRuns, ReplaySelection, RunFilter, SharedStore, StoreError,
    migrate, move_instance, open,
};
use windlass_store_conformance::world::graphs::{agent_node, chain, human_node, success};
use windlass_store_conformance::world::{World, event, log, seconds};
use windlass_store_conformance::{PostgresSchema, connect_sqlite};
use windlass_store_conformance::{TestStore, policy, start, token};

/// A database of its own, with the schema and nothing in it.
struct TestDatabase {
    url: String,
    _folder: Option<tempfile::TempDir>,
    _schema: Option<PostgresSchema>,
}

async fn file() -> TestDatabase {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
    migrate(&url).await.unwrap();
    TestDatabase { url, _folder: Some(folder), _schema: None }
}

/// None where the environment names no server.
async fn server() -> Option<TestDatabase> {
    let schema = PostgresSchema::migrated().await.unwrap()?;
    Some(TestDatabase { url: schema.url(), _folder: None, _schema: Some(schema) })
}

async fn test_store(url: &str, clock: &Arc<ManualClock>) -> TestStore {
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let options = Options { policy: policy(), clock: Some(for_store), connections: 2 };
    TestStore { store: open(url, options).await.unwrap(), clock: Arc::clone(clock) }
}

/// An instance that stopped in the middle of everything; its workflows in the order of their names.
async fn stopped(url: &str, clock: &Arc<ManualClock>) {
    let world = World::empty(test_store(url, clock).await).await;
    let over = world.polled("a over", &["m0", "m1", "m2"]).await;
    let (run, _) = over.mutated(&["m0"]).await;
    over.commit(&run, Vec::new()).await.unwrap();
    let (run, _) = over.mutated(&["m1"]).await;
    over.commit(&run, vec![event("row", "r\u{1F980}\u{7}\"\\u0000'")]).await.unwrap();
    over.drain().await;
    prune(&over.store).await;
    over.poll(&["m1", "m3"]).await;
    let doubt = world.polled("b doubt", &["m1"]).await;
    doubt.looked_up(&["m1"]).await;
    let asked = world.polled("c asked", &["m1", "m2"]).await;
    asked.doubtful(&["m2"]).await;
    let reserved = world.polled("d reserved", &["m1", "m2"]).await;
    let run = reserved.take("record").await;
    let reservations =
        vec![windlass_store::Reservation { topic: "mail".to_owned(), ids: vec!["m1".to_owned()] }];
    let prepared = reserved.prepared(&run, reservations);
    let params = CheckpointPrepare { logs: vec![log("prepared"), log("a\nb")], ..prepared };
    reserved.store.checkpoint_prepare(params).await.unwrap();
    let backed_off = world.polled("e backs off", &["m1"]).await;
    let (run, mutation) = backed_off.mutating(&["m1"]).await;
    backed_off.fail(run.claim, mutation, FailureClass::Network).await.unwrap();
    let retried = world.polled("f retries", &["m1"]).await;
    let (run, _) = retried.mutated(&["m1"]).await;
    retried.stop(&run, Some(Phase::Emitting), FailureClass::Network).await.unwrap();
    let sending = world.polled("g sends", &["m1"]).await;
    sending.mutating(&["m1"]).await;
    let paused = world.polled("h pauses", &["m1"]).await;
    paused.control(Action::Pause).await.unwrap();
    Box::pin(replayed(&world)).await;
    graphs(&world).await;
    let limit = windlass_core::RunLimit { at_once: Some(1), rate: None };
    let params = windlass_store::SetLimit {
        workspace: world.workspace,
        key: windlass_core::LimitKey::Host("a.example".to_owned()),
        limit: Some(limit),
        actor: "ada".to_owned(),
    };
    world.store.set_limit(params).await.unwrap();
    world.store.create_credential(token(world.workspace, "secret")).await.unwrap();
    let deliveries = ClaimDeliveries {
        channel: "mail".to_owned(),
        group: Duration::ZERO,
        retry: Backoff::default(),
        limit: 100,
    };
    assert!(!world.store.claim_deliveries(deliveries).await.unwrap().is_empty());
}

/// An event that waits in its second round.
async fn replayed(world: &World) {
    let replayed = world.polled("i replays", &["m1"]).await;
    let (run, mutation) = replayed.mutated(&["m1"]).await;
    replayed.commit(&run, Vec::new()).await.unwrap();
    let selection = ReplaySelection::Event(replayed.event("mail", "m1").await.id);
    replayed.replay(selection, &[mutation]).await.unwrap();
}

/// A plan in the middle of its work, and an execution that an agent records.
async fn graphs(world: &World) {
    let execution = world.execute(world.record(&["hotel", "car"]).await).await;
    world.submit(execution, "hotel", success(&json!({ "room": 7 }))).await.unwrap();
    let nodes = [agent_node("draft", "planner"), human_node("review", "human-approval")];
    let plan = world.start_plan("z plan", &chain(&nodes)).await;
    let mut made = success(&json!({}));
    made.artifacts = serde_json::from_value(
        json!([{ "name": "notes", "kind": "markdown", "content": "# a\u{0}b" }]),
    )
    .unwrap();
    world.submit(plan, "draft", made).await.unwrap();
}

async fn prune(store: &SharedStore) {
    let retention = Retention::all(Age::Span(Duration::ZERO));
    for kind in RecordKind::ALL.iter().copied() {
        let params = Prune { kind, retention: retention.clone(), after: None, limit: 1_000 };
        store.prune(params).await.unwrap();
    }
}

/// The worlds of all workflows of an instance, by name.
async fn worlds(url: &str, clock: &Arc<ManualClock>) -> BTreeMap<String, World> {
    let world = World::empty(test_store(url, clock).await).await;
    let workflows = world.store.all_workflows(world.workspace).await.unwrap();
    let of = |workflow: windlass_store::Workflow| {
        (workflow.name, World { workflow: workflow.id, ..world.clone() })
    };
    let scripts = workflows.into_iter().filter(|it| it.kind == WorkflowKind::Script);
    scripts.map(of).collect()
}

/// Everything that can be looked at.
async fn seen(worlds: &BTreeMap<String, World>) -> Vec<String> {
    let mut seen = Vec::new();
    for world in worlds.values() {
        let (store, workspace, workflow) = (&world.store, world.workspace, world.workflow);
        let runs = store
            .all_runs(RunFilter { workspace, workflow, session: None, page: Page::first(1_000) })
            .await
            .unwrap();
        for run in &runs {
            let logs = store
                .all_logs(LogFilter {
                    workspace,
                    of: LogSource::Run(run.id),
                    page: Page::first(u32::MAX),
                })
                .await
                .unwrap();
            seen.push(format!(
                "{:?} {logs:?}",
                store.session(workspace, run.session_id).await.unwrap()
            ));
        }
        let events = EventFilter {
            workspace,
            workflow,
            topic: None,
            status: None,
            message_ids: None,
            page: Page::first(1_000),
        };
        seen.push(format!("{runs:?}"));
        seen.push(format!("{:?}", store.all_events(events.clone()).await.unwrap()));
        for event in store.all_events(events.clone()).await.unwrap() {
            let selection = ReplaySelection::Event(event.id);
            seen.push(format!("{:?}", store.event_rounds(workspace, selection).await.unwrap()));
        }
        seen.push(format!("{:?}", store.all_inputs(workspace, workflow).await.unwrap()));
        seen.push(format!("{:?}", store.all_mutations(workspace, workflow).await.unwrap()));
        seen.push(format!("{:?}", store.handlers(workspace, workflow).await.unwrap()));
        seen.push(format!("{:?}", store.overview(workspace, workflow).await.unwrap()));
        seen.push(format!("{:?}", store.all_journal(workspace, workflow).await.unwrap()));
        seen.push(format!("{:?}", store.all_scripts(workspace, workflow).await.unwrap()));
    }
    if let Some(world) = worlds.values().next() {
        seen.push(format!("{:?}", world.store.all_notifications(world.workspace).await.unwrap()));
        let credentials = world.store.credentials(None, Page::first(10)).await.unwrap();
        seen.push(format!("{:?}", credentials.items));
        seen.push(format!("{:?}", world.next_due().await));
    }
    seen
}

/// What an instance comes to when it is started again and a person answers what is asked.
async fn driven(worlds: &BTreeMap<String, World>) -> Vec<String> {
    let mut came_to = Vec::new();
    for (name, world) in worlds {
        world.advance(seconds(120));
        let recovered = world.recover().await.len();
        for doubt in world.store.overview(world.workspace, world.workflow).await.unwrap().in_doubt {
            world.resolve(doubt.id, ResolutionKind::Happened).await.unwrap();
        }
        let resumed = world.control(Action::Resume).await.is_ok();
        let mut runs = Vec::new();
        while let Some(run) = world.claim().await {
            runs.push(format!("{} {:?}", run.handler, run.state));
            if run.state.kind == HandlerKind::Producer {
                world.commit_producer(&run, &[], vec![event("mail", "m1")]).await.unwrap();
            } else if run.state.phase == Phase::Preparing {
                let waiting = EventFilter {
                    workspace: world.workspace,
                    workflow: world.workflow,
                    topic: Some("mail".to_owned()),
                    status: Some(windlass_core::EventStatus::Pending),
                    message_ids: None,
                    page: Page::first(1),
                };
                let waiting = world.store.all_events(waiting).await.unwrap();
                match waiting.first().filter(|_| run.handler == "record") {
                    None => world.find_nothing(&run).await,
                    Some(mail) => {
                        let ids = vec![mail.message_id.clone()];
                        let topic = "mail".to_owned();
                        world
                            .prepare(&run, vec![windlass_store::Reservation { topic, ids }])
                            .await
                            .unwrap();
                        let mutation = world.begin(&run).await.unwrap();
                        world.apply(run.claim, mutation).await.unwrap();
                        world.commit(&run, vec![event("row", &mail.message_id)]).await.unwrap();
                    }
                }
            } else {
                world.commit(&run, Vec::new()).await.unwrap();
            }
        }
        let mut ends: Vec<_> = ["mail", "row"].map(|topic| world.events(topic)).into();
        let mut statuses = Vec::new();
        for end in ends.drain(..) {
            let events = end.await;
            statuses.extend(events.into_iter().map(|it| (it.topic, it.message_id, it.status)));
        }
        statuses.sort();
        let effects = world.store.all_mutations(world.workspace, world.workflow).await.unwrap();
        let effects: Vec<_> = effects.into_iter().map(|effect| effect.status).collect();
        came_to.push(format!("{name}: {recovered} {resumed} {runs:?} {statuses:?} {effects:?}"));
    }
    came_to
}

/// Moves an instance, and compares it before and afterwards, and where it comes to with where one comes to that stayed.
async fn carry(from: &TestDatabase, to: &TestDatabase) {
    let clock = Arc::new(ManualClock::new(start()));
    stopped(&from.url, &clock).await;
    let stopped_at = clock.now();
    let before = {
        let worlds = worlds(&from.url, &clock).await;
        seen(&worlds).await
    };
    let (stays, its_clock) = (file().await, Arc::new(ManualClock::new(start())));
    stopped(&stays.url, &its_clock).await;
    assert_eq!(its_clock.now(), stopped_at);

    let moved = until_stopped(from, to).await;

    let there = worlds(&to.url, &clock).await;
    assert_eq!(seen(&there).await, before);
    let rows: BTreeMap<_, _> = moved.iter().map(|it| (it.table, it.rows)).collect();
    for (table, rows) in &rows {
        assert!(*rows > 0, "nothing of `{table}` was put to the proof: {moved:?}");
    }
    let stayed = worlds(&stays.url, &its_clock).await;
    assert_eq!(driven(&there).await, driven(&stayed).await);
}

/// The connections of a store that was dropped end a moment later.
async fn until_stopped(from: &TestDatabase, to: &TestDatabase) -> Vec<MovedTable> {
    loop {
        match move_instance(&from.url, &to.url).await {
            Err(StoreError::NotNow { what, .. }) if what.contains("have it open") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            moved => return moved.unwrap(),
        }
    }
}

#[tokio::test]
async fn from_a_file_to_a_file() {
    Box::pin(carry(&file().await, &file().await)).await;
}

#[tokio::test]
async fn from_a_file_to_a_server() {
    let Some(server) = server().await else { return };
    Box::pin(carry(&file().await, &server)).await;
}

#[tokio::test]
async fn from_a_server_to_a_file() {
    let Some(server) = server().await else { return };
    Box::pin(carry(&server, &file().await)).await;
}

#[tokio::test]
async fn what_was_moved_away_is_opened_and_changed_no_more() {
    let mut places = vec![(file().await, file().await)];
    if let (Some(from), Some(to)) = (server().await, server().await) {
        places.push((from, to));
    }
    for (from, to) in places {
        let clock = Arc::new(ManualClock::new(start()));
        stopped(&from.url, &clock).await;
        let straggler = match from.url.starts_with("sqlite") {
            true => Some(World::empty(test_store(&from.url, &clock).await).await),
            // A server does not let it go so far.
            false => None,
        };

        until_stopped(&from, &to).await;

        let refused = open(&from.url, Options::default()).await.map(drop).unwrap_err();
        assert!(matches!(&refused, StoreError::Moved { .. }), "{refused}");
        if let Some(straggler) = straggler {
            straggler.advance(seconds(600));
            let lost = RecoverRuns {
                lost_workers: Vec::new(),
                ended_leases: EndedLeases::by_the_store(),
                limit: 10,
            };
            straggler.store.recover_runs(lost).await.unwrap_err();
        }
        let again = move_instance(&from.url, &to.url).await.unwrap_err().to_string();
        assert!(again.contains("is not empty: it holds 1 workspaces, 11 workflows"), "{again}");
        let third = file().await;
        let elsewhere = move_instance(&from.url, &third.url).await.unwrap_err();
        assert!(matches!(&elsewhere, StoreError::Moved { .. }), "{elsewhere}");
    }
}

#[tokio::test]
async fn a_server_that_is_in_use_is_not_moved() {
    let (Some(from), to) = (server().await, file().await) else { return };
    let store = open(&from.url, Options { policy: policy(), ..Options::default() }).await.unwrap();
    let test_store = TestStore { store, clock: Arc::new(ManualClock::new(start())) };
    let world = World::pipeline(test_store).await;
    let run = world.claim().await.unwrap();

    let open = move_instance(&from.url, &to.url).await.unwrap_err().to_string();
    drop(world);
    let leased = loop {
        let refused = move_instance(&from.url, &to.url).await.unwrap_err().to_string();
        if !refused.contains("have it open") {
            break refused;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };

    assert!(open.contains("other processes have it open"), "{open}");
    assert!(leased.contains(&run.claim.run.to_string()), "{leased}");
}

#[tokio::test]
async fn a_move_that_fails_leaves_the_target_empty_and_the_source_at_work() {
    let (from, to) = (file().await, file().await);
    let clock = Arc::new(ManualClock::new(start()));
    stopped(&from.url, &clock).await;
    execute(
        &to.url,
        "CREATE TRIGGER broken BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );

    move_instance(&from.url, &to.url).await.unwrap_err();
    let still_there = worlds(&from.url, &clock).await.len();
    execute(&to.url, "DROP TRIGGER broken");
    let moved = move_instance(&from.url, &to.url).await.unwrap();

    assert_eq!(still_there, 9);
    assert!(moved.iter().any(|it| it.table == "journal" && it.rows > 0));
}

#[tokio::test]
async fn a_table_that_nobody_thought_of_is_not_left_behind() {
    let (from, to) = (file().await, file().await);
    execute(&from.url, "CREATE TABLE forgotten (id TEXT NOT NULL PRIMARY KEY) STRICT");

    let refused = move_instance(&from.url, &to.url).await.unwrap_err().to_string();

    assert!(refused.contains("has the table `forgotten`"), "{refused}");
}

fn execute(url: &str, statement: &str) {
    use diesel::connection::SimpleConnection as _;

    let path = Path::new(url.strip_prefix("sqlite:").unwrap());
    connect_sqlite(path).unwrap().batch_execute(statement).unwrap();
}
