//! Real time: real processes are disturbed for a while, and waited for.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "how long real processes were disturbed")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "real processes are left to work for a while")]
pub(crate) fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
