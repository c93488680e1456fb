//! How long an engine sleeps between two looks for work.

use std::time::Duration;

use windlass_core::Backoff;

use crate::error::EngineError;

/// How long an engine waits after errors of the store in a row; it never stops trying.
const STORE_BACKOFF: Backoff =
    Backoff { base_ms: 100, cap_ms: 10_000, tries: u32::MAX, jitter_percent: 0 };

/// How long an engine sleeps at the most: should a wake-up ever be lost, work waits no longer than that.
const LONGEST: Duration = Duration::from_secs(60);

/// Sleeps so long, but never longer than is safe.
pub(super) async fn sleep_for(duration: Option<Duration>) {
    tokio::time::sleep(duration.map_or(LONGEST, |duration| duration.min(LONGEST))).await;
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
        let pause =
            STORE_BACKOFF.delay(self.errors).unwrap_or(Duration::from_millis(STORE_BACKOFF.cap_ms));
        tracing::warn!(%error, "the store does not answer, trying again in {pause:?}");
        Ok(Some(pause))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_whose_wake_up_is_lost_waits_for_a_minute_at_the_most() {
        let began = Instant::now();

        sleep_for(None).await;
        sleep_for(Some(Duration::from_secs(86_400))).await;
        sleep_for(Some(Duration::from_secs(1))).await;

        assert_eq!(began.elapsed(), LONGEST + LONGEST + Duration::from_secs(1));
    }
}
