//! How a worker starts that finds a lot of work, and somebody else's.

use std::time::Duration;

use anyhow::ensure;
use windlass_core::{Clock as _, SystemClock};

use crate::case::Scene;
use crate::database::Kind;
use crate::filler;
use crate::measure::{Repetition, millis};
use crate::process::{Up, wait_for};
use crate::scripts::{self, Parts};
use crate::world::World;

/// As many runs a killed worker holds.
const SLOTS: u32 = 100;

const CRASHED: &str = "FROM handler_runs WHERE status = 'crashed'";

/// Every repetition kills the worker of the one before.
pub(crate) async fn measure(scene: &Scene, kind: Kind) -> anyhow::Result<Vec<Repetition>> {
    let n_open = u32::try_from(scene.size(100_000, 5_000))?;
    let database = scene.database(kind).await?;
    let world = World::open(&database).await?;
    world.deploy(&scripts::work(Parts::default()), 1).await?;
    drop(world);
    filler::copies(&database, n_open - 1).await?;
    let open = "SELECT count(*) FROM handler_runs WHERE status IN ('queued', 'active')";
    let found = database.number(open).await?;
    ensure!(found == i64::from(n_open), "{found} runs are open, not {n_open}");

    let mut up = Up::start(&database, SLOTS)?;
    let mut repetitions = Vec::new();
    for _ in 0..scene.n_repetitions {
        wait_for(&database, &mut up, "SELECT count(*) FROM handler_runs WHERE status = 'active'")
            .await?;
        up.kill().await?;
        let n_lost =
            database.number("SELECT count(*) FROM handler_runs WHERE status = 'active'").await?;
        ensure!(n_lost > 0, "the worker that was killed held nothing");
        let n_open = database.number(open).await?;
        let n_crashed = database.number(&format!("SELECT count(*) {CRASHED}")).await?;

        let started = SystemClock.now().as_micros();
        up = Up::start(&database, SLOTS)?;
        // What is asked again and again is in an index of few rows: the worker has the machine for itself.
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
