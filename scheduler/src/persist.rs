//! Writing to the store while it may be temporarily unavailable.

use std::time::Duration;

use windlass_core::ExponentialDelay;
use windlass_store::Result;

/// How long to wait between two attempts.
const DELAY: ExponentialDelay =
    ExponentialDelay { first: Duration::from_millis(50), longest: Duration::from_secs(5) };

/// Calls `operation` until it succeeds or fails with an error that a later attempt would not avoid.
///
/// Every operation of the store may be called again, also if only its answer was lost. The caller stops the attempts by dropping the
/// future, which happens when the lease of the run is lost.
pub(crate) async fn persist<T, F: Future<Output = Result<T>>>(
    mut operation: impl FnMut() -> F,
) -> Result<T> {
    let mut failures = 0_u32;
    loop {
        match operation().await {
            Err(error) if error.is_transient() => {
                failures = failures.saturating_add(1);
                let delay = DELAY.after(failures);
                tracing::warn!(%error, "the store does not answer, trying again in {delay:?}");
                tokio::time::sleep(delay).await;
            }
            result => return result,
        }
    }
}
