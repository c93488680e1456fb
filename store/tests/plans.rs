//! What a run asks of a database on its way costs the same however long the history is: no statement reads through a table that
//! grows with it, and none through all that a workflow ever did.
//!
//! The statements are those that the store really sends, and the plans are the databases' own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that does not hold panics"
)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use diesel::sql_types::Text;
use diesel::{RunQueryDsl, sql_query};
use serde_json::json;
use windlass_core::{
    Clock, CredentialKind, EventStatus, FailureClass, Id, ManualClock, ResolutionKind, digest_text,
};
use windlass_store::{
    ApprovalFilter, CommitConsumer, CreateCredential, EndCredential, EventFilter, ListOrder,
    Listed, LogFilter, LogSource, Options, Page, Position, RedeemSignIn, Result, RunFilter, Steer,
    VersionCursor, migrate, open,
};
use windlass_store_conformance::world::graphs::{
    agent_node, chain, failed, human_node, success, tool_node, yes,
};
use windlass_store_conformance::world::{LEASE, World, commit_consumer_of, event, reservation};
use windlass_store_conformance::{PostgresSchema, connect_sqlite};
use windlass_store_conformance::{TestStore, policy, start, token};

/// What is kept long after it is over.
const GROWING: [&str; 21] = [
    "approvals",
    "artifacts",
    "attempts",
    "credentials",
    "deliveries",
    "event_inputs",
    "event_rounds",
    "events",
    "graph_runs",
    "handler_runs",
    "inputs",
    "journal",
    "mutations",
    "node_runs",
    "notifications",
    "past_events",
    "past_inputs",
    "run_inputs",
    "run_logs",
    "run_values",
    "sessions",
];

/// Indexes that hold only what is open, however much is over.
const OPEN: [&str; 13] = [
    "approvals_open",
    "approvals_pending",
    "deliveries_due",
    "events_parked",
    "events_pending",
    "handler_runs_lease",
    "handler_runs_open",
    "handler_runs_open_node",
    "handler_runs_queue",
    "mutations_lookup",
    "mutations_unsettled",
    "notifications_open",
    "sessions_open",
];

/// The tests take turns: each of them asks for what was sent in this process.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// All statements that were sent in this process.
static SENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Ear;

impl Instrumentation for Ear {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            let text = query.to_string();
            let statement = text.split(" -- binds").next().unwrap_or_default();
            SENT.lock().unwrap_or_else(PoisonError::into_inner).insert(statement.to_owned());
        }
    }
}

/// Everything that workers do with runs, on a store at that URL.
async fn live(url: &str) -> World {
    set_default_instrumentation(|| Some(Box::new(Ear))).unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { policy: policy(), clock: Some(for_store), ..Options::default() };
    let test_store = TestStore { store: open(url, options).await.unwrap(), clock };
    let world = World::with_mails(test_store, &["m1", "m2", "m3", "m4", "m5"]).await;

    let peek = EventFilter {
        workspace: world.workspace,
        workflow: world.workflow,
        topic: Some("mail".to_owned()),
        status: Some(EventStatus::Pending),
        message_ids: None,
        page: Page::first(1),
    };
    let peeked = world.store.events(peek.clone()).await.unwrap();
    assert_eq!(peeked.items[0].message_id, "m1");
    let message_ids = Some(vec!["m1".to_owned()]);
    world.store.events(EventFilter { status: None, message_ids, ..peek }).await.unwrap();
    let (run, _) = world.mutated(&["m1"]).await;
    let follow_up = Some(world.follow_up());
    let events = vec![event("row", "r1")];
    let commit = CommitConsumer { follow_up, events, ..commit_consumer_of(&run) };
    let next = world.store.commit_consumer(commit).await.unwrap().follow_up.unwrap();
    world.heartbeat(&[next.claim]).await;
    world.prepare(&next, vec![reservation("mail", &["m2"])]).await.unwrap();
    let mutation = world.begin(&next).await.unwrap();
    world.fail(next.claim, mutation, FailureClass::Network).await.unwrap();
    world.advance(LEASE);
    let (_, mutation) = world.doubtful(&["m2"]).await;
    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();
    world.next_due().await;
    let run = world.claim().await.unwrap();
    world.commit(&run, Vec::new()).await.unwrap();
    world.claim().await.unwrap();
    world.crash().await;
    let run = world.claim().await.unwrap();
    world.stop(&run, None, FailureClass::Network).await.unwrap();
    world.advance(LEASE);
    world.drain().await;
    world.poll(&["m1", "m6"]).await;
    world.next_due().await;
    world.claim().await.unwrap();
    plan(&world).await;
    credentials(&world).await;
    world.store.open_work().await.unwrap();
    world.store.deregister_worker(world.worker).await.unwrap();
    world
}

/// Everything that callers from outside do to be known.
async fn credentials(world: &World) {
    let World { store, workspace, .. } = world;
    let link = CreateCredential { kind: CredentialKind::SignIn, ..token(*workspace, "link") };
    store.create_credential(link.clone()).await.unwrap();
    let (digest, browser_digest) = (digest_text("link"), digest_text("cookie"));
    let redeem = RedeemSignIn { digest, browser_digest, lifetime: LEASE };
    let browser = store.redeem_sign_in(redeem.clone()).await.unwrap().unwrap();
    store.redeem_sign_in(redeem).await.unwrap().unwrap();
    store.credential(&digest_text("cookie")).await.unwrap().unwrap();
    store.note_credential_use(browser.id).await.unwrap();
    for workspace in [None, Some(*workspace)] {
        let end = EndCredential { workspace, credential: browser.id, actor: "ada".to_owned() };
        store.end_credential(end).await.unwrap();
    }
    world.advance(LEASE * 60 * 24 * 40);
    store.create_credential(token(*workspace, "secret")).await.unwrap();
}

/// Everything that agents, people and workers do with a plan.
async fn plan(world: &World) {
    let draft = chain(&[
        agent_node("draft", "planner"),
        human_node("review", "human-approval"),
        tool_node("write", "Files.append", &json!({ "n": 1 })),
        agent_node("send", "planner"),
    ]);
    world.start_plan("site", &draft).await;
    let run = world.store.start_plan(world.replacement("site", &draft)).await.unwrap().session;
    let mut made = success(&json!({}));
    let artifacts = json!([{ "name": "notes", "kind": "markdown", "content": "# a" }]);
    made.artifacts = serde_json::from_value(artifacts).unwrap();
    world.submit(run, "draft", made).await.unwrap();
    let asked = world.asked().await.remove(0);
    world.answer(asked.id, yes()).await.unwrap();
    let world = World { workflow: world.workstream("site").await, ..world.clone() };
    let claimed = world.take("write").await;
    world.prepare(&claimed, Vec::new()).await.unwrap();
    let mutation = world.begin_as(&claimed, true).await.unwrap();
    world.apply(claimed.claim, mutation).await.unwrap();
    world.commit_node(claimed.claim).await.unwrap();
    world.submit(run, "send", failed("no paper")).await.unwrap();
    world.steer(run, Steer::Resume { force: false }).await.unwrap();
    let (node, downstream) = ("send".to_owned(), true);
    world.begin_node(run, "send").await.unwrap();
    world.submit(run, "send", failed("no ink")).await.unwrap();
    let again = Steer::Restart { node, downstream, repeat_effects: false, discard_edits: false };
    world.steer(run, again).await.unwrap();
    world.cancel_graph(run).await;
}

/// Reads the first page of every list, and one that begins in its middle.
async fn list(world: &World) {
    let World { store, workspace, workflow, .. } = world;
    let (workspace, workflow) = (*workspace, *workflow);
    let run = world.runs().await[0].id;
    read(async |page| store.workflows(workspace, page).await, "mail".to_owned()).await;
    let version = VersionCursor { major: 1, minor: 1 };
    read(async |page| store.scripts(workspace, workflow, page).await, version).await;
    for topic in [None, Some("mail".to_owned())] {
        for status in [None, Some(EventStatus::Pending)] {
            let filter = |page| {
                let topic = topic.clone();
                EventFilter { workspace, workflow, topic, status, message_ids: None, page }
            };
            read(async |page| store.events(filter(page)).await, here()).await;
        }
    }
    for order in [ListOrder::OldestFirst, ListOrder::NewestFirst] {
        read(async |page| store.inputs(workspace, workflow, order, page).await, here()).await;
        read(async |page| store.mutations(workspace, workflow, order, page).await, here()).await;
    }
    read(async |page| store.sessions(workspace, workflow, page).await, here()).await;
    let runs = |page| RunFilter { workspace, workflow, session: None, page };
    read(async |page| store.runs(runs(page)).await, here()).await;
    let session = world.runs().await[0].session_id;
    for of in [LogSource::Run(run), LogSource::Session(session)] {
        read(async |page| store.logs(LogFilter { workspace, of, page }).await, 1).await;
    }
    read(async |page| store.notifications(workspace, page).await, here()).await;
    store.deliveries(workspace, 10).await.unwrap();
    for of in [None, Some(workspace)] {
        read(async |page| store.credentials(of, page).await, here()).await;
    }
    for only_pending in [true, false] {
        let filter = ApprovalFilter { workspace, session: None, only_pending };
        read(async |page| store.approvals(filter, page).await, here()).await;
    }
    read(async |page| store.journal(workspace, workflow, page).await, here()).await;
    let subject = workflow.to_string();
    read(async |page| store.journal_for(workspace, workflow, &subject, page).await, here()).await;
}

async fn read<T, C>(list: impl AsyncFn(Page<C>) -> Result<Listed<T, C>>, after: C) {
    list(Page::first(2)).await.unwrap();
    list(Page { limit: 2, after: Some(after) }).await.unwrap();
}

/// Some place in a list.
fn here<I: Id>() -> Position<I> {
    Position { at: start(), id: I::mint(start()) }
}

/// The statements that were sent since this was called last, to a database which quotes names so.
fn sent(quote: char) -> Vec<String> {
    let sent = std::mem::take(&mut *SENT.lock().unwrap_or_else(PoisonError::into_inner));
    let begins = |text: &&String| {
        ["SELECT", "UPDATE", "INSERT", "DELETE"].iter().any(|word| text.starts_with(word))
    };
    sent.iter().filter(begins).filter(|text| text.contains(quote)).cloned().collect()
}

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// Whether a step of a plan of SQLite costs more the more there was.
fn grows_in_sqlite(step: &str) -> bool {
    let mut words = step.split(' ');
    let (way, table) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_open = OPEN.iter().any(|index| step.contains(&format!("INDEX {index}")));
    let is_all_of_a_workflow = step.ends_with("(workflow_id=?)");
    GROWING.contains(&table) && !is_open && (way == "SCAN" || is_all_of_a_workflow)
}

#[tokio::test]
async fn nothing_that_a_run_asks_of_sqlite_grows_with_history() {
    let _turn = TURN.lock().await;
    SENT.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windlass.db");
    let url = format!("sqlite:{}", path.display());
    migrate(&url).await.unwrap();
    let world = live(&url).await;
    let of_runs = sent('`');
    list(&world).await;
    let of_lists = sent('`');

    let mut conn = connect_sqlite(&path).unwrap();
    let mut plan = |statement: &String| -> Vec<String> {
        let plan = sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<Line> = plan.load(&mut conn).unwrap();
        plan.into_iter().map(|line| line.detail).collect()
    };
    assert!(of_runs.len() > 40, "{of_runs:#?}");
    let mut growing = Vec::new();
    for statement in &of_runs {
        let steps = plan(statement).into_iter().filter(|step| grows_in_sqlite(step));
        growing.extend(steps.map(|step| format!("{step}: {statement}")));
    }
    assert!(growing.is_empty(), "{growing:#?}");
    assert!(of_lists.len() > 20, "{of_lists:#?}");
    let mut longer = Vec::new();
    for statement in &of_lists {
        let steps = plan(statement);
        let sorts = steps.iter().any(|step| step.ends_with("ORDER BY"));
        // Without a condition, an index that has the order is read as far as the page goes.
        let scans =
            steps.iter().any(|step| step.starts_with("SCAN")) && statement.contains(" WHERE ");
        let begins_in_the_middle =
            steps.iter().any(|step| step.contains(",id)") || step.contains(",minor)"));
        if sorts || scans || (compares_rows(statement) && !begins_in_the_middle) {
            longer.push(format!("{steps:#?}: {statement}"));
        }
    }
    assert!(longer.is_empty(), "{longer:#?}");
}

/// Whether a list begins after a place in its middle.
fn compares_rows(statement: &str) -> bool {
    [") > (", ") < ("].iter().any(|comparison| statement.contains(comparison))
}

#[tokio::test]
async fn nothing_that_a_run_asks_of_postgres_grows_with_history() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let _turn = TURN.lock().await;
    SENT.lock().unwrap_or_else(PoisonError::into_inner).clear();
    let world = live(&schema.url()).await;
    let of_runs = sent('"');
    list(&world).await;
    let of_lists = sent('"');

    let (client, connection) =
        tokio_postgres::connect(&schema.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    // Tables that are nearly empty are read whole, unless that is forbidden; then it is a sign that there is no other way.
    let settings = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";
    client.batch_execute(settings).await.unwrap();
    assert!(of_runs.len() > 40, "{of_runs:#?}");
    let mut growing = Vec::new();
    for statement in &of_runs {
        let steps = plan_of_postgres(&client, statement).await;
        let steps = steps.into_iter().filter(|step| reads_all_in_postgres(step));
        growing.extend(steps.map(|step| format!("{step}: {statement}")));
    }
    assert!(growing.is_empty(), "{growing:#?}");
    // What an index has in order need not be sorted, however few rows there are.
    let settings =
        "SET enable_sort = off; SET enable_incremental_sort = off; SET enable_bitmapscan = off";
    client.batch_execute(settings).await.unwrap();
    assert!(of_lists.len() > 20, "{of_lists:#?}");
    let mut longer = Vec::new();
    for statement in &of_lists {
        let steps = plan_of_postgres(&client, statement).await;
        let sorts = steps.iter().any(|step| step.contains("Sort"));
        let scans = steps.iter().any(|step| reads_all_in_postgres(step));
        let begins_in_the_middle =
            steps.iter().any(|step| step.starts_with("Index Cond:") && step.contains("ROW("));
        if sorts || scans || (compares_rows(statement) && !begins_in_the_middle) {
            longer.push(format!("{steps:#?}: {statement}"));
        }
    }
    assert!(longer.is_empty(), "{longer:#?}");
}

/// The steps of a statement, and what is said of each.
async fn plan_of_postgres(client: &tokio_postgres::Client, statement: &str) -> Vec<String> {
    let n_values = (1..).take_while(|n| statement.contains(&format!("${n}"))).count();
    let values = vec!["NULL"; n_values].join(", ");
    let execute = if n_values > 0 { format!("({values})") } else { String::new() };
    client.batch_execute(&format!("PREPARE one AS {statement}")).await.unwrap();
    let plan = client.simple_query(&format!("EXPLAIN EXECUTE one{execute}")).await.unwrap();
    client.batch_execute("DEALLOCATE one").await.unwrap();
    let step = |line| {
        let tokio_postgres::SimpleQueryMessage::Row(row) = line else { return None };
        Some(row.get(0).unwrap_or_default().trim().to_owned())
    };
    plan.into_iter().filter_map(step).collect()
}

/// Whether a step of a plan of PostgreSQL reads through a table that grows.
fn reads_all_in_postgres(step: &str) -> bool {
    GROWING.iter().any(|table| {
        step.contains(&format!("Seq Scan on {table} "))
            || step.contains(&format!("Seq Scan on {table}_"))
    })
}
