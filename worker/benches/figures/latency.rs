//! How long one thing takes when there is nothing else to do.

use anyhow::{Context, ensure};
use windlass_core::{HandlerKind, WorkflowId};
use windlass_store::Run;

use crate::case::Scene;
use crate::check::{self, Expected};
use crate::database::{Database, Kind};
use crate::measure::{Repetition, millis_between};
use crate::scripts::{self, Parts};
use crate::service::Service;
use crate::throughput::times;
use crate::world::{SLOTS, World};

/// How many events are warm-up.
const WARM_UP: usize = 10;

const LENGTH: usize = 10;

/// A workflow whose producer publishes one event at a time, each when all is done that followed from the one before.
struct OneByOne {
    world: World,
    workflow: WorkflowId,
    /// How many events there were.
    n_events: usize,
    /// It lives as long as what works on it.
    _database: Database,
}

impl OneByOne {
    /// Lets as many events go through a script, beside those that are warm-up, each of which `n_runs` runs follow.
    async fn play(
        database: Database,
        (script, slots): (&str, u32),
        (n_events, n_runs): (usize, usize),
    ) -> anyhow::Result<Self> {
        let n_events = WARM_UP + n_events;
        let world = World::open(&database).await?;
        let workflow = world.deploy(script, 1).await?.first().copied().context("no workflow")?;
        let mut service = Service::start(&world, slots)?;
        // A new workflow is due: its consumers look and find nothing, its producer publishes.
        let n_first = n_runs + (n_runs - 1) / 2;
        service.committed(n_first).await?;
        for n_more in 1..n_events {
            world.start_session(workflow).await?;
            service.committed(n_first + n_more * n_runs).await?;
        }
        service.stop().await?;
        Ok(Self { world, workflow, n_events, _database: database })
    }
}

/// One mutating run at a time.
pub(crate) async fn alone(
    scene: &Scene,
    kind: Kind,
    slots: u32,
) -> anyhow::Result<Vec<Repetition>> {
    let script = scripts::work(Parts { mutates: true, publishes: 0 });
    let n_events = scene.size(200, 30);
    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        // The producer, the consumer, and the consumer that looks again.
        let OneByOne { world, workflow, n_events, _database } =
            OneByOne::play(scene.database(kind).await?, (&script, slots), (n_events, 3)).await?;
        let expected = Expected { n_events, mutates: true, publishes: 0 };
        let taken = check::taken(&world, workflow, expected).await?;
        let runs = check::committed(&world, workflow).await?;
        let produced: Vec<Run> =
            runs.into_iter().filter(|run| run.kind == HandlerKind::Producer).collect();
        let mut repetition = Repetition::default();
        repetition.set_count("runs", taken.len() - WARM_UP);
        repetition.set_series("ms", latencies(&taken)?);
        repetition.set_series("producer_ms", latencies(&produced)?);
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

fn latencies(runs: &[Run]) -> anyhow::Result<Vec<f64>> {
    let counted = runs.iter().skip(WARM_UP);
    counted.map(|run| times(run).map(|(started, ended)| millis_between(started, ended))).collect()
}

/// From the publishing of an event to the first line of the script that takes it.
pub(crate) async fn publish_to_start(scene: &Scene, kind: Kind) -> anyhow::Result<Vec<Repetition>> {
    let script = scripts::noting();
    let n_events = scene.size(200, 30);
    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        let OneByOne { world, workflow, n_events, _database } =
            OneByOne::play(scene.database(kind).await?, (&script, SLOTS), (n_events, 3)).await?;
        let expected = Expected { n_events, mutates: false, publishes: 0 };
        check::taken(&world, workflow, expected).await?;
        let mut delays = Vec::new();
        for (number, event) in (1..).zip(world.events(workflow, "work").await?) {
            let looked_at = world.calls.looked_at(number).context("an event was never seen")?;
            ensure!(looked_at > event.created_at, "event {number} was taken before it was there");
            delays.push(millis_between(event.created_at, looked_at));
        }
        let mut repetition = Repetition::default();
        repetition.set_count("runs", delays.len() - WARM_UP);
        repetition.set_series("ms", delays.split_off(WARM_UP));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// From the publishing of an event to the commit of the last consumer in a row.
pub(crate) async fn chain(scene: &Scene, kind: Kind) -> anyhow::Result<Vec<Repetition>> {
    let script = scripts::chain(LENGTH);
    let n_events = scene.size(50, 10);
    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        // The producer, each consumer, and each consumer that looks again.
        let OneByOne { world, workflow, n_events, _database } = OneByOne::play(
            scene.database(kind).await?,
            (&script, SLOTS),
            (n_events, 1 + 2 * LENGTH),
        )
        .await?;
        let runs = check::committed(&world, workflow).await?;
        let last = format!("c{}", LENGTH - 1);
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
        repetition.set_count("runs", (delays.len() - WARM_UP) * LENGTH);
        repetition.set_series("ms", delays.split_off(WARM_UP));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// Whether a run had an event.
fn is_taken(run: &Run) -> bool {
    run.prepare_result.as_ref().is_some_and(|prepared| prepared.get("data").is_some())
}
