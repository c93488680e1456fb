//! Many workers on several machines share one PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot be unwrapped fails the test"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use serde_json::json;
use windlass_core::{
    Clock, EventStatus, HandlerKind, Id, ManualClock, RunId, SystemClock, WorkerId, WorkflowId,
    WorkspaceId,
};
use windlass_store::{
    ActivateScript, ApplyMutation, BeginMutation, Bump, CheckpointPrepare, ClaimFilter, ClaimRuns,
    ClaimScope, ClaimedRun, ClockRun, CommitProducer, EndedLeases, EndedRuns, EventFilter,
    Heartbeat, LeaseRenewal, Options, Page, PostgresStore, RecoverRuns, Reservation, SaveScript,
    SharedStore, open,
};
use windlass_store_conformance::world::graphs::{chain, tool_node};
use windlass_store_conformance::world::{World, commit_consumer_of, commit_of, event, manifest};
use windlass_store_conformance::{PostgresSchema, TestStore, start, worker_info};

const WORKFLOWS: usize = 12;
const MAILS: u32 = 5;
const LEASE: Duration = Duration::from_secs(300);

/// What the outside world saw, and which runs the workers were given.
#[derive(Debug, Default)]
struct Seen {
    effects: BTreeMap<(WorkflowId, String), usize>,
    claims: BTreeMap<RunId, usize>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_workers_on_two_machines_do_everything_once() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let options = || Options { connections: 4, ..Options::default() };
    let machines = [
        open(&schema.url(), options()).await.unwrap(),
        open(&schema.url(), options()).await.unwrap(),
    ];
    let (workspace, workflows) = deploy(&machines[0]).await;
    let seen = Arc::new(Mutex::new(Seen::default()));

    let workers =
        (0..8).map(|nth| tokio::spawn(work(Arc::clone(&machines[nth % 2]), Arc::clone(&seen))));
    for worker in futures::future::join_all(workers).await {
        worker.unwrap();
    }

    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(seen.effects.len(), WORKFLOWS * MAILS as usize);
    assert!(seen.effects.values().all(|times| *times == 1), "{:?}", seen.effects);
    assert!(seen.claims.values().all(|times| *times == 1), "{:?}", seen.claims);
    for workflow in workflows {
        let overview = machines[1].overview(workspace, workflow).await.unwrap();
        assert_eq!(overview.events["mail"].consumed, MAILS, "{overview:?}");
        assert_eq!((overview.pending_inputs, overview.open_run), (0, None));
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused_with_what_to_do() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let mut server = AsyncPgConnection::establish(&schema.url()).await.unwrap();
    let name =
        diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("current_database()::text"));
    let name: String = diesel_async::RunQueryDsl::get_result(name, &mut server).await.unwrap();
    let made = format!(
        "CREATE DATABASE \"{name}_latin1\" ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'"
    );
    server.batch_execute(&made).await.unwrap();
    let url = schema.url().replace(&name, &format!("{name}_latin1"));

    let migrated = PostgresStore::migrate(&url).await.unwrap_err().to_string();
    let opened = open(&url, Options::default()).await.unwrap_err().to_string();

    let drop = format!("DROP DATABASE \"{name}_latin1\" WITH (FORCE)");
    server.batch_execute(&drop).await.unwrap();
    for refused in [migrated, opened] {
        assert!(refused.contains("its encoding is LATIN1"), "{refused}");
        assert!(refused.contains("ENCODING 'UTF8'"), "{refused}");
    }
}

#[tokio::test]
async fn a_run_that_somebody_keeps_locked_costs_no_other_its_lease_or_its_rescue() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = open(&schema.url(), Options::default()).await.unwrap();
    deploy(&store).await;
    let worker = worker_info(WorkerId::mint(SystemClock.now()), ClaimFilter::default());
    let scope = ClaimScope::Matching(ClaimFilter::default());
    let params = ClaimRuns { worker: worker.id, limit: 2, lease: Duration::ZERO, scope };
    let claims: Vec<_> =
        store.claim_runs(params).await.unwrap().into_iter().map(|run| run.claim).collect();
    let [locked, free] = [0, 1].map(|nth: usize| claims[nth].run);
    let mut somebody = AsyncPgConnection::establish(&schema.url()).await.unwrap();
    let lock = format!(
        "BEGIN; SELECT 1 FROM handler_runs r JOIN workflows w ON w.id = r.workflow_id WHERE r.id = '{locked}' FOR UPDATE"
    );
    somebody.batch_execute(&lock).await.unwrap();

    let heartbeat = Heartbeat {
        worker,
        claims,
        lease: Duration::ZERO,
        ended: EndedRuns::default(),
        clock: ClockRun::Even,
    };
    let held = store.heartbeat(heartbeat).await.unwrap().leases;
    let recover = || RecoverRuns {
        lost_workers: Vec::new(),
        ended_leases: EndedLeases::by_the_store(),
        limit: 10,
    };
    let recovered = store.recover_runs(recover()).await.unwrap();

    assert_eq!(held, LeaseRenewal { renewed: vec![free], busy: vec![locked] });
    assert_eq!(recovered.iter().map(|it| it.run).collect::<Vec<_>>(), [free]);
    somebody.batch_execute("COMMIT").await.unwrap();
    let recovered = store.recover_runs(recover()).await.unwrap();
    assert_eq!(recovered.iter().map(|it| it.run).collect::<Vec<_>>(), [locked]);
}

#[tokio::test]
async fn the_other_nodes_of_a_plan_are_claimed_while_somebody_has_its_workflow_locked() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { clock: Some(for_store), ..Options::default() };
    let store = open(&schema.url(), options).await.unwrap();
    let world = World::empty(TestStore { store, clock }).await;
    let mut draft = chain(&[]);
    let nodes = ["one", "two"].map(|id| tool_node(id, "Files.append", &json!({ "n": id })));
    draft["nodes"] = json!(nodes);
    draft["maxParallel"] = json!(2);
    world.start_plan("site", &draft).await;
    let mut somebody = AsyncPgConnection::establish(&schema.url()).await.unwrap();
    somebody.batch_execute("BEGIN; SELECT 1 FROM workflows FOR NO KEY UPDATE").await.unwrap();

    let claimed = world.claims(None, 5).await;

    assert_eq!(claimed.len(), 2, "{claimed:?}");
    somebody.batch_execute("COMMIT").await.unwrap();
}

async fn deploy(store: &SharedStore) -> (WorkspaceId, Vec<WorkflowId>) {
    let workspace = store.ensure_workspace("main").await.unwrap();
    let manifest = manifest(&[("poll", "1d", &["mail"])], &[("record", &["mail"], &[])]);
    let mut workflows = Vec::new();
    for nth in 0..WORKFLOWS {
        let params = SaveScript {
            workspace,
            name: format!("workflow {nth}"),
            file_name: "mail.js".to_owned(),
            source: String::new(),
            grant: windlass_core::Grant::default(),
            manifest: manifest.clone(),
            comment: String::new(),
            bump: Bump::Major,
            actor: "ada".to_owned(),
        };
        let saved = store.save_script(params).await.unwrap().script;
        let (workflow, script) = (saved.workflow_id, saved.id);
        let params = ActivateScript { workspace, workflow, script, actor: "ada".to_owned() };
        store.activate_script(params).await.unwrap();
        workflows.push(workflow);
    }
    (workspace, workflows)
}

/// Works until nothing is due before tomorrow and nobody has a run.
async fn work(store: SharedStore, seen: Arc<Mutex<Seen>>) {
    let worker = WorkerId::mint(SystemClock.now());
    let mut wake_ups = store.wake_ups();
    loop {
        store.enqueue_due(3).await.unwrap();
        let params = ClaimRuns {
            worker,
            limit: 2,
            lease: LEASE,
            scope: ClaimScope::Matching(ClaimFilter::default()),
        };
        let claimed = store.claim_runs(params).await.unwrap();
        for run in &claimed {
            *seen.lock().unwrap().claims.entry(run.claim.run).or_default() += 1;
            drive(&store, &seen, run).await;
        }
        if !claimed.is_empty() {
            continue;
        }
        match store.agenda(&ClaimFilter::default()).await.unwrap().next() {
            Some(due) if due > 2 * LEASE => return,
            // What is due now is locked by another worker.
            Some(due) if due.is_zero() => tokio::task::yield_now().await,
            Some(due) => drop(tokio::time::timeout(due, wake_ups.wait()).await),
            None => wake_ups.wait().await,
        }
    }
}

async fn drive(store: &SharedStore, seen: &Mutex<Seen>, run: &ClaimedRun) {
    if run.state.kind == HandlerKind::Producer {
        let events = (0..MAILS).map(|nth| event("mail", &format!("mail {nth}"))).collect();
        store.commit_producer(CommitProducer { events, ..commit_of(run) }).await.unwrap();
        return;
    }
    let filter = EventFilter {
        workspace: run.claim.workspace,
        workflow: run.claim.workflow,
        topic: Some("mail".to_owned()),
        status: Some(EventStatus::Pending),
        message_ids: None,
        page: Page::first(2),
    };
    let mails: Vec<_> =
        store.all_events(filter).await.unwrap().into_iter().map(|event| event.message_id).collect();
    let reservations = vec![Reservation { topic: "mail".to_owned(), ids: mails.clone() }];
    let (claim, logs) = (run.claim, Vec::new());
    let prepared =
        CheckpointPrepare { claim, result: json!({}), reservations, wake_at: None, logs };
    store.checkpoint_prepare(prepared).await.unwrap();
    if !mails.is_empty() {
        send(store, seen, run, mails).await;
    }
    store.commit_consumer(commit_consumer_of(run)).await.unwrap();
}

async fn send(store: &SharedStore, seen: &Mutex<Seen>, run: &ClaimedRun, mails: Vec<String>) {
    let params = BeginMutation {
        claim: run.claim,
        tool_namespace: "Files".to_owned(),
        tool_method: "append".to_owned(),
        params: json!({ "mails": mails }),
        target: String::new(),
        place: None,
        ui_title: String::new(),
        reconcilable: false,
        price: 0,
        logs: Vec::new(),
    };
    let mutation = store.begin_mutation(params).await.unwrap().id;
    for mail in mails {
        *seen.lock().unwrap().effects.entry((run.claim.workflow, mail)).or_default() += 1;
    }
    let (claim, result) = (run.claim, json!({}));
    let applied = ApplyMutation { claim, mutation, result, resolved_by: None };
    store.apply_mutation(applied).await.unwrap();
}
