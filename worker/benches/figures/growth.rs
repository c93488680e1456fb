//! How old runs in the database slow down new ones.

use tokio::time::Instant;
use windlass_store::{ClaimFilter, ClaimScope};

use crate::case::BenchContext;
use crate::database::{Database, DatabaseKind};
use crate::measure::{Repetition, millis};
use crate::scripts::{self, ScriptParts};
use crate::seed_rows;
use crate::throughput::{Load, drain_events};
use crate::world::World;

const PARTS: ScriptParts = ScriptParts { mutates: true, publishes: 0 };
const WORKFLOWS: usize = 100;

/// All repetitions in one database that holds this many finished runs.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
    n_finished: Option<u32>,
) -> anyhow::Result<Vec<Repetition>> {
    let n_finished = n_finished.unwrap_or(context.n_finished);
    let database = context.database(kind).await?;
    let world = World::open(&database).await?;
    let workflows = world.deploy(&scripts::work(PARTS), WORKFLOWS).await?;
    // Their producers run once, so that none is due during the measurement.
    for workflow in &workflows {
        let producer = world.claim_producer(*workflow).await?;
        world.commit_producer(producer, 0).await?;
    }
    drop(world);
    seed_rows::finished_runs(&database, 0..n_finished, WORKFLOWS).await?;
    let n_runs = "SELECT count(*) FROM handler_runs WHERE mutation_outcome = 'success'";
    let n_runs = database.number(n_runs).await?;
    anyhow::ensure!(n_runs == i64::from(n_finished), "{n_runs} finished runs");

    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let load = Load { n_workflows: WORKFLOWS, n_runs: 5_000, parts: PARTS };
        let mut repetition = drain_events(context, &database, load).await?;
        repetition.set("finished", f64::from(n_finished));
        time_single_runs(context, &database, &mut repetition).await?;
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// Claims and commits one run at a time, without an engine.
async fn time_single_runs(
    context: &BenchContext,
    database: &Database,
    into: &mut Repetition,
) -> anyhow::Result<()> {
    let world = World::open(database).await?;
    let n_workflows = context.size(100, 20);
    let workflows = world.deploy(&scripts::work(PARTS), n_workflows).await?;
    let (mut claims, mut commits) = (Vec::new(), Vec::new());
    for _ in &workflows {
        // The oldest run is claimed first: all consumers come before any producer.
        let began = Instant::now();
        let claimed = world.claim(ClaimScope::Matching(ClaimFilter::default())).await?;
        claims.push(millis(began.elapsed()));
        let began = Instant::now();
        world.commit_without_events(claimed.claim).await?;
        commits.push(millis(began.elapsed()));
    }
    // A run left in the queue would be claimed by the next repetition.
    for _ in &workflows {
        let claimed = world.claim(ClaimScope::Matching(ClaimFilter::default())).await?;
        world.commit_producer(claimed.claim, 0).await?;
    }
    into.set_series("claim_ms", claims);
    into.set_series("commit_ms", commits);
    Ok(())
}
