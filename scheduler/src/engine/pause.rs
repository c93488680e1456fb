//! How long an engine sleeps between two looks for work.

use std::time::Duration;

use windlass_core::ExponentialDelay;
use windlass_store::WakeUps;

use crate::error::EngineError;
use crate::lease::every;

/// How long an engine waits after errors of the store in a row; it never stops trying.
const STORE_BACKOFF: ExponentialDelay =
    ExponentialDelay { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

/// How long a worker without a free slot does not listen.
const FULL: Duration = Duration::from_secs(1);

/// Sleeps so long, but no longer than from one heartbeat to the next. Nobody rings for a lease: whoever looks that often knows of
/// each one before it ends. And should a wake-up ever be lost, work waits no longer than that.
pub(super) async fn sleep_for(duration: Option<Duration>, lease: Duration) {
    let longest = every(lease);
    tokio::time::sleep(duration.map_or(longest, |duration| duration.min(longest))).await;
}

/// Waits for a wake-up, which a worker that has no hands for a run does not attend to at once: most of them speak of runs.
pub(super) async fn wake_up(wake_ups: &mut WakeUps, is_full: bool) {
    if is_full {
        tokio::time::sleep(FULL).await;
    }
    wake_ups.wait().await;
}

/// Waits a little longer after each error of the store in a row.
#[derive(Debug, Default)]
pub(super) struct Pause {
    errors: u32,
}

impl Pause {
    /// How long to sleep after a turn.
    pub(super) fn after(
        &mut self,
        turn: Result<Option<Duration>, EngineError>,
    ) -> Result<Option<Duration>, EngineError> {
        let error = match turn {
            Ok(sleep) => {
                self.errors = 0;
                return Ok(sleep);
            }
            Err(EngineError::Store(error)) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        self.errors = self.errors.saturating_add(1);
        let pause = STORE_BACKOFF.after(self.errors);
        tracing::warn!(%error, "the store does not answer, trying again in {pause:?}");
        Ok(Some(pause))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use windlass_core::LimitKey;
    use windlass_store::{Options, SetLimit};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_nobody_rang_for_is_known_long_before_it_ends() {
        let lease = Duration::from_secs(60);
        let began = Instant::now();

        sleep_for(None, lease).await;
        sleep_for(Some(Duration::from_secs(86_400)), lease).await;
        sleep_for(Some(Duration::from_secs(1)), lease).await;

        assert_eq!(began.elapsed(), Duration::from_secs(15 + 15 + 1));
    }

    #[tokio::test]
    async fn a_worker_without_a_free_slot_hears_a_ring_a_second_later() {
        let store = windlass_store::open("sqlite::memory:", Options::default()).await.unwrap();
        let workspace = store.ensure_workspace("default").await.unwrap();
        let mut wake_ups = store.wake_ups();
        let rings = SetLimit {
            workspace,
            key: LimitKey::Connector("mail".to_owned()),
            limit: None,
            actor: "ann".to_owned(),
        };
        tokio::time::pause();

        for (is_full, hears_after) in [(true, FULL), (false, Duration::ZERO)] {
            store.set_limit(rings.clone()).await.unwrap();
            let rung = Instant::now();
            wake_up(&mut wake_ups, is_full).await;

            // Tokio rounds up to the next millisecond.
            assert_eq!(rung.elapsed().as_secs(), hears_after.as_secs());
        }
    }
}
