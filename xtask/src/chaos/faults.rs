//! What breaks. Each function breaks something, waits, mends it, and returns how often it broke something.

use std::time::{Duration, Instant};

use super::chance::Chance;
use super::database::Database;
use super::time;
use super::workers::Workers;
use crate::postgres::Postgres;

/// Where things break.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) postgres: &'a Postgres,
    pub(crate) database: Database,
    pub(crate) workers: Workers,
    pub(crate) chance: Chance,
    pub(crate) lease: Duration,
    /// When nothing breaks any more.
    pub(crate) until: Instant,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
}

impl Stage<'_> {
    fn any_worker(&mut self) -> usize {
        let n_workers = u64::try_from(self.workers.len()).unwrap_or(u64::MAX);
        usize::try_from(self.chance.below(n_workers)).unwrap_or(0)
    }

    /// Lets everything work for a moment, between so many milliseconds.
    fn breathe(&mut self, least_ms: u64, most_ms: u64) {
        time::pause(Duration::from_millis(least_ms + self.chance.below(most_ms - least_ms)));
    }
}

/// A worker is killed. It comes back at once and takes over from itself, or so late that others do when its leases end.
pub(crate) fn kill(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let worker = stage.any_worker();
    stage.workers.kill(worker)?;
    if stage.chance.below(3) == 0 {
        time::pause(stage.lease + Duration::from_millis(500));
    }
    stage.workers.start_again(worker)?;
    stage.breathe(300, 1_500);
    Ok(1)
}
