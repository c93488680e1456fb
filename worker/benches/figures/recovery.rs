//! The time until a run is recovered whose worker was killed.

use anyhow::ensure;
use windlass_core::{Clock as _, SystemClock, Timestamp};

use crate::case::BenchContext;
use crate::database::DatabaseKind;
use crate::measure::{Repetition, millis_between};
use crate::scripts;
use crate::worker_process::{WorkerProcess, wait_for};
use crate::world::{SLOTS, World};

/// How long a run is busy: long enough to be killed meanwhile.
const BUSY_MS: u32 = 1_000;

/// How often a worker is killed in a repetition.
const KILLS: usize = 3;

/// Kills a worker while it holds a run, and starts another.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
) -> anyhow::Result<Vec<Repetition>> {
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let database = context.database(kind).await?;
        let world = World::open(&database).await?;
        world.deploy(&scripts::busy(BUSY_MS), 1).await?;
        drop(world);
        let (mut taken_over, mut continued) = (Vec::new(), Vec::new());
        let mut up = WorkerProcess::start(&database, SLOTS)?;
        for n_lost in 1..=KILLS {
            let holds = "SELECT count(*) FROM handler_runs WHERE status = 'active'";
            wait_for(&database, &mut up, holds).await?;
            let killed_at = SystemClock.now();
            up.kill().await?;
            up = WorkerProcess::start(&database, SLOTS)?;
            let lost = "FROM handler_runs WHERE status = 'crashed'";
            let is_taken_over = format!(
                "SELECT CASE WHEN count(*) >= {n_lost} THEN max(ended_at) ELSE 0 END {lost}"
            );
            let ended_at = wait_for(&database, &mut up, &is_taken_over).await?;
            let is_continued = format!(
                "SELECT coalesce(min(started_at), 0) FROM handler_runs WHERE started_at >= {ended_at}"
            );
            let started_at = wait_for(&database, &mut up, &is_continued).await?;
            taken_over.push(millis_between(killed_at, Timestamp::from_micros(ended_at)));
            continued.push(millis_between(killed_at, Timestamp::from_micros(started_at)));
        }
        up.kill().await?;
        let n_lost =
            database.number("SELECT count(*) FROM handler_runs WHERE status = 'crashed'").await?;
        ensure!(usize::try_from(n_lost)? == KILLS, "{n_lost} runs were lost, not {KILLS}");
        let mut repetition = Repetition::default();
        repetition.set_count("runs", KILLS);
        repetition.set_series("ms", taken_over);
        repetition.set_series("claimed_ms", continued);
        repetitions.push(repetition);
    }
    Ok(repetitions)
}
