//! Runs per second while there is always work.

use anyhow::Context;
use windlass_core::{HandlerKind, Timestamp};
use windlass_store::Run;

use crate::case::BenchContext;
use crate::check::{self, Expected};
use crate::database::{Database, DatabaseKind, Meter};
use crate::measure::{Repetition, as_f64, millis_between};
use crate::running_engine::RunningEngine;
use crate::scripts::{self, ScriptParts};
use crate::world::{SLOTS, World};

/// A quick run has this part of the events.
const QUICK_DIVISOR: usize = 10;

/// Events that wait for workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) n_workflows: usize,
    /// How many events there are in all.
    pub(crate) n_runs: usize,
    pub(crate) parts: ScriptParts,
}

impl Load {
    /// How many events each workflow has.
    fn shares(&self, context: &BenchContext) -> Vec<usize> {
        let n_runs = context.size(self.n_runs, (self.n_runs / QUICK_DIVISOR).max(self.n_workflows));
        let (each, rest) = (n_runs / self.n_workflows, n_runs % self.n_workflows);
        (0..self.n_workflows).map(|idx| each + usize::from(idx < rest)).collect()
    }
}

/// Each repetition in a database of its own.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
    load: Load,
) -> anyhow::Result<Vec<Repetition>> {
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let database = context.database(kind).await?;
        repetitions.push(drain_events(context, &database, load).await?);
    }
    Ok(repetitions)
}

/// Publishes the events, then measures a worker that handles them.
pub(crate) async fn drain_events(
    context: &BenchContext,
    database: &Database,
    load: Load,
) -> anyhow::Result<Repetition> {
    let Load { n_workflows, parts, .. } = load;
    let world = World::open(database).await?;
    let workflows = world.deploy(&scripts::work(parts), n_workflows).await?;
    let shares = load.shares(context);
    world.publish(&workflows, &shares).await?;
    let mut world = world.reopened(database).await?;
    let n_events: usize = shares.iter().sum();
    // The last run of each workflow finds no event, and so does that of each consumer of what was published.
    let n_final_runs = if parts.publishes > 0 { 2 } else { 1 };

    let meter = Meter::new(database)?;
    let before = meter.read().await?;
    let mut engine = RunningEngine::start(&world, SLOTS)?;
    engine.committed(n_events + n_final_runs * n_workflows).await?;
    engine.stop().await?;
    if database.kind() == DatabaseKind::Postgres {
        world = world.reopened(database).await?;
    }
    let after = meter.read().await?;

    let mut runs = Vec::new();
    for (workflow, n_events) in workflows.into_iter().zip(shares) {
        let expected = Expected { n_events, mutates: parts.mutates, publishes: parts.publishes };
        runs.extend(check::consumed_runs(&world, workflow, expected).await?);
    }
    // Closed before the meter, which has a file of the store open.
    drop(world);
    drop(meter);
    let mut repetition = Repetition::default();
    before.record(&after, n_events, &mut repetition)?;
    record_speed(&runs, &mut repetition)?;
    Ok(repetition)
}

/// Throughput and latency, without the first tenth of the runs.
fn record_speed(runs: &[Run], into: &mut Repetition) -> anyhow::Result<()> {
    let mut times = runs.iter().map(times).collect::<anyhow::Result<Vec<_>>>()?;
    times.sort_unstable_by_key(|(_, ended)| *ended);
    let n_warm_up = times.len() / 10;
    let (warm_up, counted) = times.split_at(n_warm_up);
    let earliest = times.iter().map(|(started, _)| *started).min();
    let began = warm_up.last().map(|(_, ended)| *ended).or(earliest).context("no run")?;
    let (_, ended) = *counted.last().context("no run")?;
    into.set_count("runs", times.len());
    into.set("runs_per_s", as_f64(counted.len()) / ended.since(began).as_secs_f64());
    let latencies = counted.iter().map(|(started, ended)| millis_between(*started, *ended));
    into.set_series("ms", latencies.collect());
    Ok(())
}

/// When a run was claimed, and when it committed.
pub(crate) fn times(run: &Run) -> anyhow::Result<(Timestamp, Timestamp)> {
    let (started, ended) = (run.started_at, run.ended_at);
    Ok((started.context("a run never started")?, ended.context("a run never ended")?))
}

/// Producers that find nothing new; all of them run in each round.
pub(crate) async fn measure_polls(
    context: &BenchContext,
    kind: DatabaseKind,
) -> anyhow::Result<Vec<Repetition>> {
    const ROUNDS: usize = 4;

    let n_workflows = context.size(500, 50);
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let database = context.database(kind).await?;
        let world = World::open(&database).await?;
        let workflows = world.deploy(&scripts::polling(), n_workflows).await?;
        let engine = world.engine(SLOTS, None)?;
        engine.run_until_idle().await?;
        for _ in 0..ROUNDS {
            for workflow in &workflows {
                world.start_session(*workflow).await?;
            }
            engine.run_until_idle().await?;
        }
        let mut rounds: Vec<Vec<Run>> = (0..=ROUNDS).map(|_| Vec::new()).collect();
        for workflow in workflows {
            let runs = check::committed(&world, workflow).await?;
            let polls: Vec<Run> =
                runs.into_iter().filter(|run| run.kind == HandlerKind::Producer).collect();
            anyhow::ensure!(polls.len() == rounds.len(), "{} polls", polls.len());
            anyhow::ensure!(world.events(workflow, "work").await?.len() == 1, "not one event");
            rounds.iter_mut().zip(polls).for_each(|(round, poll)| round.push(poll));
        }
        repetitions.push(summarize_rounds(rounds.get(1..).unwrap_or_default())?);
    }
    Ok(repetitions)
}

fn summarize_rounds(rounds: &[Vec<Run>]) -> anyhow::Result<Repetition> {
    let (mut n_runs, mut seconds, mut latencies) = (0, 0.0, Vec::new());
    for round in rounds {
        let times = round.iter().map(times).collect::<anyhow::Result<Vec<_>>>()?;
        let began = times.iter().map(|(started, _)| *started).min().context("no run")?;
        let ended = times.iter().map(|(_, ended)| *ended).max().context("no run")?;
        n_runs += times.len();
        seconds += ended.since(began).as_secs_f64();
        latencies.extend(times.iter().map(|(started, ended)| millis_between(*started, *ended)));
    }
    let mut repetition = Repetition::default();
    repetition.set_count("runs", n_runs);
    repetition.set("runs_per_s", as_f64(n_runs) / seconds);
    repetition.set_series("ms", latencies);
    Ok(repetition)
}
