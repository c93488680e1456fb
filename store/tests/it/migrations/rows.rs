//! Migrations that move rows: what an older program stored is there afterwards, and again when the migration is taken back.

use super::*;

/// A migration that moves rows.
struct RowMove {
    /// Its version.
    migration: &'static str,
    /// Rows, as they were stored before.
    rows: &'static str,
    /// Asks where they are now.
    moved: (&'static str, &'static [&'static str]),
    /// Asks where they were before.
    back: (&'static str, &'static [&'static str]),
}

const RUN_VALUES: RowMove = RowMove {
    migration: "20261130030000",
    rows: "
        INSERT INTO handler_runs (id, workspace_id, workflow_id, session_id, script_id, kind, handler_name, phase, status, rank,
                                  created_at, ended_at, prepare_result)
        VALUES ('run_1', 'ws', 'wf', 'ses', 'scr', 'consumer', 'act', 'prepared', 'crashed', 0, 0, 0, '{\"n\":1}'),
               ('run_2', 'ws', 'wf', 'ses', 'scr', 'consumer', 'act', 'preparing', 'crashed', 0, 0, 0, NULL);",
    moved: (
        "SELECT run_id || ' ' || prepare_result AS fact, TRUE AS counts FROM run_values",
        &["run_1 {\"n\":1}"],
    ),
    back: (
        "SELECT id || ' ' || coalesce(prepare_result, 'none') AS fact, TRUE AS counts FROM handler_runs",
        &["run_1 {\"n\":1}", "run_2 none"],
    ),
};

const SESSION_LOGS: RowMove = RowMove {
    migration: "20261130135112",
    rows: "
        INSERT INTO sessions (id, workflow_id, kind, trigger, created_at)
        VALUES ('ses_1', 'wf', 'workflow', 'manual', 0), ('ses_2', 'wf_2', 'workflow', 'manual', 0);
        INSERT INTO handler_runs (id, workspace_id, workflow_id, session_id, script_id, kind, handler_name, phase, status, rank,
                                  created_at, ended_at)
        VALUES ('run_1', 'ws', 'wf', 'ses_1', 'scr', 'producer', 'poll', 'preparing', 'crashed', 0, 0, 0),
               ('run_2', 'ws', 'wf', 'ses_1', 'scr', 'consumer', 'act', 'preparing', 'crashed', 0, 0, 0),
               ('run_3', 'ws', 'wf_2', 'ses_2', 'scr', 'consumer', 'act', 'preparing', 'crashed', 0, 0, 0);
        INSERT INTO run_logs (run_id, seq, level, message, created_at)
        VALUES ('run_1', 1, 'log', 'a', 10), ('run_1', 2, 'warn', 'b', 10),
               ('run_2', 1, 'log', 'c', 20), ('run_3', 1, 'error', 'd', 5);",
    moved: (
        "SELECT run_logs.session_id || ' ' || run_logs.seq || ' of ' || sessions.log_seq || ': ' || handler_run_id || ' ' || message AS fact,
                TRUE AS counts FROM run_logs JOIN sessions ON sessions.id = run_logs.session_id",
        &[
            "ses_1 1 of 3: run_1 a",
            "ses_1 2 of 3: run_1 b",
            "ses_1 3 of 3: run_2 c",
            "ses_2 1 of 1: run_3 d",
        ],
    ),
    back: (
        "SELECT run_id || ' ' || seq || ' ' || level || ' ' || message AS fact, TRUE AS counts FROM run_logs",
        &["run_1 1 log a", "run_1 2 warn b", "run_2 1 log c", "run_3 1 error d"],
    ),
};

fn facts(expected: &[&str]) -> BTreeSet<String> {
    expected.iter().map(|fact| (*fact).to_owned()).collect()
}

async fn moves_on_sqlite(case: &RowMove) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windlass.db");
    let url = format!("sqlite:{}", path.display());
    let revert =
        async || while SqliteStore::revert(&url).await.unwrap().unwrap() != case.migration {};
    SqliteStore::migrate(&url).await.unwrap();
    revert().await;
    let mut conn = connect_sqlite(&path).unwrap();
    conn.batch_execute(&format!("PRAGMA foreign_keys = OFF; {}", case.rows)).unwrap();
    let mut found =
        |query| counting(RunQueryDsl::load(diesel::sql_query(query), &mut conn).unwrap());

    SqliteStore::migrate(&url).await.unwrap();
    let moved = found(case.moved.0);
    revert().await;
    let back = found(case.back.0);

    assert_eq!((moved, back), (facts(case.moved.1), facts(case.back.1)));
}

async fn moves_on_postgres(case: &RowMove) {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let url = schema.url();
    let revert =
        async || while PostgresStore::revert(&url).await.unwrap().unwrap() != case.migration {};
    let found = async |query| {
        let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
        counting(AsyncRunQueryDsl::load(diesel::sql_query(query), &mut conn).await.unwrap())
    };
    revert().await;
    let mut conn = AsyncPgConnection::establish(&url).await.unwrap();
    let without_references = format!("SET session_replication_role = replica; {}", case.rows);
    conn.batch_execute(&without_references).await.unwrap();
    drop(conn);

    PostgresStore::migrate(&url).await.unwrap();
    let moved = found(case.moved.0).await;
    revert().await;
    let back = found(case.back.0).await;

    assert_eq!((moved, back), (facts(case.moved.1), facts(case.back.1)));
}

#[tokio::test]
async fn the_values_of_runs_move_to_their_table_and_back() {
    moves_on_sqlite(&RUN_VALUES).await;
    moves_on_postgres(&RUN_VALUES).await;
}

#[tokio::test]
async fn the_lines_of_runs_move_to_the_log_of_their_session_and_back() {
    moves_on_sqlite(&SESSION_LOGS).await;
    moves_on_postgres(&SESSION_LOGS).await;
}
