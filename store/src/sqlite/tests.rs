//! What only SQLite does: groups, one file for several processes, files that cannot be used.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use futures::future::join_all;
use tempfile::TempDir;
use windlass_store_conformance::connect_sqlite;

use super::*;
use crate::error::StoreError;
use crate::store::{WakeUpSource as _, WakeUps, WorkerStore as _, WorkflowStore as _};

/// Any SQL as an operation that may bring work; `panic` is none.
#[derive(Clone)]
struct RunSql(String);

impl Operation for RunSql {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        assert_ne!(self.0, "panic");
        tx.wakes.store(true, Ordering::Relaxed);
        tx.conn.with(|conn| conn.batch_execute(&self.0))
    }
}

fn url(folder: &TempDir) -> String {
    format!("sqlite:{}", path(folder).display())
}

fn path(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("windlass.db")
}

async fn migrated() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    SqliteStore::migrate(&url(&folder)).await.unwrap();
    folder
}

async fn open(folder: &TempDir) -> SqliteStore {
    SqliteStore::open(&url(folder), Policy::default(), None).await.unwrap()
}

async fn failure_of_opening(path: &Path) -> StoreError {
    let url = format!("sqlite:{}", path.display());
    SqliteStore::open(&url, Policy::default(), None).await.unwrap_err()
}

/// Makes a workspace of that name and, in the same transaction, whatever `also` says.
fn make(name: &str, also: &str) -> RunSql {
    RunSql(format!(
        "INSERT INTO workspaces (id, name, created_at) VALUES ('ws_{name}', '{name}', 0); {also}"
    ))
}

fn names(folder: &TempDir) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    let mut conn = connect_sqlite(&path(folder)).unwrap();
    let query = diesel::sql_query("SELECT name FROM workspaces ORDER BY name");
    let names: Vec<Name> = diesel::RunQueryDsl::load(query, &mut conn).unwrap();
    names.into_iter().map(|row| row.name).collect()
}

/// A workflow without a workspace: refused, but only by the commit.
const REFUSED_BY_THE_COMMIT: &str = "PRAGMA defer_foreign_keys = ON; \
    INSERT INTO workflows (id, workspace_id, name, title, status, created_at, updated_at) \
    VALUES ('wf', 'nowhere', 'x', 'x', 'draft', 0, 0);";

#[tokio::test]
async fn a_failed_transaction_does_not_affect_the_others_of_its_group() {
    let folder = migrated().await;
    let store = open(&folder).await;

    let answers = join_all((0..9).map(|nth| {
        let also = if nth == 4 { REFUSED_BY_THE_COMMIT } else { "" };
        store.write(make(&format!("n{nth}"), also))
    }))
    .await;

    let refused: Vec<usize> = (0..9).filter(|nth| answers[*nth].is_err()).collect();
    assert_eq!(refused, [4], "{answers:?}");
    assert_eq!(names(&folder), ["n0", "n1", "n2", "n3", "n5", "n6", "n7", "n8"]);
}

#[tokio::test]
async fn a_commit_succeeds_after_one_that_failed() {
    let folder = migrated().await;
    let store = open(&folder).await;

    let refused = store.write(make("a", REFUSED_BY_THE_COMMIT)).await;
    let taken = store.write(make("b", "")).await;

    assert!(refused.is_err());
    taken.unwrap();
    assert_eq!(names(&folder), ["b"]);
}

#[tokio::test]
async fn a_full_disk_is_reported_until_there_is_space_again() {
    let folder = migrated().await;
    let store = open(&folder).await;
    store.write(RunSql("PRAGMA max_page_count = 1".to_owned())).await.unwrap();
    let large = "UPDATE workspaces SET name = name || hex(zeroblob(1000000));";

    let answers = join_all((0..5).map(|nth| {
        let also = if nth == 2 { large } else { "" };
        store.write(make(&format!("n{nth}"), also))
    }))
    .await;
    store.write(RunSql("PRAGMA max_page_count = 1000000".to_owned())).await.unwrap();
    store.write(make("later", large)).await.unwrap();

    for (nth, answer) in answers.iter().enumerate() {
        let is_full = matches!(answer, Err(StoreError::DiskFull));
        assert_eq!(is_full, nth == 2, "{nth}: {answer:?}");
    }
    assert_eq!(names(&folder).len(), 5);
}

#[tokio::test]
async fn a_lock_of_another_process_is_reported() {
    let folder = migrated().await;
    let store = open(&folder).await;
    store.write(RunSql("PRAGMA busy_timeout = 20".to_owned())).await.unwrap();
    let mut other = connect_sqlite(&path(&folder)).unwrap();
    other.batch_execute("BEGIN IMMEDIATE").unwrap();

    let locked = store.write(make("a", "")).await.unwrap_err();
    let while_locked = store.now().await;
    other.batch_execute("COMMIT").unwrap();
    store.write(make("b", "")).await.unwrap();

    assert!(matches!(locked, StoreError::Unavailable { .. }), "{locked:?}");
    assert!(locked.is_transient());
    assert!(locked.to_string().contains("another process"), "{locked}");
    assert!(locked.to_string().contains("windlass.db"), "{locked}");
    while_locked.unwrap();
    assert_eq!(names(&folder), ["b"]);
}

#[tokio::test]
async fn a_read_only_database_is_reported() {
    let folder = migrated().await;
    let store = open(&folder).await;
    store.write(RunSql("PRAGMA query_only = ON".to_owned())).await.unwrap();

    let refused = store.write(make("a", "")).await.unwrap_err();

    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused:?}");
    assert!(refused.to_string().contains("windlass.db"), "{refused}");
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let folder = migrated().await;
    let store = open(&folder).await;

    let refused = store.read(make("a", "")).await.unwrap_err();

    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused:?}");
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[tokio::test]
async fn a_panic_reaches_only_the_caller_of_its_operation() {
    let folder = migrated().await;
    let store = Arc::new(open(&folder).await);
    let asking = Arc::clone(&store);

    let panicked =
        tokio::spawn(async move { asking.write(RunSql("panic".to_owned())).await }).await;
    store.write(make("a", "")).await.unwrap();

    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(names(&folder), ["a"]);
}

#[tokio::test]
async fn an_operation_runs_even_if_its_future_is_dropped() {
    let folder = migrated().await;
    let store = open(&folder).await;

    {
        let mut given_up = Box::pin(store.write(make("a", "")));
        assert!(futures::poll!(&mut given_up).is_pending() || names(&folder).len() == 1);
    }
    store.write(make("b", "")).await.unwrap();

    assert_eq!(names(&folder), ["a", "b"]);
}

#[tokio::test]
async fn two_processes_wake_each_other() {
    let folder = migrated().await;
    let (here, there) = (open(&folder).await, open(&folder).await);
    let (mut at_home, mut abroad) = (here.wake_ups(), there.wake_ups());

    here.write(make("a", "")).await.unwrap();

    heard(&mut at_home).await;
    heard(&mut abroad).await;
    there.write(make("b", "")).await.unwrap();
    heard(&mut at_home).await;
    heard(&mut abroad).await;
}

async fn heard(wake_ups: &mut WakeUps) {
    let heard = tokio::time::timeout(Duration::from_secs(20), wake_ups.wait()).await;
    assert!(heard.is_ok(), "nothing was heard");
}

#[tokio::test]
async fn opening_does_not_create_a_missing_file() {
    let folder = tempfile::tempdir().unwrap();

    let error = failure_of_opening(&path(&folder)).await;

    assert!(matches!(error, StoreError::NotFound { what: "database", .. }), "{error:?}");
    assert!(!path(&folder).exists());
}

#[tokio::test]
async fn migrating_creates_the_file_and_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b/windlass.db");
    let url = format!("sqlite:{}", deep.display());

    let first = SqliteStore::migrate(&url).await.unwrap();
    let again = SqliteStore::migrate(&url).await.unwrap();

    assert!(!first.is_empty());
    assert_eq!(again, Vec::<String>::new());
    let store = SqliteStore::open(&url, Policy::default(), None).await.unwrap();
    store.ensure_workspace("default").await.unwrap();
}

#[tokio::test]
async fn concurrent_migrations_create_one_schema() {
    let folder = tempfile::tempdir().unwrap();

    let ran = join_all((0..4).map(|_| migrate_it(&folder))).await;

    let ran: Vec<usize> = ran.into_iter().map(|ran| ran.unwrap().len()).collect();
    assert_eq!(ran.iter().filter(|n_ran| **n_ran > 0).count(), 1, "{ran:?}");
    open(&folder).await;
}

async fn migrate_it(folder: &TempDir) -> Result<Vec<String>> {
    SqliteStore::migrate(&url(folder)).await
}

#[tokio::test]
async fn an_empty_file_has_pending_migrations_and_is_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(path(&folder), "").unwrap();

    let error = failure_of_opening(&path(&folder)).await;

    assert!(matches!(error, StoreError::MigrationPending { pending: 1.., .. }), "{error:?}");
    assert!(error.to_string().contains("migrate it first"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = migrated().await;
    let mut conn = connect_sqlite(&path(&folder)).unwrap();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    conn.batch_execute(newer).unwrap();

    let opened = failure_of_opening(&path(&folder)).await;
    let migrated = SqliteStore::migrate(&url(&folder)).await.unwrap_err();

    assert!(
        matches!(&opened, StoreError::NewerSchema { version, .. } if version == "99990101000000")
    );
    assert!(matches!(migrated, StoreError::NewerSchema { .. }), "{migrated:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_reported_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let text = "not a database, but long enough to have a header of one ".repeat(40);
    std::fs::write(path(&folder), &text).unwrap();

    let opened = failure_of_opening(&path(&folder)).await;
    let migrated = SqliteStore::migrate(&url(&folder)).await.unwrap_err();
    let of_folder = failure_of_opening(folder.path()).await;

    assert!(matches!(opened, StoreError::Corrupt { .. }), "{opened:?}");
    assert!(opened.to_string().contains("windlass.db"), "{opened}");
    assert!(matches!(migrated, StoreError::Corrupt { .. }), "{migrated:?}");
    assert!(matches!(of_folder, StoreError::BadUrl { .. }), "{of_folder:?}");
    assert_eq!(std::fs::read_to_string(path(&folder)).unwrap(), text);
}

#[tokio::test]
async fn a_commit_is_kept_after_the_store_is_closed() {
    let folder = migrated().await;
    let workspace = open(&folder).await.ensure_workspace("default").await.unwrap();

    let again = open(&folder).await.ensure_workspace("default").await.unwrap();

    assert_eq!(again, workspace);
}

#[tokio::test]
async fn a_connection_has_every_setting_for_durability() {
    let folder = migrated().await;
    let store = open(&folder).await;

    for (setting, expected) in
        [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")]
    {
        let check = format!(
            "CREATE TEMP TABLE t AS SELECT 1 AS x FROM pragma_{setting} WHERE CAST({setting} AS TEXT) = '{expected}'; \
             INSERT INTO workspaces (id, name, created_at) SELECT '{setting}', '{setting}', x FROM t; DROP TABLE t;"
        );
        store.write(RunSql(check)).await.unwrap();
    }

    assert_eq!(names(&folder), ["foreign_keys", "journal_mode", "synchronous"]);
}

/// What a store says of everything that it is asked, after `change` was made to its folder.
async fn refusals_after(change: impl FnOnce(&Path)) -> [String; 3] {
    let folder = migrated().await;
    let store = open(&folder).await;
    // The reader has its connection already.
    store.workspaces().await.unwrap();

    change(folder.path());

    let errors = [
        store.check_in_place().unwrap_err(),
        store.workspaces().await.unwrap_err(),
        store.write(make("late", "")).await.unwrap_err(),
    ];
    let _never_renamed = std::fs::remove_dir_all(folder.path().with_extension("away"));
    errors.map(|error| {
        let StoreError::Replaced { what_happened, .. } = error else { panic!("{error:?}") };
        what_happened.to_owned()
    })
}

#[tokio::test]
async fn nothing_is_read_or_written_once_the_file_is_another_or_gone() {
    let remove = |folder: &Path| std::fs::remove_file(folder.join("windlass.db")).unwrap();
    let replace = |folder: &Path| {
        std::fs::copy(folder.join("windlass.db"), folder.join("copy.db")).unwrap();
        std::fs::rename(folder.join("copy.db"), folder.join("windlass.db")).unwrap();
    };
    let rename_folder = |folder: &Path| {
        std::fs::rename(folder, folder.with_extension("away")).unwrap();
    };
    let begin_folder_anew = |folder: &Path| {
        std::fs::rename(folder, folder.with_extension("away")).unwrap();
        std::fs::create_dir(folder).unwrap();
        std::fs::write(folder.join("windlass.db"), "").unwrap();
    };

    assert_eq!(refusals_after(remove).await, ["it was deleted or moved away"; 3]);
    assert_eq!(refusals_after(replace).await, ["another file is in its place"; 3]);
    assert_eq!(refusals_after(rename_folder).await, ["it was deleted or moved away"; 3]);
    assert_eq!(refusals_after(begin_folder_anew).await, ["another file is in its place"; 3]);
}

#[tokio::test]
async fn whoever_waits_hears_that_the_file_was_deleted() {
    let folder = migrated().await;
    let store = open(&folder).await;
    store.workspaces().await.unwrap();
    let mut wake_ups = store.wake_ups();

    std::fs::remove_file(path(&folder)).unwrap();

    wake_ups.wait().await;
    assert!(matches!(store.check_in_place(), Err(StoreError::Replaced { .. })));
}

#[tokio::test]
async fn a_file_that_other_programs_write_or_touch_stays_the_same() {
    let folder = migrated().await;
    let store = open(&folder).await;

    connect_sqlite(&path(&folder)).unwrap().batch_execute("VACUUM").unwrap();

    store.check_in_place().unwrap();
    store.write(make("more", "")).await.unwrap();
}
