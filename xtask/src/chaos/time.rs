//! Real time: this program disrupts real processes and waits for them.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "measures how long real processes were disrupted")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "lets real processes work for a while")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
