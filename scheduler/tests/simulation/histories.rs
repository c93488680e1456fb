//! Runs many histories and says what they exercised.

use tokio::runtime::{Builder, Runtime};

use crate::place::Database;
use crate::simulation::{History, Simulation};
use crate::stage::Stage;
use crate::tally::Tally;

/// The histories of these seeds.
pub(crate) fn run(database: Database, count: u64) {
    let (first, count) = asked(count);
    let Some(tally) = all(database, first..first + count) else { return };
    println!("{count} histories on {database}\n{tally}");
}

/// The history of one seed.
pub(crate) fn one(database: Database, seed: u64) -> History {
    let history = in_simulated_time(async {
        let mut stage = Stage::make(database).await.unwrap();
        Simulation::begin(&mut stage, seed).await.run().await
    });
    require(&history, database, seed);
    history
}

#[expect(clippy::disallowed_methods, reason = "a person says which history to repeat")]
fn asked(count: u64) -> (u64, u64) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    match (number("WINDLASS_SIM_SEED"), number("WINDLASS_SIM_HISTORIES")) {
        (Some(seed), None) => (seed, 1),
        (seed, histories) => (seed.unwrap_or(0), histories.unwrap_or(count)),
    }
}

fn all(database: Database, seeds: std::ops::Range<u64>) -> Option<Tally> {
    in_simulated_time(async {
        let mut stage = Stage::make(database).await?;
        let mut tally = Tally::default();
        for seed in seeds {
            let history = Simulation::begin(&mut stage, seed).await.run().await;
            require(&history, database, seed);
            tally.add(history.tally);
        }
        Some(tally)
    })
}

fn require(history: &History, database: Database, seed: u64) {
    if std::env::var("SIM_TRACE").is_ok() { println!("{}", history.trace.join("\n")); }
    let Err(broken) = &history.verdict else { return };
    let last = history.trace.len().saturating_sub(120);
    panic!(
        "{}\nseed {seed} on {database}: {broken}\nRepeat it with `WINDLASS_SIM_SEED={seed} cargo nextest run -p windlass-scheduler \
         --test simulation`",
        history.trace[last..].join("\n")
    );
}

/// Time moves only when it is told to.
fn in_simulated_time<T>(work: impl Future<Output = T>) -> T {
    windlass_sandbox::initialize_in_tests();
    let runtime: Runtime =
        Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        // While a blocking task is under way, tokio does not skip the time that nobody uses.
        let (done, waits) = std::sync::mpsc::channel::<()>();
        let holding = tokio::task::spawn_blocking(move || waits.recv());
        let result = work.await;
        drop(done);
        let _ended = holding.await;
        result
    })
}
