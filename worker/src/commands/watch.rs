//! Waits between two readings of something that changes.

use std::time::Duration;

use windlass_store::WakeUps;

/// The longest time to wait for a wake-up.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Waits until it is time to read again what is watched. A commit without new work, such as log lines or a run's end, sends no wake-up on
/// either database.
pub(super) async fn wait_to_read_again(wake_ups: &mut WakeUps) {
    let _woken_or_not = tokio::time::timeout(READ_AGAIN_AFTER, wake_ups.wait()).await;
}
