//! The databases themselves refuse what must never be, whoever asks.

#![expect(clippy::unwrap_used, reason = "a test that cannot have its database has failed")]

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use windlass_core::{Clock, FailureClass, ManualClock, ResolutionKind};
use windlass_store::{Options, migrate, open};
use windlass_store_conformance::world::World;
use windlass_store_conformance::{PostgresSchema, connect_sqlite};
use windlass_store_conformance::{TestStore, policy, start, token};

/// Which guard has to refuse.
#[derive(Clone, Copy)]
enum Guard {
    Unique,
    Check,
    ForeignKey,
    Final,
}

use Guard::{Check, Final, ForeignKey, Unique};

/// What must never be, and the statement that would bring it about.
const REFUSED: &[(&str, Guard, &str)] = &[
    (
        "a second open run of a workflow",
        Unique,
        "CREATE TEMP TABLE copy AS SELECT * FROM handler_runs WHERE status = 'active' LIMIT 1;
         UPDATE copy SET id = 'run_other'; INSERT INTO handler_runs SELECT * FROM copy;",
    ),
    (
        "a second open session of a workflow",
        Unique,
        "CREATE TEMP TABLE copy AS SELECT * FROM sessions WHERE result IS NULL LIMIT 1;
         UPDATE copy SET id = 'ses_other'; INSERT INTO sessions SELECT * FROM copy;",
    ),
    (
        "a second ledger row of a run",
        Unique,
        "CREATE TEMP TABLE copy AS SELECT * FROM mutations LIMIT 1;
         UPDATE copy SET id = 'mut_other', idempotency_key = 'other'; INSERT INTO mutations SELECT * FROM copy;",
    ),
    (
        "two effects of one question",
        Unique,
        "CREATE TEMP TABLE copy AS SELECT * FROM mutations WHERE status = 'applied' LIMIT 1;
         UPDATE copy SET id = 'mut_other', handler_run_id = (SELECT min(id) FROM handler_runs WHERE kind = 'producer');
         INSERT INTO mutations SELECT * FROM copy;",
    ),
    (
        "two runs that continue one",
        Unique,
        "UPDATE handler_runs SET retry_of = (SELECT min(id) FROM handler_runs);",
    ),
    (
        "one message twice in a topic",
        Unique,
        "UPDATE events SET message_id = 'the same';",
    ),
    (
        "one outside thing as two inputs",
        Unique,
        "UPDATE inputs SET external_id = 'the same';",
    ),
    ("two workflows of one name", Unique, "UPDATE workflows SET name = 'the same';"),
    ("two scripts of one version", Unique, "UPDATE scripts SET workflow_id = (SELECT min(id) FROM workflows);"),
    (
        "a consumed event that is pending again",
        Final,
        "UPDATE events SET status = 'pending', reserved_by_run_id = NULL WHERE status = 'consumed';",
    ),
    (
        "a consumed event that is pending in its next round, of which the last one is not kept",
        Final,
        "UPDATE events SET status = 'pending', round = round + 1, reserved_by_run_id = NULL WHERE status = 'consumed';",
    ),
    ("an event in another round without a replay", Final, "UPDATE events SET round = 2;"),
    (
        "a skipped event that is reserved",
        Final,
        "UPDATE events SET status = 'reserved' WHERE status = 'skipped';",
    ),
    (
        "an applied mutation that failed",
        Final,
        "UPDATE mutations SET status = 'failed' WHERE status = 'applied';",
    ),
    (
        "a failed mutation that is in flight",
        Final,
        "UPDATE mutations SET status = 'in_flight' WHERE status = 'failed';",
    ),
    (
        "a reserved event that belongs to nobody",
        Check,
        "UPDATE events SET reserved_by_run_id = NULL WHERE status = 'consumed';",
    ),
    (
        "a pending event that belongs to a run",
        Check,
        "UPDATE events SET reserved_by_run_id = (SELECT min(id) FROM handler_runs) WHERE status = 'pending';",
    ),
    (
        "a committed run in an earlier phase",
        Check,
        "UPDATE handler_runs SET phase = 'emitting' WHERE status = 'committed';",
    ),
    (
        "a run that is committed by its phase alone",
        Check,
        "UPDATE handler_runs SET phase = 'committed' WHERE status = 'active';",
    ),
    (
        "a committed run whose effect failed",
        Check,
        "UPDATE handler_runs SET mutation_outcome = 'failure' WHERE status = 'committed' AND kind = 'consumer';",
    ),
    (
        "an active run without a lease",
        Check,
        "UPDATE handler_runs SET lease_expires_at = NULL WHERE status = 'active';",
    ),
    (
        "an active run that has ended",
        Check,
        "UPDATE handler_runs SET ended_at = 1 WHERE status = 'active';",
    ),
    (
        "a stopped run that has not ended",
        Check,
        "UPDATE handler_runs SET ended_at = NULL WHERE status = 'committed';",
    ),
    (
        "a producer with an effect",
        Check,
        "UPDATE handler_runs SET mutation_id = (SELECT min(id) FROM mutations) WHERE kind = 'producer';",
    ),
    (
        "an applied mutation without an answer",
        Check,
        "UPDATE mutations SET result = NULL WHERE status = 'applied';",
    ),
    ("an error without a class", Check, "UPDATE workflows SET error = 'x', error_class = NULL;"),
    ("a workflow that runs without a script", Check, "UPDATE workflows SET active_script_id = NULL;"),
    ("an unknown status", Check, "UPDATE workflows SET status = 'dancing';"),
    ("a session that ended without a result", Check, "UPDATE sessions SET result = NULL WHERE result IS NOT NULL;"),
    (
        "two credentials of one secret",
        Unique,
        "UPDATE credentials SET digest = (SELECT min(digest) FROM credentials);",
    ),
    ("a credential with its secret", Check, "UPDATE credentials SET digest = 'secret';"),
    ("a credential that nobody ended", Check, "UPDATE credentials SET ended_at = 1;"),
    (
        "an event in a topic of another workflow",
        ForeignKey,
        "UPDATE events SET topic_id = (SELECT id FROM topics WHERE workflow_id <> events.workflow_id LIMIT 1)
         WHERE message_id = 'm4';",
    ),
    (
        "an event of a run that never was",
        ForeignKey,
        "UPDATE events SET created_by_run_id = 'run_nobody';",
    ),
];

/// Two workflows that have been through everything: events of each status, an applied and a failed mutation, a run under way.
async fn set_up(url: &str) {
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { policy: policy(), clock: Some(for_store), ..Options::default() };
    let test_store = TestStore { store: open(url, options).await.unwrap(), clock };
    let world = World::with_mails(test_store, &["m1", "m2", "m3", "m4"]).await;
    let (run, _) = world.mutated(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    let (_, mutation) = world.doubtful(&["m2"]).await;
    world.resolve(mutation, ResolutionKind::Skip).await.unwrap();
    let retry = world.take("record").await;
    world.commit(&retry, Vec::new()).await.unwrap();
    let (run, mutation) = world.mutating(&["m3"]).await;
    world.fail(run.claim, mutation, FailureClass::Network).await.unwrap();
    world.polled("other", &["m1", "m2"]).await;
    world.reserve(&["m4"]).await;
    for secret in ["a", "b"] {
        world.store.create_credential(token(world.workspace, secret)).await.unwrap();
    }
}

#[tokio::test]
async fn sqlite_refuses_what_must_never_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windlass.db");
    let url = format!("sqlite:{}", path.display());
    migrate(&url).await.unwrap();
    set_up(&url).await;

    for (what, guard, statements) in REFUSED {
        let mut conn = connect_sqlite(&path).unwrap();
        conn.batch_execute("PRAGMA foreign_keys = ON; BEGIN;").unwrap();
        let answer = conn.batch_execute(statements);
        let answer = answer.and_then(|()| conn.batch_execute("COMMIT;"));

        let says = match guard {
            Unique => "UNIQUE constraint failed",
            Check => "CHECK constraint failed",
            ForeignKey => "FOREIGN KEY constraint failed",
            Final => "is final",
        };
        let refused = answer.expect_err(what).to_string();
        assert!(refused.contains(says), "{what}: {refused}");
    }
}

#[tokio::test]
async fn postgres_refuses_what_must_never_be() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else {
        eprintln!("skipped: the environment names no PostgreSQL server");
        return;
    };
    set_up(&schema.url()).await;

    for (what, guard, statements) in REFUSED {
        let mut conn = AsyncPgConnection::establish(&schema.url()).await.unwrap();
        let answer = conn.batch_execute(&format!("BEGIN; {statements} COMMIT;")).await;

        let says = match guard {
            Unique => "violates unique constraint",
            Check => "violates check constraint",
            ForeignKey => "violates foreign key constraint",
            Final => "is final",
        };
        let refused = answer.expect_err(what).to_string();
        assert!(refused.contains(says), "{what}: {refused}");
    }
}
