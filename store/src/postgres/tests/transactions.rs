//! Transactions: how they collide, how they are cancelled, and when they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use tokio::sync::{Barrier, Notify};
use windlass_core::Timestamp;
use windlass_store_conformance::PostgresSchema;

use super::super::ops::{Operation, Tx};
use super::super::*;
use super::{Make, open};
use crate::cached::CacheStatement;
use crate::store::{WorkerStore as _, WorkflowStore as _};

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
    // The one that was undone may lock its row again before the other has noticed, and then they wait for each other once more.
    assert!(tries >= 3, "one of the two was undone and tried again: {tries}");
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
