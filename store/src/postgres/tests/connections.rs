//! Connections: what they announce, how they are lost, and what is set on them.

use std::sync::atomic::Ordering;

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use windlass_store_conformance::PostgresSchema;

use super::super::ops::{Operation, Tx};
use super::super::*;
use super::{Make, open};

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
