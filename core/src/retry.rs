//! Retry arithmetic: how long to wait after the nth failure in a row, and when to stop trying.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    /// How much longer a delay may be, in percent of it, so that what failed together does not come back together.
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
        if failures > self.tries {
            return None;
        }
        let factor = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        Some(Duration::from_millis(self.base_ms.saturating_mul(factor).min(self.cap_ms)))
    }

    /// The delay with its jitter: the same for the same `seed`.
    #[must_use]
    pub fn spread_delay(&self, failures: u32, seed: u64) -> Option<Duration> {
        let delay = self.delay(failures)?;
        let most = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        let most = most.saturating_mul(u64::from(self.jitter_percent)) / 100;
        Some(delay + Duration::from_millis(seed.checked_rem(most + 1).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            .filter_map(|seed| backoff.spread_delay(1, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .map(|delay| delay.as_millis())
            .collect();

        assert!(delays.iter().all(|ms| (10_000..=12_000).contains(ms)), "{delays:?}");
        assert!(delays.iter().any(|ms| *ms > 11_000) && delays.iter().any(|ms| *ms < 11_000));
        let even = Backoff { jitter_percent: 0, ..backoff };
        assert_eq!(even.spread_delay(1, u64::MAX), even.delay(1));
    }

    #[test]
    fn the_delay_never_exceeds_the_cap() {
        let backoff = Backoff { tries: 200, ..Backoff::default() };

        assert!((1..=200).all(|n| backoff.delay(n).is_some_and(|d| d <= Duration::from_secs(600))));
    }
}
