//! From a publishing process to a consuming one.

use std::time::Duration;

use anyhow::ensure;

use crate::case::Scene;
use crate::check::{self, Expected};
use crate::database::Kind;
use crate::measure::{Repetition, millis_between};
use crate::process::{Up, wait_for};
use crate::scripts::{self, Parts};
use crate::throughput::times;
use crate::world::{SLOTS, World};

/// How many are warm-up.
const WARM_UP: usize = 5;

/// Long enough for the other process to have done what there is, and to have gone to sleep.
const PAUSE: Duration = Duration::from_millis(20);

/// This process holds the runs of all producers, and commits one at a time; `windlass up` takes what follows.
pub(crate) async fn measure(scene: &Scene, kind: Kind) -> anyhow::Result<Vec<Repetition>> {
    let n_workflows = WARM_UP + scene.size(100, 20);
    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        let database = scene.database(kind).await?;
        let world = World::open(&database).await?;
        let workflows = world.deploy(&scripts::work(Parts::default()), n_workflows).await?;
        let mut producers = Vec::new();
        for workflow in &workflows {
            producers.push(world.claim_producer(*workflow).await?);
        }
        let mut up = Up::start(&database, SLOTS)?;
        wait_for(&database, &mut up, "SELECT count(*) FROM workers").await?;
        let mut delays = Vec::new();
        for (producer, workflow) in producers.into_iter().zip(&workflows) {
            world.commit_producer(producer, 1).await?;
            // Whoever asks meanwhile is in the way.
            tokio::time::sleep(PAUSE).await;
            // The run, and the one that looks again.
            let ended = format!(
                "SELECT count(*) / 2 FROM handler_runs WHERE workflow_id = '{workflow}' AND kind = 'consumer' \
                 AND status = 'committed' AND claimed_by IN (SELECT id FROM workers)"
            );
            wait_for(&database, &mut up, &ended).await?;
            tokio::time::sleep(PAUSE).await;
        }
        for workflow in workflows {
            let expected = Expected { n_events: 1, mutates: false, publishes: 0 };
            let taken = check::taken(&world, workflow, expected).await?;
            let events = world.events(workflow, "work").await?;
            for (event, run) in events.iter().zip(&taken) {
                delays.push(millis_between(event.created_at, times(run)?.0));
            }
        }
        ensure!(delays.len() == n_workflows, "{} of {n_workflows} events were taken", delays.len());
        up.kill().await?;
        let mut repetition = Repetition::default();
        repetition.set_count("runs", delays.len() - WARM_UP);
        repetition.set_series("ms", delays.split_off(WARM_UP));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}
