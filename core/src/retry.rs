//! Back-off: how long to wait after the nth failure in a row, and when to stop trying.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Exponential back-off without an end: the delay doubles with each failure in a row, up to a longest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExponentialDelay {
    /// The delay after the first failure.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
}

impl ExponentialDelay {
    /// The delay after so many failures in a row; zero after none.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// Exponential back-off with a cap on the delay and on the number of tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    /// The delay after the first failure.
    pub base_ms: u64,
    /// The longest delay.
    pub cap_ms: u64,
    /// How many delays there are; the failure after the last one is final.
    pub tries: u32,
    /// How much longer a delay may be, in percent of it, so that things which failed together are not tried again together.
    pub jitter_percent: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base_ms: 10_000, cap_ms: 600_000, tries: 5, jitter_percent: 20 }
    }
}

impl Backoff {
    /// The delay after the `failures`th consecutive failure (counted from 1), doubled each time up to the cap;
    /// `None` when the tries are used up.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Option<Duration> {
        let [first, longest] = [self.base_ms, self.cap_ms].map(Duration::from_millis);
        let delay = ExponentialDelay { first, longest }.after(failures.max(1));
        (failures <= self.tries).then_some(delay)
    }

    /// The delay with its jitter, which is always the same for the same `seed`. It is at least the wait that the other side `asked` for.
    #[must_use]
    pub fn delay_with_jitter(
        &self,
        failures: u32,
        asked: Option<Duration>,
        seed: u64,
    ) -> Option<Duration> {
        let delay = self.delay(failures)?;
        let most = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let most = most.saturating_mul(u64::from(self.jitter_percent)) / 100;
        let delay = delay.max(asked.unwrap_or_default());
        Some(delay + Duration::from_millis(seed.checked_rem(most + 1).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_delay_is_zero_before_a_failure_and_grows_to_the_longest() {
        let delay =
            ExponentialDelay { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

        let delays: Vec<_> = [0, 1, 2, 3, 7, 40].map(|n| delay.after(n).as_secs()).into();

        assert_eq!(delays, [0, 1, 2, 4, 60, 60]);
    }

    #[test]
    fn five_delays_double_and_the_sixth_failure_is_final() {
        let backoff = Backoff::default();

        let delays: Vec<_> = (1..=6).map(|n| backoff.delay(n).map(|d| d.as_secs())).collect();

        assert_eq!(delays, [Some(10), Some(20), Some(40), Some(80), Some(160), None]);
    }

    #[test]
    fn jitter_makes_a_delay_longer_by_its_percentage_at_the_most() {
        let backoff = Backoff::default();

        let delays: Vec<_> = (0..50_u64)
            .filter_map(|seed| {
                backoff.delay_with_jitter(1, None, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            })
            .map(|delay| delay.as_millis())
            .collect();

        assert!(delays.iter().all(|ms| (10_000..=12_000).contains(ms)), "{delays:?}");
        assert!(delays.iter().any(|ms| *ms > 11_000) && delays.iter().any(|ms| *ms < 11_000));
        let even = Backoff { jitter_percent: 0, ..backoff };
        assert_eq!(even.delay_with_jitter(1, None, u64::MAX), even.delay(1));
    }

    #[test]
    fn an_asked_wait_makes_a_delay_longer_and_never_shorter_and_gives_no_tries() {
        let backoff = Backoff { jitter_percent: 0, ..Backoff::default() };
        let delay = |failures, asked| {
            backoff.delay_with_jitter(failures, Some(Duration::from_secs(asked)), 0)
        };

        assert_eq!(delay(1, 3_600), Some(Duration::from_secs(3_600)));
        assert_eq!(delay(1, 1), Some(Duration::from_secs(10)));
        assert_eq!(delay(6, 3_600), None);
        let spread = Backoff::default().delay_with_jitter(1, Some(Duration::from_secs(60)), 1_999);
        assert!(
            spread > Some(Duration::from_secs(60)),
            "those that were asked at once: {spread:?}"
        );
    }

    #[test]
    fn the_delay_never_exceeds_the_cap() {
        let backoff = Backoff { tries: 200, ..Backoff::default() };

        assert!((1..=200).all(|n| backoff.delay(n).is_some_and(|d| d <= Duration::from_secs(600))));
    }
}
