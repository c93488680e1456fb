//! Runs many histories and says what they exercised.

use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use tokio::runtime::Builder;

use crate::database::Database;
use crate::environment::{Environment, Scenario};
use crate::simulation::{History, Simulation};
use crate::tally::{self, Tally};

/// After so many histories it is said how far they are.
const REPORT: u64 = 500;

/// Runs histories: as many as the environment asks for of all databases, or `count`; or the one whose seed it names.
pub(crate) fn run(database: Database, scenario: Scenario, count: u64) {
    let seeds = match (asked("WINDLASS_SIM_SEED"), asked("WINDLASS_SIM_HISTORIES")) {
        (Some(seed), None) => seed..seed + 1,
        (seed, histories) => {
            let count = histories.map_or(count, |histories| database.share_of(histories));
            let first = seed.unwrap_or(0);
            first..first + count
        }
    };
    let n_histories = seeds.end - seeds.start;
    let Some(tally) = run_all(database, scenario, seeds) else { return };
    println!("{n_histories} histories on {database} with {scenario}:\n{tally}");
    let missing = tally.missing(tally::expected(scenario, n_histories));
    assert!(missing.is_empty(), "{n_histories} histories on {database} had none of {missing:?}");
}

/// What happens in the history of one seed, line by line. None where there is no such database.
pub(crate) fn trace(database: Database, seed: u64) -> Option<Vec<String>> {
    in_simulated_time(async {
        let scenario = Scenario::Faults;
        let mut environment = Environment::make(database, scenario).await?;
        let history = Simulation::begin(&mut environment, seed).await.run().await;
        require(&history, database, scenario, seed);
        Some(history.trace)
    })
}

#[expect(clippy::disallowed_methods, reason = "a person says which histories there are to be")]
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Runs the histories of all seeds, on all cores. None where there is no such database.
fn run_all(database: Database, scenario: Scenario, seeds: Range<u64>) -> Option<Tally> {
    let progress = Mutex::new(Progress { next: seeds.start, seeds, database, began: now() });
    let n_threads = thread::available_parallelism().map_or(1, usize::from);
    let tallies = thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads)
            .map(|_| scope.spawn(|| run_some(database, scenario, &progress)))
            .collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended.collect::<Result<Vec<Option<Tally>>, _>>()
    });
    let tallies = tallies.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    tallies.into_iter().reduce(|one, other| Some(one?.and(other?))).flatten()
}

fn run_some(database: Database, scenario: Scenario, progress: &Mutex<Progress>) -> Option<Tally> {
    in_simulated_time(async {
        let mut environment = Environment::make(database, scenario).await?;
        let mut tally = Tally::default();
        while let Some(seed) = next_seed(progress) {
            let history = Simulation::begin(&mut environment, seed).await.run().await;
            if history.verdict.is_err() {
                progress.lock().unwrap().end();
            }
            require(&history, database, scenario, seed);
            tally = tally.and(history.tally);
        }
        Some(tally)
    })
}

fn next_seed(progress: &Mutex<Progress>) -> Option<u64> {
    progress.lock().ok()?.next()
}

/// How far many histories are.
struct Progress {
    database: Database,
    seeds: Range<u64>,
    next: u64,
    began: Instant,
}

impl Progress {
    /// The seed of the next history; none where all are begun, or another has failed.
    fn next(&mut self) -> Option<u64> {
        let Self { database, seeds, next, began } = self;
        let seed = Some(*next).filter(|seed| *seed < seeds.end)?;
        let (n_begun, n_all) = (*next - seeds.start, seeds.end - seeds.start);
        if n_begun > 0 && n_begun.is_multiple_of(REPORT) {
            let elapsed = began.elapsed().as_secs();
            let left = elapsed * (n_all - n_begun) / n_begun;
            println!(
                "{n_begun} of {n_all} histories on {database} in {elapsed} s, about {left} s to go"
            );
        }
        *next += 1;
        Some(seed)
    }

    /// Lets no history begin any more.
    const fn end(&mut self) {
        self.next = self.seeds.end;
    }
}

fn require(history: &History, database: Database, scenario: Scenario, seed: u64) {
    let Err(broken) = &history.verdict else { return };
    let last = history.trace.len().saturating_sub(150);
    panic!(
        "{}\nseed {seed} on {database} with {scenario}: {broken}\nRepeat it with `WINDLASS_SIM_SEED={seed} cargo nextest run -p windlass-scheduler \
         --test simulation`",
        history.trace[last..].join("\n")
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a person how long histories take, nothing else"
)]
fn now() -> Instant {
    Instant::now()
}

/// Time moves only when it is told to.
fn in_simulated_time<T>(work: impl Future<Output = T>) -> T {
    windlass_sandbox::initialize_in_tests();
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
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
