//! A moment from which time is counted that passes unnoticed too.
//!
//! A lease goes on while the machine of its worker is suspended, but the clock that tasks sleep by may stand still meanwhile: on
//! Linux it does. Whoever asks whether a lease is still good asks two clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The clock that goes on while the machine is suspended.
#[cfg(target_os = "linux")]
const NEVER_STANDS_STILL: ClockId = ClockId::Boottime;
/// The clock that goes on while the machine is suspended.
#[cfg(not(target_os = "linux"))]
const NEVER_STANDS_STILL: ClockId = ClockId::Monotonic;

/// A moment, on two clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// On the clock that tasks sleep by.
    awake: Instant,
    /// On the clock that never stands still, in nanoseconds. Signed: a test may name a moment before the machine was started.
    machine: i128,
}

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        Self { awake: Instant::now(), machine: machine_time() }
    }

    /// How long it is past, by whichever clock says more.
    pub(crate) fn elapsed(&self) -> Duration {
        let machine = machine_time() - self.machine;
        self.awake.elapsed().max(Duration::from_nanos(u64::try_from(machine).unwrap_or(0)))
    }

    /// The same moment, had the machine been suspended since for so long.
    #[cfg(test)]
    pub(crate) fn then_suspended_for(self, time: Duration) -> Self {
        let nanoseconds = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        Self { machine: self.machine - nanoseconds, ..self }
    }
}

fn machine_time() -> i128 {
    let time = clock_gettime(NEVER_STANDS_STILL);
    i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_passes_by_whichever_clock_says_more() {
        let moment = Moment::now();
        tokio::time::advance(Duration::from_secs(60)).await;

        let asleep = moment.then_suspended_for(Duration::from_secs(1800));

        assert!((60..1800).contains(&moment.elapsed().as_secs()), "{:?}", moment.elapsed());
        assert!(asleep.elapsed().as_secs() >= 1800, "{:?}", asleep.elapsed());
    }
}
