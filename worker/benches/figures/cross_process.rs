//! The time from a commit in one process to a claim in another.

use std::time::Duration;

use anyhow::ensure;

use crate::case::BenchContext;
use crate::check::{self, Expected};
use crate::database::DatabaseKind;
use crate::measure::{Repetition, millis_between};
use crate::scripts::{self, ScriptParts};
use crate::throughput::times;
use crate::worker_process::{WorkerProcess, wait_for};
use crate::world::{SLOTS, World};

/// How many events are warm-up.
const WARM_UP_EVENTS: usize = 5;

/// Long enough for the other process to finish its work and go to sleep.
const PAUSE: Duration = Duration::from_millis(20);

/// This process holds the runs of all producers, and commits one at a time; `windlass up` takes what follows.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
) -> anyhow::Result<Vec<Repetition>> {
    let n_workflows = WARM_UP_EVENTS + context.size(100, 20);
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let database = context.database(kind).await?;
        let world = World::open(&database).await?;
        let workflows = world.deploy(&scripts::work(ScriptParts::default()), n_workflows).await?;
        let mut producers = Vec::new();
        for workflow in &workflows {
            producers.push(world.claim_producer(*workflow).await?);
        }
        let mut up = WorkerProcess::start(&database, SLOTS)?;
        wait_for(&database, &mut up, "SELECT count(*) FROM workers").await?;
        let mut delays = Vec::new();
        for (producer, workflow) in producers.into_iter().zip(&workflows) {
            world.commit_producer(producer, 1).await?;
            // A query meanwhile would disturb the measurement.
            tokio::time::sleep(PAUSE).await;
            // The run that takes the event, and the run that finds no more.
            let ended = format!(
                "SELECT count(*) / 2 FROM handler_runs WHERE workflow_id = '{workflow}' AND kind = 'consumer' \
                 AND status = 'committed' AND claimed_by IN (SELECT id FROM workers)"
            );
            wait_for(&database, &mut up, &ended).await?;
            tokio::time::sleep(PAUSE).await;
        }
        for workflow in workflows {
            let expected = Expected { n_events: 1, mutates: false, publishes: 0 };
            let consumed_runs = check::consumed_runs(&world, workflow, expected).await?;
            let events = world.events(workflow, "work").await?;
            for (event, run) in events.iter().zip(&consumed_runs) {
                delays.push(millis_between(event.created_at, times(run)?.0));
            }
        }
        ensure!(delays.len() == n_workflows, "{} of {n_workflows} events were taken", delays.len());
        up.kill().await?;
        let mut repetition = Repetition::default();
        repetition.set_count("runs", delays.len() - WARM_UP_EVENTS);
        repetition.set_series("ms", delays.split_off(WARM_UP_EVENTS));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}
