//! How long a worker takes to start on a database with many open runs, some of them lost by another worker.

use std::time::Duration;

use anyhow::ensure;
use windlass_core::{Clock as _, SystemClock};

use crate::case::BenchContext;
use crate::database::DatabaseKind;
use crate::measure::{Repetition, millis};
use crate::scripts::{self, ScriptParts};
use crate::seed_rows;
use crate::worker_process::{WorkerProcess, wait_for};
use crate::world::World;

/// The most runs that a killed worker holds.
const SLOTS: u32 = 100;

const CRASHED: &str = "FROM handler_runs WHERE status = 'crashed'";

/// Every repetition kills the worker of the one before it.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
) -> anyhow::Result<Vec<Repetition>> {
    let n_open = u32::try_from(context.size(100_000, 5_000))?;
    let database = context.database(kind).await?;
    let world = World::open(&database).await?;
    world.deploy(&scripts::work(ScriptParts::default()), 1).await?;
    drop(world);
    seed_rows::copies(&database, n_open - 1).await?;
    let open = "SELECT count(*) FROM handler_runs WHERE status IN ('queued', 'active')";
    let found = database.number(open).await?;
    ensure!(found == i64::from(n_open), "{found} runs are open, not {n_open}");

    let mut up = WorkerProcess::start(&database, SLOTS)?;
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        wait_for(&database, &mut up, "SELECT count(*) FROM handler_runs WHERE status = 'active'")
            .await?;
        up.kill().await?;
        let n_lost =
            database.number("SELECT count(*) FROM handler_runs WHERE status = 'active'").await?;
        ensure!(n_lost > 0, "the worker that was killed held nothing");
        let n_open = database.number(open).await?;
        let n_crashed = database.number(&format!("SELECT count(*) {CRASHED}")).await?;

        let started = SystemClock.now().as_micros();
        up = WorkerProcess::start(&database, SLOTS)?;
        // This query reads a small index, so that polling it does not slow the worker down.
        let is_recovered = format!(
            "SELECT CASE WHEN count(*) = 0 THEN 1 ELSE 0 END FROM handler_runs \
             WHERE status = 'active' AND started_at < {started}"
        );
        wait_for(&database, &mut up, &is_recovered).await?;
        let has_claimed = format!(
            "SELECT count(*) FROM handler_runs WHERE status = 'active' AND started_at >= {started}"
        );
        wait_for(&database, &mut up, &has_claimed).await?;
        let recovered = database.number(&format!("SELECT count(*) {CRASHED}")).await? - n_crashed;
        ensure!(recovered == n_lost, "{recovered} of {n_lost} lost runs were taken over");
        let recovered = database.number(&format!("SELECT max(ended_at) {CRASHED}")).await?;
        let claimed =
            format!("SELECT min(started_at) FROM handler_runs WHERE started_at >= {started}");
        let claimed = database.number(&claimed).await?;
        let mut repetition = Repetition::default();
        repetition.set("open_runs", f64::from(u32::try_from(n_open)?));
        repetition.set("lost_runs", f64::from(u32::try_from(n_lost)?));
        repetition.set("recovered_ms", micros(recovered - started)?);
        repetition.set("claimed_ms", micros(claimed - started)?);
        repetitions.push(repetition);
    }
    up.kill().await?;
    Ok(repetitions)
}

/// In milliseconds.
fn micros(difference: i64) -> anyhow::Result<f64> {
    Ok(millis(Duration::from_micros(u64::try_from(difference)?)))
}
