//! What it costs to have a past.

use tokio::time::Instant;
use windlass_store::{ClaimFilter, ClaimScope};

use crate::case::Scene;
use crate::database::{Database, Kind};
use crate::filler;
use crate::measure::{Repetition, millis};
use crate::scripts::{self, Parts};
use crate::throughput::{Load, work_off};
use crate::world::World;

const PARTS: Parts = Parts { mutates: true, publishes: 0 };
const WORKFLOWS: usize = 100;

/// One database with so many finished runs, in which everything is measured.
pub(crate) async fn measure(
    scene: &Scene,
    kind: Kind,
    n_finished: Option<u32>,
) -> anyhow::Result<Vec<Repetition>> {
    let n_finished = n_finished.unwrap_or(scene.n_finished);
    let database = scene.database(kind).await?;
    let world = World::open(&database).await?;
    let workflows = world.deploy(&scripts::work(PARTS), WORKFLOWS).await?;
    // They have nothing to do, and stay in nobody's way.
    for workflow in &workflows {
        let producer = world.claim_producer(*workflow).await?;
        world.commit_producer(producer, 0).await?;
    }
    drop(world);
    filler::finished_runs(&database, 0..n_finished, WORKFLOWS).await?;
    let n_runs = "SELECT count(*) FROM handler_runs WHERE mutation_outcome = 'success'";
    let n_runs = database.number(n_runs).await?;
    anyhow::ensure!(n_runs == i64::from(n_finished), "{n_runs} finished runs");

    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        let load = Load { n_workflows: WORKFLOWS, n_runs: 5_000, parts: PARTS };
        let mut repetition = work_off(scene, &database, load).await?;
        repetition.set("finished", f64::from(n_finished));
        time_by_hand(scene, &database, &mut repetition).await?;
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// Claims and commits one run at a time, by hand.
async fn time_by_hand(
    scene: &Scene,
    database: &Database,
    into: &mut Repetition,
) -> anyhow::Result<()> {
    let world = World::open(database).await?;
    let n_workflows = scene.size(100, 20);
    let workflows = world.deploy(&scripts::work(PARTS), n_workflows).await?;
    let (mut claims, mut commits) = (Vec::new(), Vec::new());
    for _ in &workflows {
        // The run that waits longest is taken: each workflow's consumer looks before any producer runs.
        let began = Instant::now();
        let claimed = world.claim(ClaimScope::Matching(ClaimFilter::default())).await?;
        claims.push(millis(began.elapsed()));
        let began = Instant::now();
        world.find_nothing(claimed.claim).await?;
        commits.push(millis(began.elapsed()));
    }
    // What waits would be in the way of the next repetition.
    for _ in &workflows {
        let claimed = world.claim(ClaimScope::Matching(ClaimFilter::default())).await?;
        world.commit_producer(claimed.claim, 0).await?;
    }
    into.set_series("claim_ms", claims);
    into.set_series("commit_ms", commits);
    Ok(())
}
