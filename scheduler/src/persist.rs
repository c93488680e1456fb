//! Writing what must not be lost while the database is away.

use std::time::Duration;

use windlass_store::Result;

/// The first pause, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Calls `operation` until it succeeds or fails for a reason that time does not mend.
///
/// Every operation of the store is safe to call again, also where only its answer was lost. The caller stops trying by dropping the future, as it does when the
/// lease is lost.
pub(crate) async fn persist<T, F: Future<Output = Result<T>>>(
    mut operation: impl FnMut() -> F,
) -> Result<T> {
    let (mut pause, longest) = PAUSES;
    loop {
        match operation().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "the store does not answer, trying again in {pause:?}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
            settled => return settled,
        }
    }
}
