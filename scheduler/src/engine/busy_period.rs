//! For how long a worker only claims runs, without asking what else is due.

use std::time::Duration;

use tokio::time::Instant;

/// How long a busy period lasts.
const LENGTH: Duration = Duration::from_millis(100);

/// A time in which a worker only claims runs, because it found some or the store woke it up: most wake-ups announce a run.
///
/// A new period begins only after the worker has asked for everything that is due. So other work waits no longer than one period,
/// however many wake-ups there are.
#[derive(Debug, Default)]
pub(super) struct BusyPeriod(Option<Instant>);

impl BusyPeriod {
    /// Begins a period now, unless one has begun.
    pub(super) fn begin(&mut self) {
        self.begin_at(Instant::now());
    }

    /// Begins a period at `instant`, unless one has begun.
    pub(super) fn begin_at(&mut self, instant: Instant) {
        self.0.get_or_insert(instant);
    }

    /// Ends the period.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }

    /// How much of the period is left; none outside of one.
    pub(super) fn left(&self) -> Option<Duration> {
        LENGTH.checked_sub(self.0?.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn constant_wake_ups_do_not_keep_a_worker_from_asking_for_everything_that_is_due() {
        let mut busy = BusyPeriod::default();
        let mut waited = Duration::ZERO;
        busy.begin();

        while busy.left().is_some() {
            tokio::time::advance(Duration::from_millis(7)).await;
            waited += Duration::from_millis(7);
            busy.begin();
        }

        assert!(waited <= LENGTH + Duration::from_millis(7), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_without_wake_ups_asks_for_everything_that_is_due() {
        assert_eq!(BusyPeriod::default().left(), None);
    }
}
