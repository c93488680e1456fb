//! What only PostgreSQL does: collisions of transactions, announcements, lost connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use futures::future::try_join;
use tokio::sync::{Barrier, Notify};
use windlass_core::Timestamp;
use windlass_store_conformance::PostgresSchema;

use super::ops::Tx;
use super::*;
use crate::cached::CacheStatement;
use crate::pipeline::pipeline;
use crate::store::{WorkerStore as _, WorkflowStore as _};

async fn open(schema: &PostgresSchema) -> PostgresStore {
    PostgresStore::open(&schema.url(), Policy::default(), None, 4).await.unwrap()
}

/// Makes a workspace.
#[derive(Clone)]
struct Make(&'static str);

impl Operation for Make {
    type Output = usize;

    async fn run(self, tx: &Tx<'_>) -> Result<usize> {
        let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $1, 0) ON CONFLICT DO NOTHING";
        let mut conn = tx.conn;
        let made = diesel::sql_query(insert).bind::<Text, _>(self.0).execute(&mut conn).await;
        made.map_err(StoreError::from_diesel)
    }
}

/// Locks two workspaces one after the other, and tells how often it was tried.
#[derive(Clone)]
struct LockBoth {
    names: [&'static str; 2],
    both_have_one: Arc<Barrier>,
    tries: Arc<AtomicU32>,
}

impl Operation for LockBoth {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let tries = self.tries.fetch_add(1, Ordering::SeqCst);
        let lock = "UPDATE workspaces SET created_at = created_at + 1 WHERE name = $1";
        let [first, second] = self.names;
        let mut conn = tx.conn;
        let locked = diesel::sql_query(lock).bind::<Text, _>(first).execute(&mut conn).await;
        locked.map_err(StoreError::from_diesel)?;
        if tries == 0 {
            self.both_have_one.wait().await;
        }
        let locked = diesel::sql_query(lock).bind::<Text, _>(second).execute(&mut conn).await;
        locked.map(drop).map_err(StoreError::from_diesel)
    }
}

#[tokio::test]
async fn two_transactions_that_deadlock_both_succeed() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = open(&schema).await;
    for name in ["a", "b"] {
        store.write(Make(name)).await.unwrap();
    }
    let both_have_one = Arc::new(Barrier::new(2));
    let lock = |names| LockBoth {
        names,
        both_have_one: Arc::clone(&both_have_one),
        tries: Arc::default(),
    };
    let (one, other) = (lock(["a", "b"]), lock(["b", "a"]));
    let tries = [&one, &other].map(|lock| Arc::clone(&lock.tries));

    let done = tokio::join!(store.write(one), store.write(other));

    assert!(matches!(done, (Ok(()), Ok(()))), "{done:?}");
    let tries: u32 = tries.iter().map(|n| AtomicU32::load(n, Ordering::SeqCst)).sum();
    assert_eq!(tries, 3, "one of the two was undone and tried again");
}

/// Announces, and fails where it is told to.
#[derive(Clone)]
struct Announce {
    fails: bool,
}

impl Operation for Announce {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        tx.wakes.store(true, Ordering::Relaxed);
        match self.fails {
            true => Err(StoreError::not_found("workflow", "wf_none")),
            false => Ok(()),
        }
    }
}

#[tokio::test]
async fn a_commit_wakes_every_process_of_its_schema_and_no_other() {
    // Two schemas of one database: what is announced reaches every process that listens in it.
    let Some(schema) = PostgresSchema::create().await else { return };
    let Some(elsewhere) = PostgresSchema::create().await else { return };
    for schema in [&schema, &elsewhere] {
        PostgresStore::migrate(&schema.url()).await.unwrap();
    }
    let (here, there) = (open(&schema).await, open(&schema).await);
    let other = open(&elsewhere).await;
    let mut heard = [here.subscribe(), there.subscribe()];
    let mut heard_elsewhere = other.subscribe();

    here.write(Announce { fails: true }).await.unwrap_err();
    here.write(Announce { fails: false }).await.unwrap();
    for heard in &mut heard {
        heard.changed().await.unwrap();
    }
    // The server delivers in the order of commits: what the other schema hears first is its own.
    other.write(Announce { fails: false }).await.unwrap();
    heard_elsewhere.changed().await.unwrap();

    assert_eq!(
        heard.map(|heard| *heard.borrow()),
        [1, 1],
        "an undone transaction announces nothing"
    );
    assert_eq!(*heard_elsewhere.borrow(), 1);
}

/// Ends connections as an administrator would; returns how many.
async fn terminate(store: &PostgresStore, application: &str) -> usize {
    let mut conn = store.connections.get().await.unwrap();
    let query = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                 WHERE application_name = $1 AND pid <> pg_backend_pid()";
    diesel::sql_query(query).bind::<Text, _>(application).execute(&mut conn).await.unwrap()
}

#[tokio::test]
async fn a_lost_listener_reconnects_and_wakes_in_case_it_missed_a_notification() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let url =
        format!("{}&application_name=windlass-lost-listener-{}", schema.url(), std::process::id());
    let store = PostgresStore::open(&url, Policy::default(), None, 1).await.unwrap();
    let operator = open(&schema).await;
    let mut heard = store.subscribe();

    let ended =
        terminate(&operator, &format!("windlass-lost-listener-{}", std::process::id())).await;
    heard.changed().await.unwrap();
    operator.write(Announce { fails: false }).await.unwrap();
    heard.changed().await.unwrap();

    assert!(ended >= 1);
    assert_eq!(*heard.borrow(), 2, "once for the gap, once for the announcement after it");
}

#[tokio::test]
async fn a_lost_connection_is_a_transient_error_and_is_replaced() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let name = format!("windlass-lost-connection-{}", std::process::id());
    let url = format!("{}&application_name={name}", schema.url());
    let store = PostgresStore::open(&url, Policy::default(), None, 1).await.unwrap();
    let operator = open(&schema).await;
    store.write(Make("a")).await.unwrap();

    terminate(&operator, &name).await;
    let made = loop {
        match store.write(Make("a")).await {
            Ok(made) => break made,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    };

    assert_eq!(made, 0, "it was there before");
}

#[tokio::test]
async fn a_read_cannot_write() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = open(&schema).await;

    let refused = store.read(Make("a")).await.unwrap_err();

    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused:?}");
}

#[tokio::test]
async fn the_time_comes_from_the_given_clock_or_from_the_server() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let clock = windlass_core::ManualClock::new(Timestamp::from_micros(5));
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let given =
        PostgresStore::open(&schema.url(), Policy::default(), Some(clock), 1).await.unwrap();
    let server = open(&schema).await;

    let (first, second) = (server.now().await.unwrap(), server.now().await.unwrap());

    assert_eq!(given.now().await.unwrap(), Timestamp::from_micros(5));
    assert!(first < second && first > Timestamp::from_micros(1_700_000_000_000_000), "{first}");
}

#[tokio::test]
async fn a_failure_to_connect_says_what_to_check() {
    let Some(schema) = PostgresSchema::create().await else { return };
    let reach = async |url: &str| {
        PostgresStore::open(url, Policy::default(), None, 1).await.map(drop).unwrap_err()
    };
    let (server, _) =
        schema.url().split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (server, _) = server.rsplit_once('/').unwrap();

    let absent = reach(&format!("{server}/no_such_database")).await;
    let silent = reach("postgres://ann:s3cret@127.0.0.1:1/main").await;

    assert!(
        matches!(&absent, StoreError::BadUrl { reason, .. } if reason.contains("createdb")),
        "{absent:?}"
    );
    assert!(silent.is_transient(), "{silent:?}");
    assert!(silent.to_string().contains("postgres://ann@127.0.0.1:1/main"), "{silent}");
    assert!(!format!("{silent:?}").contains("s3cret"), "{silent:?}");
}

/// Makes a workspace, says so, and never ends.
#[derive(Clone)]
struct Hang(Arc<Notify>);

impl Operation for Hang {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        Make("hanging").run(tx).await?;
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_cancelled_operation_writes_nothing() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = PostgresStore::open(&schema.url(), Policy::default(), None, 1).await.unwrap();
    let inside = Arc::new(Notify::new());

    tokio::select! {
        ended = store.write(Hang(Arc::clone(&inside))) => panic!("it ended: {ended:?}"),
        () = inside.notified() => {}
    }
    let made = store.write(Make("hanging")).await.unwrap();

    assert_eq!(made, 1, "the first one was undone, and the only connection serves again");
}

#[tokio::test]
async fn a_cancelled_operation_releases_its_locks_at_once() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let (dropping, other) = (open(&schema).await, open(&schema).await);
    let inside = Arc::new(Notify::new());

    tokio::select! {
        ended = dropping.write(Hang(Arc::clone(&inside))) => panic!("it ended: {ended:?}"),
        () = inside.notified() => {}
    }
    // It waits for the name to be free; nobody uses a connection of the first store any more, which would clear up.
    let made = other.write(Make("hanging")).await.unwrap();

    assert_eq!(made, 1);
    drop(dropping);
}

/// Writes while it begins, and fails then or afterwards.
#[derive(Clone)]
struct MakeAtFirst {
    fails_at_once: bool,
}

impl Staged for MakeAtFirst {
    type Output = ();
    type Preloaded = ();

    async fn preload(&self, conn: &AsyncPgConnection) -> Result<()> {
        let make = "INSERT INTO workspaces (id, name, created_at) VALUES ('early', 'early', 0)";
        let made = RunQueryDsl::execute(diesel::sql_query(make).cached(), &mut &*conn).await;
        made.map_err(StoreError::from_diesel)?;
        if self.fails_at_once {
            let divided = RunQueryDsl::execute(diesel::sql_query("SELECT 1 / 0"), &mut &*conn);
            divided.await.map_err(StoreError::from_diesel)?;
        }
        Ok(())
    }

    async fn execute(self, _tx: &Tx<'_>, (): ()) -> Result<()> {
        Err(StoreError::not_found("workflow", "wf_none"))
    }
}

#[tokio::test]
async fn the_first_statements_of_an_operation_belong_to_its_transaction() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = PostgresStore::open(&schema.url(), Policy::default(), None, 1).await.unwrap();

    // By a statement that is prepared then, and by one that is known.
    for fails_at_once in [false, false, true] {
        store.write(MakeAtFirst { fails_at_once }).await.unwrap_err();
    }

    assert!(store.workspaces().await.unwrap().is_empty());
}

/// Makes a workspace, and counts those of that name without waiting for the answer; a comment sets its statements apart.
#[derive(Clone)]
struct MakeAndCount(&'static str, [usize; 2]);

impl Operation for MakeAndCount {
    type Output = i64;

    async fn run(self, tx: &Tx<'_>) -> Result<i64> {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }

        let Self(name, [nth_make, nth_count]) = self;
        let make = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $1, 0) --";
        let make = format!("{make} {nth_make}");
        let count = format!("SELECT count(*) AS n FROM workspaces WHERE name = $1 -- {nth_count}");
        let make = diesel::sql_query(make).bind::<Text, _>(name).cached();
        let count = diesel::sql_query(count).bind::<Text, _>(name).cached();
        let (mut first, mut second): (&AsyncPgConnection, &AsyncPgConnection) = (tx.conn, tx.conn);
        let made = RunQueryDsl::execute(make, &mut first);
        let both = try_join(made, count.get_result(&mut second)).await;
        let (_made, Count { n }) = both.map_err(StoreError::from_diesel)?;
        Ok(n)
    }
}

#[tokio::test]
async fn the_statements_of_a_pipeline_run_in_order() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = PostgresStore::open(&schema.url(), Policy::default(), None, 1).await.unwrap();
    let names: Vec<&'static str> = (0..50).map(|nth| &*format!("w{nth}").leak()).collect();

    for (nth, name) in names.into_iter().enumerate() {
        // Each of the two is prepared already, or not.
        let nths = [[nth, nth], [nth, 0], [0, nth], [0, 0]][nth % 4];
        let n_seen = store.write(MakeAndCount(name, nths)).await.unwrap();

        assert_eq!(n_seen, 1, "{nth}");
    }
}

/// Divides by zero beside statements that are right, of which the last is answered before anybody looks at the division.
#[derive(Clone)]
struct DivideBesides;

impl Operation for DivideBesides {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let execute = async |statement: &'static str| -> Result<usize> {
            let mut conn: &AsyncPgConnection = tx.conn;
            let answer = RunQueryDsl::execute(diesel::sql_query(statement).cached(), &mut conn);
            answer.await.map_err(StoreError::from_diesel)
        };
        let (refused, known) = tokio::sync::oneshot::channel();
        let right = async {
            execute("SELECT 1").await?;
            let refusal = execute("SELECT 2").await;
            refused.send(()).unwrap();
            refusal
        };
        let wrong = async {
            let failure = execute("SELECT 1 / 0").await;
            known.await.unwrap();
            failure
        };
        pipeline!(right, wrong, async { Ok(()) })?;
        Ok(())
    }
}

#[tokio::test]
async fn a_pipeline_reports_the_error_of_the_statement_that_failed() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = PostgresStore::open(&schema.url(), Policy::default(), None, 1).await.unwrap();

    let refused = store.write(DivideBesides).await.unwrap_err();

    assert!(
        matches!(&refused, StoreError::Database(why) if why.to_string() == "division by zero"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_commit_is_on_disk_whatever_the_servers_default_is() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let url = format!("{}%20-csynchronous_commit%3Doff", schema.url());
    let store = PostgresStore::open(&url, Policy::default(), None, 1).await.unwrap();

    #[derive(diesel::QueryableByName)]
    struct Setting {
        #[diesel(sql_type = Text)]
        value: String,
    }
    let query = diesel::sql_query("SELECT current_setting('synchronous_commit') AS value");
    let mut conn = store.connections.get().await.unwrap();
    let setting: Setting = query.get_result(&mut *conn).await.unwrap();

    assert_eq!(setting.value, "on");
}
