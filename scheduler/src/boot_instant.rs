//! An instant whose elapsed time includes the time for which the machine was suspended.
//!
//! A lease runs on while the machine of its worker is suspended, but the clock that tasks sleep by may stop: on Linux it does. So the
//! elapsed time of a lease is read from two clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The clock that runs on while the machine is suspended.
#[cfg(target_os = "linux")]
const BOOT_CLOCK: ClockId = ClockId::Boottime;
/// The clock that runs on while the machine is suspended.
#[cfg(not(target_os = "linux"))]
const BOOT_CLOCK: ClockId = ClockId::Monotonic;

/// An instant on two clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BootInstant {
    /// On the clock that tasks sleep by.
    task_clock: Instant,
    /// On the clock that runs on during a suspension, in nanoseconds. It is signed because a test may use an instant before the
    /// machine was started.
    boot_clock: i128,
}

impl BootInstant {
    /// The present instant.
    pub(crate) fn now() -> Self {
        Self { task_clock: Instant::now(), boot_clock: boot_time() }
    }

    /// The time since then, by the clock that shows more.
    pub(crate) fn elapsed(&self) -> Duration {
        Self::now().since(self)
    }

    /// The time since `earlier`, by the clock that shows more; zero if it is not earlier.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let nanoseconds = self.boot_clock - earlier.boot_clock;
        let by_boot_clock = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
        self.task_clock.saturating_duration_since(earlier.task_clock).max(by_boot_clock)
    }

    /// The time since `earlier` for which the machine was awake; zero if it is not earlier.
    pub(crate) fn awake_since(&self, earlier: &Self) -> Duration {
        self.task_clock.saturating_duration_since(earlier.task_clock)
    }

    /// The same instant, as if the machine had been suspended for `time` since then.
    #[cfg(test)]
    pub(crate) fn then_suspended_for(self, time: Duration) -> Self {
        let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        Self { boot_clock: self.boot_clock - nanoseconds, ..self }
    }
}

fn boot_time() -> i128 {
    let time = clock_gettime(BOOT_CLOCK);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_elapsed_time_is_that_of_the_clock_that_shows_more() {
        let instant = BootInstant::now();
        tokio::time::advance(Duration::from_secs(60)).await;

        let suspended = instant.then_suspended_for(Duration::from_secs(1800));

        assert!((60..1800).contains(&instant.elapsed().as_secs()), "{:?}", instant.elapsed());
        assert!(suspended.elapsed().as_secs() >= 1800, "{:?}", suspended.elapsed());
    }
}
