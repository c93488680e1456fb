//! Watches the store's clock, by which leases end. It is a wall clock, so somebody may set it.
//!
//! A worker compares the store's time with the clock that runs since the machine was started. If the store's clock steps forward,
//! leases seem to have ended that their workers still keep. So a worker never believes a time that its own clock has not reached, and
//! after a step nobody recovers runs by their leases for as long as a lease, in which every worker that lives renews its own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use windlass_core::{CLOCK_TOLERANCE, Timestamp};
use windlass_store::ClockRun;

use crate::boot_instant::BootInstant;

/// What a worker knows of the store's clock.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    /// The length of a lease.
    lease: Duration,
    state: Mutex<WatchState>,
    stepped: Notify,
}

#[derive(Debug, Default)]
struct WatchState {
    last: Option<Reading>,
    /// Since when leases do not count as ended, and for how long.
    pause: Option<(BootInstant, Duration)>,
    /// Whether the store was told anything since the start.
    is_reported: bool,
    /// How it has stepped since it was last reported.
    step: Option<ClockRun>,
}

/// A time that the store told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// An instant before the store read its clock.
    pub(crate) asked: BootInstant,
    /// An instant after it.
    pub(crate) answered: BootInstant,
    /// What the clock showed.
    pub(crate) at: Timestamp,
}

/// How a clock has moved between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Even,
    Forward,
    Back,
}

impl Reading {
    /// How the clock has moved since `earlier`, where the time that really passed is known only to lie between two bounds.
    fn moved_since(&self, earlier: &Self) -> Move {
        let at_most = self.answered.since(&earlier.asked) + CLOCK_TOLERANCE;
        let at_least = self.asked.awake_since(&earlier.answered);
        if self.at > earlier.at.after(at_most) {
            Move::Forward
        } else if earlier.at.after(at_least).is_ahead_of(self.at) {
            Move::Back
        } else {
            Move::Even
        }
    }
}

impl ClockWatch {
    /// A watch of a worker that has just started. Other workers may have leases from before a step that this one has not seen, and
    /// renew them within the length of one.
    pub(crate) fn new(lease: Duration) -> Self {
        let pause = Some((BootInstant::now(), lease));
        let state = Mutex::new(WatchState { pause, ..WatchState::default() });
        Self { lease, state, stepped: Notify::new() }
    }

    /// Takes a time that the store told.
    pub(crate) fn observe(&self, reading: Reading) {
        let mut state = self.lock();
        let Some(last) = state.last.filter(|last| self.is_sharp(last)) else {
            // No step before this reading could be seen, so it is as if the worker had just started.
            state.last = Some(reading);
            state.pause = Some((reading.answered, self.lease));
            return;
        };
        let moved = reading.moved_since(&last);
        if moved == Move::Even {
            state.last = Some(if self.is_sharp(&reading) { reading } else { last });
            return;
        }
        state.last = Some(reading);
        tracing::warn!(?moved, at = %reading.at, "the clock of the database has stepped");
        if moved == Move::Forward {
            state.pause = Some((reading.answered, self.lease));
            state.step.get_or_insert(ClockRun::Forward);
        } else {
            // Where it would be without the step. Of several steps the one back matters, from the latest time.
            let expected = last.at.after(reading.answered.since(&last.asked));
            let from = match state.step {
                Some(ClockRun::Back { from }) => from.max(expected),
                _ => expected,
            };
            state.step = Some(ClockRun::Back { from });
        }
        drop(state);
        self.stepped.notify_one();
    }

    /// Whether the answer came so soon that no step hides in the time that it took: what is left of a lease beyond its safe part is
    /// longer.
    fn is_sharp(&self, reading: &Reading) -> bool {
        reading.answered.since(&reading.asked) <= self.lease / 20
    }

    /// Takes that a worker saw the clock step at `stepped_at`, as the store told with `reading`.
    pub(crate) fn learn(&self, stepped_at: Timestamp, reading: Reading) {
        let left = self.lease.saturating_sub(reading.at.since(stepped_at));
        let mut state = self.lock();
        if left > state.pause_left() {
            state.pause = Some((reading.asked, left));
        }
    }

    /// What the store is told with the next heartbeat.
    pub(crate) fn report(&self) -> ClockRun {
        let state = self.lock();
        match state.step {
            Some(step) => step,
            None if state.is_reported => ClockRun::Even,
            None => ClockRun::Unknown,
        }
    }

    /// Whether the clock has stepped, and the store was not told yet.
    pub(crate) fn has_step_to_report(&self) -> bool {
        self.lock().step.is_some()
    }

    /// The store was told so.
    pub(crate) fn reported(&self, run: ClockRun) {
        let mut state = self.lock();
        state.is_reported = true;
        if state.step == Some(run) {
            state.step = None;
        }
    }

    /// The latest time that it can be by this worker's clock; none while no lease counts as ended.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let state = self.lock();
        let last = state.last.filter(|_| state.pause_left().is_zero())?;
        Some(last.at.after(last.asked.elapsed() + CLOCK_TOLERANCE))
    }

    /// For how long no lease counts as ended.
    pub(crate) fn pause_left(&self) -> Duration {
        self.lock().pause_left()
    }

    /// Waits for a step.
    pub(crate) async fn stepped(&self) {
        self.stepped.notified().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, WatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WatchState {
    fn pause_left(&self) -> Duration {
        self.pause.map_or(Duration::ZERO, |(since, length)| length.saturating_sub(since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// What the store tells now, if its clock shows so many seconds.
    fn reading(at: u64) -> Reading {
        let now = BootInstant::now();
        Reading { asked: now, answered: now, at: Timestamp::from_micros(0).after(seconds(at)) }
    }

    /// A watch that has reported a clock at 1,000 s.
    async fn watch() -> ClockWatch {
        let watch = ClockWatch::new(LEASE);
        watch.observe(reading(940));
        tokio::time::advance(LEASE).await;
        assert_eq!(watch.report(), ClockRun::Unknown);
        watch.observe(reading(1_000));
        watch.reported(ClockRun::Unknown);
        assert_eq!(watch.report(), ClockRun::Even);
        watch
    }

    #[tokio::test(start_paused = true)]
    async fn an_even_clock_is_believed_as_far_as_the_workers_own() {
        let watch = watch().await;
        tokio::time::advance(seconds(15)).await;
        watch.observe(reading(1_015));
        tokio::time::advance(seconds(5)).await;

        let latest = watch.latest().unwrap();

        let least = Timestamp::from_micros(0).after(seconds(1_020));
        assert!(latest >= least && latest < least.after(seconds(3)), "{latest}");
        assert_eq!(watch.report(), ClockRun::Even);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_step_forward_no_lease_counts_as_ended_for_the_length_of_one() {
        let watch = watch().await;
        tokio::time::advance(seconds(1)).await;

        watch.observe(reading(1_121));
        watch.stepped().await;

        assert_eq!(watch.report(), ClockRun::Forward);
        assert_eq!((watch.latest(), watch.pause_left().as_secs()), (None, 59));
        watch.reported(ClockRun::Forward);
        assert!(!watch.has_step_to_report());
        assert_eq!(watch.report(), ClockRun::Even);
        tokio::time::advance(LEASE).await;
        watch.observe(reading(1_121 + 60));
        assert!(watch.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_is_not_seen_yet_ends_no_lease_either() {
        let watch = watch().await;
        tokio::time::advance(seconds(1)).await;

        // The store's clock shows 1,121 s by now, and nobody has read it.
        assert!(watch.latest().unwrap() < Timestamp::from_micros(0).after(seconds(1_010)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_back_is_reported_and_keeps_nobody_from_recovering() {
        let watch = watch().await;
        tokio::time::advance(seconds(15)).await;

        watch.observe(reading(1_000));

        let ClockRun::Back { from } = watch.report() else { panic!("{:?}", watch.report()) };
        assert_eq!(from.since(Timestamp::from_micros(0)).as_secs(), 1_015);
        assert!(watch.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_is_no_step() {
        let watch = watch().await;
        let asked = BootInstant::now();
        tokio::time::advance(seconds(40)).await;

        // The store may have read its clock at any instant between.
        for at in [1_000, 1_020, 1_040] {
            let watch = ClockWatch::new(LEASE);
            watch.observe(Reading { asked, answered: asked, ..reading(1_000) });
            watch.observe(Reading { asked, ..reading(at) });
            assert_eq!(watch.report(), ClockRun::Unknown, "{at}");
        }
        assert_eq!(watch.report(), ClockRun::Even);
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_that_another_worker_saw_counts_too() {
        let watch = watch().await;
        let stepped_at = reading(990).at;

        watch.learn(stepped_at, reading(1_000));
        assert_eq!((watch.latest(), watch.pause_left().as_secs()), (None, 49));
        tokio::time::advance(seconds(50)).await;

        watch.observe(reading(1_050));
        assert!(watch.latest().is_some());
        watch.learn(stepped_at, reading(1_050));
        assert!(watch.latest().is_some(), "it is long ago");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_has_just_started_waits_for_one_lease() {
        let watch = ClockWatch::new(LEASE);
        watch.observe(reading(1_000));
        assert_eq!(watch.latest(), None);

        tokio::time::advance(LEASE).await;

        assert!(watch.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_before_the_first_reading_ends_no_lease() {
        let watch = ClockWatch::new(LEASE);
        // The worker was frozen before the store answered for the first time, and the clock may have stepped meanwhile.
        tokio::time::advance(LEASE * 2).await;

        watch.observe(reading(1_000));
        assert_eq!(watch.latest(), None);

        tokio::time::advance(LEASE).await;
        assert!(watch.latest().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_does_not_hide_in_the_time_of_a_slow_answer() {
        let watch = watch().await;
        let asked = BootInstant::now();
        tokio::time::advance(seconds(40)).await;
        watch.observe(Reading { asked, ..reading(1_040) });
        assert!(watch.latest().is_some());

        watch.observe(reading(1_040 + 35));

        assert_eq!((watch.report(), watch.latest()), (ClockRun::Forward, None));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_slow_first_answer_no_lease_counts_as_ended_for_the_length_of_one() {
        let watch = ClockWatch::new(LEASE);
        let asked = BootInstant::now();
        tokio::time::advance(LEASE * 2).await;
        watch.observe(Reading { asked, ..reading(1_000) });
        tokio::time::advance(LEASE).await;

        watch.observe(reading(1_060 + 100));

        assert_eq!(watch.latest(), None, "the store may have told a time from long before");
    }
}
