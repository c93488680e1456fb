//! How long one run takes on an idle worker.

use anyhow::{Context, ensure};
use windlass_core::{HandlerKind, WorkflowId};
use windlass_store::Run;

use crate::case::BenchContext;
use crate::check::{self, Expected};
use crate::database::{Database, DatabaseKind};
use crate::measure::{Repetition, millis_between};
use crate::running_engine::RunningEngine;
use crate::scripts::{self, ScriptParts};
use crate::throughput::times;
use crate::world::{SLOTS, World};

/// How many events are warm-up.
const WARM_UP_EVENTS: usize = 10;

const CHAIN_LENGTH: usize = 10;

/// A workflow that handled events one at a time: each was published when the one before was done.
struct SequentialEvents {
    world: World,
    workflow: WorkflowId,
    /// How many events there were, warm-up included.
    n_events: usize,
    /// Dropped last: the store is open on it.
    _database: Database,
}

impl SequentialEvents {
    /// Runs a script on `n_events` events and the warm-up; each event leads to `n_runs` runs.
    async fn run_events(
        database: Database,
        (script, slots): (&str, u32),
        (n_events, n_runs): (usize, usize),
    ) -> anyhow::Result<Self> {
        let n_events = WARM_UP_EVENTS + n_events;
        let world = World::open(&database).await?;
        let workflow = world.deploy(script, 1).await?.first().copied().context("no workflow")?;
        let mut engine = RunningEngine::start(&world, slots)?;
        // A new workflow: each consumer runs once and finds nothing, then the producer publishes.
        let n_first = n_runs + (n_runs - 1) / 2;
        engine.committed(n_first).await?;
        for n_more in 1..n_events {
            world.start_session(workflow).await?;
            engine.committed(n_first + n_more * n_runs).await?;
        }
        engine.stop().await?;
        Ok(Self { world, workflow, n_events, _database: database })
    }
}

/// One mutating run at a time.
pub(crate) async fn alone(
    context: &BenchContext,
    kind: DatabaseKind,
    slots: u32,
) -> anyhow::Result<Vec<Repetition>> {
    let script = scripts::work(ScriptParts { mutates: true, publishes: 0 });
    let n_events = context.size(200, 30);
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        // The producer, the consumer, and the consumer again, which finds no more.
        let SequentialEvents { world, workflow, n_events, _database } =
            SequentialEvents::run_events(
                context.database(kind).await?,
                (&script, slots),
                (n_events, 3),
            )
            .await?;
        let expected = Expected { n_events, mutates: true, publishes: 0 };
        let consumed_runs = check::consumed_runs(&world, workflow, expected).await?;
        let runs = check::committed(&world, workflow).await?;
        let produced: Vec<Run> =
            runs.into_iter().filter(|run| run.kind == HandlerKind::Producer).collect();
        let mut repetition = Repetition::default();
        repetition.set_count("runs", consumed_runs.len() - WARM_UP_EVENTS);
        repetition.set_series("ms", latencies(&consumed_runs)?);
        repetition.set_series("producer_ms", latencies(&produced)?);
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

fn latencies(runs: &[Run]) -> anyhow::Result<Vec<f64>> {
    let counted = runs.iter().skip(WARM_UP_EVENTS);
    counted.map(|run| times(run).map(|(started, ended)| millis_between(started, ended))).collect()
}

/// The time from publishing an event to the first line of the script that takes it.
pub(crate) async fn publish_to_start(
    context: &BenchContext,
    kind: DatabaseKind,
) -> anyhow::Result<Vec<Repetition>> {
    let script = scripts::recording();
    let n_events = context.size(200, 30);
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let SequentialEvents { world, workflow, n_events, _database } =
            SequentialEvents::run_events(
                context.database(kind).await?,
                (&script, SLOTS),
                (n_events, 3),
            )
            .await?;
        let expected = Expected { n_events, mutates: false, publishes: 0 };
        check::consumed_runs(&world, workflow, expected).await?;
        let mut delays = Vec::new();
        for (number, event) in (1..).zip(world.events(workflow, "work").await?) {
            let read_at = world.calls.read_at(number).context("an event was never taken")?;
            ensure!(read_at > event.created_at, "event {number} was taken before it was published");
            delays.push(millis_between(event.created_at, read_at));
        }
        let mut repetition = Repetition::default();
        repetition.set_count("runs", delays.len() - WARM_UP_EVENTS);
        repetition.set_series("ms", delays.split_off(WARM_UP_EVENTS));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// The time from publishing an event to the commit of the last consumer of a chain.
pub(crate) async fn chain(
    context: &BenchContext,
    kind: DatabaseKind,
) -> anyhow::Result<Vec<Repetition>> {
    let script = scripts::chain(CHAIN_LENGTH);
    let n_events = context.size(50, 10);
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        // The producer, and each consumer twice: the second run finds no more.
        let SequentialEvents { world, workflow, n_events, _database } =
            SequentialEvents::run_events(
                context.database(kind).await?,
                (&script, SLOTS),
                (n_events, 1 + 2 * CHAIN_LENGTH),
            )
            .await?;
        let runs = check::committed(&world, workflow).await?;
        let last = format!("c{}", CHAIN_LENGTH - 1);
        let is_last = |run: &&Run| run.handler == last && is_taken(run);
        let ended: Vec<&Run> = runs.iter().filter(is_last).collect();
        let begun = world.events(workflow, "t0").await?;
        ensure!(
            ended.len() == n_events && begun.len() == n_events,
            "{} of {} events came through",
            ended.len(),
            begun.len()
        );
        let mut delays = Vec::new();
        for (event, run) in begun.iter().zip(ended) {
            delays.push(millis_between(event.created_at, times(run)?.1));
        }
        let mut repetition = Repetition::default();
        repetition.set_count("runs", (delays.len() - WARM_UP_EVENTS) * CHAIN_LENGTH);
        repetition.set_series("ms", delays.split_off(WARM_UP_EVENTS));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// Whether a run took an event.
fn is_taken(run: &Run) -> bool {
    run.prepare_result.as_ref().is_some_and(|prepared| prepared.get("data").is_some())
}
