//! The schemas: they can be made, taken back and made again, and both databases get the same one.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: what cannot be unwrapped fails the test"
)]

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel::sqlite::Sqlite;
use diesel_async::{
    AsyncConnection, AsyncPgConnection, RunQueryDsl as AsyncRunQueryDsl, SimpleAsyncConnection as _,
};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use windlass_core::{Clock, ManualClock, Policy, ResolutionKind};
use windlass_store::{Migration, MigrationStatus, Options, PostgresStore, SqliteStore, StoreError};
use windlass_store_conformance::world::World;
use windlass_store_conformance::{PostgresSchema, TestStore, connect_sqlite, policy, start};

fn folder(database: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(database)
}

fn sqlite_migrations() -> FileBasedMigrations {
    FileBasedMigrations::from_path(folder("sqlite")).unwrap()
}

#[tokio::test]
async fn a_postgres_schema_goes_up_down_and_up_again() {
    let Some(schema) = PostgresSchema::create().await else { return };
    let url = schema.url();

    let first = PostgresStore::migrate(&url).await.unwrap();
    let listed = PostgresStore::migrations(&url).await.unwrap();
    revert_all_postgres(&url).await;
    let left = postgres_facts(&url).await;
    let pending = PostgresStore::migrations(&url).await.unwrap();
    let again = PostgresStore::migrate(&url).await.unwrap();
    let at_last = PostgresStore::migrate(&url).await.unwrap();

    assert!(!first.is_empty());
    assert_eq!(left, BTreeSet::new());
    assert_eq!(with_status(&listed, MigrationStatus::Applied), first);
    assert_eq!(with_status(&pending, MigrationStatus::Pending), first);
    assert_eq!(again, first);
    assert_eq!(at_last, Vec::<String>::new());
}

async fn revert_all_postgres(url: &str) {
    while PostgresStore::revert(url).await.unwrap().is_some() {}
}

/// The versions of the migrations, all of which must have this status.
fn with_status(migrations: &[Migration], status: MigrationStatus) -> Vec<String> {
    assert!(migrations.iter().all(|migration| migration.status == status), "{migrations:?}");
    migrations.iter().map(|migration| migration.version.clone()).collect()
}

#[tokio::test]
async fn the_migrations_of_an_sqlite_file_are_listed_and_reverted_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("windlass.db").display());

    let missing = SqliteStore::migrations(&url).await.unwrap_err();
    let ran = SqliteStore::migrate(&url).await.unwrap();
    let applied = SqliteStore::migrations(&url).await.unwrap();
    let mut reverted = Vec::new();
    while let Some(version) = SqliteStore::revert(&url).await.unwrap() {
        reverted.insert(0, version);
    }
    let pending = SqliteStore::migrations(&url).await.unwrap();
    let again = SqliteStore::migrate(&url).await.unwrap();

    assert!(matches!(missing, StoreError::NotFound { what: "database", .. }), "{missing}");
    assert_eq!(with_status(&applied, MigrationStatus::Applied), ran);
    assert!(applied.iter().any(|it| it.name.ends_with("_create_engine")), "{applied:?}");
    assert_eq!(reverted, ran);
    assert_eq!(with_status(&pending, MigrationStatus::Pending), ran);
    assert_eq!(again, ran);
}

#[test]
fn an_sqlite_schema_goes_up_down_and_up_again() {
    let mut conn = connect_sqlite(":memory:".as_ref()).unwrap();

    conn.run_pending_migrations(sqlite_migrations()).unwrap();
    let first = sqlite_facts(&mut conn);
    conn.revert_all_migrations(sqlite_migrations()).unwrap();
    let left = sqlite_facts(&mut conn);
    conn.run_pending_migrations(sqlite_migrations()).unwrap();

    assert_eq!(left, BTreeSet::new());
    assert_eq!(sqlite_facts(&mut conn), first);
}

/// The migration that lets events be replayed.
const REPLAY_EVENTS: &str = "20261130135239";

async fn world(url: &str) -> World {
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { policy: policy(), clock: Some(for_store), connections: 2 };
    let store = windlass_store::open(url, options).await.unwrap();
    World::empty(TestStore { store, clock }).await
}

/// An effect that a person said did not happen is begun again by a program that knows rounds, after one that knew none.
async fn an_operation_outlives_the_migration(url: &str) {
    let before = world(url).await.polled("mail", &["m1"]).await;
    let workflow = before.workflow;
    let (_, first) = before.doubtful(&["m1"]).await;
    before.resolve(first, ResolutionKind::DidNotHappen).await.unwrap();
    drop(before);
    while windlass_store::revert(url).await.unwrap().unwrap() != REPLAY_EVENTS {}
    windlass_store::migrate(url).await.unwrap();

    let after = World { workflow, ..world(url).await };
    let (_, second) = after.mutating(&["m1"]).await;

    let [first, second] = [after.mutation(first).await, after.mutation(second).await];
    assert_eq!(first.operation_id, second.operation_id);
    assert_eq!(first.idempotency_key, second.idempotency_key);
}

#[tokio::test]
async fn an_sqlite_file_that_knew_no_rounds_repeats_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
    SqliteStore::migrate(&url).await.unwrap();

    an_operation_outlives_the_migration(&url).await;
}

#[tokio::test]
async fn a_postgres_schema_that_knew_no_rounds_repeats_no_effect() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };

    an_operation_outlives_the_migration(&schema.url()).await;
}

#[tokio::test]
async fn a_postgres_store_opens_only_with_the_schema_that_it_knows() {
    let Some(schema) = PostgresSchema::create().await else { return };
    let url = schema.url();
    let open = || PostgresStore::open(&url, Policy::default(), None, 2);

    let before = open().await.unwrap_err();
    PostgresStore::migrate(&url).await.unwrap();
    let known = open().await.map(drop);
    let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    AsyncRunQueryDsl::execute(diesel::sql_query(newer), &mut conn).await.unwrap();
    let after = open().await.unwrap_err();

    assert!(matches!(before, StoreError::MigrationPending { pending: 1.., .. }), "{before}");
    known.unwrap();
    assert!(
        matches!(&after, StoreError::NewerSchema { version, .. } if version == "99990101000000"),
        "{after}"
    );
}

#[tokio::test]
async fn of_many_who_migrate_at_once_one_does_it_and_the_others_find_it_done() {
    let Some(schema) = PostgresSchema::create().await else { return };
    let url = schema.url();

    let done = futures::future::join_all((0..8).map(|_| PostgresStore::migrate(&url))).await;

    let took = done.into_iter().map(Result::unwrap).filter(|took| !took.is_empty()).count();
    assert_eq!(took, 1);
    PostgresStore::open(&url, Policy::default(), None, 1).await.map(drop).unwrap();
}

#[tokio::test]
async fn a_program_does_not_migrate_a_schema_that_is_newer_than_itself() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    execute(
        &schema.url(),
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')",
    )
    .await;

    let error = PostgresStore::migrate(&schema.url()).await.unwrap_err();

    assert!(matches!(error, StoreError::NewerSchema { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("`99990101000000`") && said.contains("0.1.0"), "{said}");
}

#[tokio::test]
async fn a_schema_is_not_changed_under_those_who_work_on_it() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let url = schema.url();
    let worker = PostgresStore::open(&url, Policy::default(), None, 1).await.unwrap();
    let before = postgres_facts(&url).await;

    let nothing_to_do = PostgresStore::migrate(&url).await.unwrap();
    let during = PostgresStore::revert(&url).await.unwrap_err();
    let left = postgres_facts(&url).await;
    drop(worker);
    revert_all_postgres(&url).await;

    assert_eq!(nothing_to_do, Vec::<String>::new());
    assert!(matches!(during, StoreError::NotNow { .. }), "{during}");
    assert_eq!(left, before);
}

#[tokio::test]
async fn a_migration_gives_up_rather_than_wait_for_a_long_transaction() {
    let Some(schema) = PostgresSchema::create().await else { return };
    let url = schema.url();
    execute(&url, "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY, run_on TIMESTAMP NOT NULL DEFAULT now())").await;
    let mut long = AsyncPgConnection::establish(&url).await.unwrap();
    for statement in ["BEGIN", "LOCK TABLE __diesel_schema_migrations IN SHARE MODE"] {
        AsyncRunQueryDsl::execute(diesel::sql_query(statement), &mut long).await.unwrap();
    }

    let error = PostgresStore::migrate(&url).await.unwrap_err();
    let left = postgres_facts(&url).await;
    drop(long);
    let later = PostgresStore::migrate(&url).await.unwrap();

    assert!(error.is_transient() && error.to_string().contains("locked"), "{error}");
    assert!(!left.iter().any(|fact| fact.contains("workflows")), "nothing of it stays");
    assert!(!later.is_empty());
}

async fn execute(url: &str, statement: &str) {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap();
    AsyncRunQueryDsl::execute(diesel::sql_query(statement), &mut conn).await.unwrap();
}

#[test]
fn both_databases_have_migrations_of_the_same_names() {
    let names = |database| {
        let found = FileBasedMigrations::from_path(folder(database)).unwrap();
        let found = MigrationSource::<Sqlite>::migrations(&found).unwrap();
        found.iter().map(|migration| migration.name().to_string()).collect::<BTreeSet<_>>()
    };

    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

#[tokio::test]
async fn both_databases_get_the_same_tables_columns_indexes_and_references() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let mut conn = connect_sqlite(":memory:".as_ref()).unwrap();
    conn.run_pending_migrations(sqlite_migrations()).unwrap();

    let postgres = postgres_facts(&schema.url()).await;
    let sqlite = sqlite_facts(&mut conn);

    let only_postgres: Vec<_> = postgres.difference(&sqlite).collect();
    let only_sqlite: Vec<_> = sqlite.difference(&postgres).collect();
    assert!(
        only_postgres.is_empty() && only_sqlite.is_empty(),
        "only PostgreSQL: {only_postgres:#?}\nonly SQLite: {only_sqlite:#?}"
    );
    for kind in ["column ", "view ", "index ", "unique ", "reference ", "trigger "] {
        assert!(sqlite.iter().any(|fact| fact.starts_with(kind)), "no {kind}was compared");
    }
}

#[test]
fn both_databases_check_the_same_conditions() {
    let checks = |database: &str| -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder(database)).unwrap() {
            let sql = std::fs::read_to_string(entry.unwrap().path().join("up.sql")).unwrap();
            found.extend(checks_in(&sql));
        }
        // SQLite has no type for what is true or false.
        found.retain(|check| !check.ends_with("IN (0, 1)"));
        found.sort();
        found
    };

    assert!(checks("sqlite").len() > 10);
    assert_eq!(checks("sqlite"), checks("postgres"));
}

/// The conditions of all `CHECK (…)` and of the columns that are of a domain, with single spaces.
fn checks_in(sql: &str) -> Vec<String> {
    let one_line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let closes = |text: &str| {
        let mut depth = 1;
        text.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        })
    };
    let condition = |checked: &str| checked[..closes(checked).unwrap()].to_owned();
    let domain = |defined: &str| {
        let (name, checked) = defined.split_once(" AS TEXT CHECK (").unwrap();
        (name.to_owned(), condition(checked))
    };
    let domains: BTreeMap<_, _> = one_line.split("CREATE DOMAIN ").skip(1).map(domain).collect();
    let of_columns = sql.lines().filter_map(|line| {
        let added = line.split_once(" ADD COLUMN ").map_or(line, |(_, column)| column);
        let mut words = added.split_whitespace().map(|word| word.trim_end_matches([',', ';']));
        let (column, domain) = (words.next()?, words.next()?);
        Some(domains.get(domain)?.replacen("VALUE", column, 1))
    });
    let of_tables = one_line.split("CHECK (").skip(1).map(condition);
    of_tables.filter(|check| !check.starts_with("VALUE ")).chain(of_columns).collect()
}

#[derive(QueryableByName)]
struct Fact {
    #[diesel(sql_type = Text)]
    fact: String,
    #[diesel(sql_type = Bool)]
    counts: bool,
}

fn counting(facts: Vec<Fact>) -> BTreeSet<String> {
    facts.into_iter().filter(|fact| fact.counts).map(|fact| fact.fact).collect()
}

/// Everything that can be asked of both catalogues, one line each.
async fn postgres_facts(url: &str) -> BTreeSet<String> {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap();
    let query = diesel::sql_query(include_str!("facts/postgres.sql"));
    counting(AsyncRunQueryDsl::load(query, &mut conn).await.unwrap())
}

fn sqlite_facts(conn: &mut SqliteConnection) -> BTreeSet<String> {
    let query = diesel::sql_query(include_str!("facts/sqlite.sql"));
    counting(RunQueryDsl::load(query, conn).unwrap())
}
