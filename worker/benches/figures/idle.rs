//! What a worker costs that has nothing to do.

use std::time::Duration;

use tokio::time::Instant;

use crate::case::Scene;
use crate::database::Kind;
use crate::measure::{Repetition, as_f64};
use crate::process::Up;
use crate::scripts;
use crate::world::{SLOTS, World};

/// How long a worker is left alone before it is looked at: longer than a script's thread waits for more.
const SETTLING: Duration = Duration::from_secs(35);

/// Shorter than any thread lives.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One process, watched as often as there are repetitions.
pub(crate) async fn measure(
    scene: &Scene,
    kind: Kind,
    n_workflows: usize,
) -> anyhow::Result<Vec<Repetition>> {
    let database = scene.database(kind).await?;
    let world = World::open(&database).await?;
    world.deploy(&scripts::polling(), n_workflows).await?;
    world.engine(SLOTS, None)?.run_until_idle().await?;
    drop(world);
    let n_due = "SELECT count(*) FROM workflows WHERE due_at IS NOT NULL AND status = 'active'";
    let n_due = usize::try_from(database.number(n_due).await?)?;
    anyhow::ensure!(n_due == n_workflows, "{n_due} of {n_workflows} workflows sleep");

    let mut up = Up::start(&database, SLOTS)?;
    tokio::time::sleep(if scene.is_quick { SETTLING / 3 } else { SETTLING }).await;
    let n_runs = "SELECT count(*) FROM handler_runs";
    let before = database.number(n_runs).await?;
    let watched = Duration::from_secs(if scene.is_quick { 16 } else { 20 });
    let mut watch = up.watch()?;
    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        let (from, began) = (watch.look()?, Instant::now());
        let mut to = from;
        while began.elapsed() < watched {
            tokio::time::sleep(LOOK_EVERY).await;
            to = watch.look()?;
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
