//! The same history on SQLite and on PostgreSQL: after every step both answer the same, and both hold the same.
//!
//! A failing history is printed, shrunk, and its seed is kept in `tests/it/differential/regressions.txt`, from which it is replayed
//! before new histories are made. `PROPTEST_CASES` asks for more of them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what cannot be unwrapped fails the test"
)]

mod command;
mod drive;
mod graphs;
mod names;
mod scripts;
mod side;
mod state;

use std::sync::Arc;

use proptest::test_runner::{
    Config, FileFailurePersistence, TestCaseError, TestCaseResult, TestRunner,
};
use windlass_core::{Clock, ManualClock, Timestamp};
use windlass_store::{Options, open};
use windlass_store_conformance::PostgresSchema;

use self::command::{Command, history};
use self::side::Side;

#[test]
fn both_databases_answer_the_same_and_hold_the_same_after_every_step() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(schema) = runtime.block_on(PostgresSchema::migrated()).unwrap() else { return };
    let config = Config {
        // Each history runs on two databases, which are looked at after each of its steps.
        cases: Config::default().cases.div_ceil(32),
        max_shrink_time: 60_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/it/differential/regressions.txt",
        ))),
        ..Config::default()
    };

    let compared = TestRunner::new(config)
        .run(&history(), |history| runtime.block_on(compare(&schema, &history)));

    if let Err(difference) = compared {
        panic!("{difference}");
    }
}

#[test]
fn what_is_open_goes_on_as_if_nothing_was_removed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases: Config::default().cases.div_ceil(16),
        max_shrink_time: 60_000,
        failure_persistence: None,
        ..Config::default()
    };

    let compared = TestRunner::new(config)
        .run(&history(), |history| runtime.block_on(compare_with_pruned(&history)));

    if let Err(difference) = compared {
        panic!("{difference}");
    }
}

/// One of two removes whatever is over after every step: both go on in the same way.
async fn compare_with_pruned(history: &[Command]) -> TestCaseResult {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    let mut whole = side("sqlite::memory:", &clock).await;
    let mut pruned = side("sqlite::memory:", &clock).await;
    for (nth, command) in history.iter().enumerate() {
        // Whoever asks for what was removed is told that it is not there, and not that it is over.
        let may_ask_for_old = matches!(
            command,
            Command::Prune { .. }
                | Command::Message { .. }
                | Command::Resolve { .. }
                | Command::Write { .. }
                | Command::Replay { .. }
        );
        let is_of_old = matches!(command, Command::Graph(graph) if graph.may_ask_for_old());
        if may_ask_for_old || is_of_old {
            continue;
        }
        if let Command::Advance { seconds } = command {
            clock.advance(std::time::Duration::from_secs(*seconds));
        }
        let answers = (whole.apply(command).await, pruned.apply(command).await);
        pruned.prune(0).await;
        let at = format!("step {nth}, {command:?}: the answers differ");
        same(&at, &without_reasons(&answers.0), &without_reasons(&answers.1))?;
    }
    Ok(())
}

/// What is over cannot be reserved, and neither can what is not there.
fn without_reasons(answer: &str) -> String {
    let is_refusal = answer.contains("cannot reserve") || answer.contains("ReservationRefused");
    if is_refusal { "it cannot be reserved".to_owned() } else { answer.to_owned() }
}

async fn compare(schema: &PostgresSchema, history: &[Command]) -> TestCaseResult {
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000)));
    schema.empty().await;
    let mut sqlite = side("sqlite::memory:", &clock).await;
    let mut postgres = side(&schema.url(), &clock).await;
    for (nth, command) in history.iter().enumerate() {
        let at = |what: &str| format!("step {nth}, {command:?}: {what}");
        if let Command::Advance { seconds } = command {
            clock.advance(std::time::Duration::from_secs(*seconds));
        }
        let answers = tokio::join!(sqlite.apply(command), postgres.apply(command));
        same(&at("the answers differ"), &answers.0, &answers.1)?;
        let states = tokio::join!(sqlite.state(), postgres.state());
        for (part, stored) in &states.0 {
            let other = states.1.get(part).map_or("nothing", String::as_str);
            same(&at(&format!("`{part}` differs")), stored, other)?;
        }
        same(&at("one has more"), &states.0.len().to_string(), &states.1.len().to_string())?;
    }
    Ok(())
}

async fn side(url: &str, clock: &Arc<ManualClock>) -> Side {
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(clock);
    let policy = windlass_store_conformance::policy();
    let options = Options { clock: Some(for_store), connections: 2, policy };
    Side::new(open(url, options).await.unwrap(), Arc::clone(clock)).await
}

fn same(what: &str, sqlite: &str, postgres: &str) -> TestCaseResult {
    if sqlite == postgres {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{what}\n    SQLite: {sqlite}\nPostgreSQL: {postgres}")))
}
