//! The CPU time of an idle worker.

use std::time::Duration;

use tokio::time::Instant;

use crate::case::BenchContext;
use crate::database::DatabaseKind;
use crate::measure::{Repetition, as_f64};
use crate::scripts;
use crate::worker_process::WorkerProcess;
use crate::world::{SLOTS, World};

/// How long a worker settles before it is measured: longer than an idle script thread lives.
const SETTLE_TIME: Duration = Duration::from_secs(35);

/// Shorter than any thread lives: a thread that ended is no longer listed.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// One process, measured once for each repetition.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
    n_workflows: usize,
) -> anyhow::Result<Vec<Repetition>> {
    let database = context.database(kind).await?;
    let world = World::open(&database).await?;
    world.deploy(&scripts::polling(), n_workflows).await?;
    world.engine(SLOTS, None)?.run_until_idle().await?;
    drop(world);
    let n_due = "SELECT count(*) FROM workflows WHERE due_at IS NOT NULL AND status = 'active'";
    let n_due = usize::try_from(database.number(n_due).await?)?;
    anyhow::ensure!(n_due == n_workflows, "{n_due} of {n_workflows} workflows sleep");

    let mut up = WorkerProcess::start(&database, SLOTS)?;
    tokio::time::sleep(if context.is_quick { SETTLE_TIME / 3 } else { SETTLE_TIME }).await;
    let n_runs = "SELECT count(*) FROM handler_runs";
    let before = database.number(n_runs).await?;
    let watched = Duration::from_secs(if context.is_quick { 16 } else { 20 });
    let mut sampler = up.cpu_sampler()?;
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let (from, began) = (sampler.sample()?, Instant::now());
        let mut to = from;
        while began.elapsed() < watched {
            tokio::time::sleep(SAMPLE_INTERVAL).await;
            to = sampler.sample()?;
        }
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        up.check()?;
        let on_core = to.on_core.saturating_sub(from.on_core).as_secs_f64();
        let switches = to.switches.saturating_sub(from.switches);
        let mut repetition = Repetition::default();
        repetition.set("core_ms_per_min", on_core * 1e3 / minutes);
        repetition.set("core_percent", on_core / (minutes * 60.0) * 100.0);
        repetition.set("switches_per_min", as_f64(usize::try_from(switches)?) / minutes);
        repetitions.push(repetition);
    }
    let after = database.number(n_runs).await?;
    anyhow::ensure!(before == after, "{} runs were made meanwhile", after - before);
    up.kill().await?;
    Ok(repetitions)
}
