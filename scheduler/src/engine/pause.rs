//! How long an engine sleeps between two looks for work.

use std::time::Duration;

use windlass_core::Backoff;

use crate::error::EngineError;

/// How long an engine waits after errors of the store in a row; it never stops trying.
const STORE_BACKOFF: Backoff =
    Backoff { base_ms: 100, cap_ms: 10_000, tries: u32::MAX, jitter_percent: 0 };

/// Sleeps so long, or for ever.
pub(super) async fn sleep_for(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
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
