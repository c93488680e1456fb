//! The processor time of a script's thread. Only Linux tells it to other threads.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the clocks of threads are C"))]

use std::time::Duration;

/// The processor time that a thread has used since a moment. It can be read from any thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessorTime {
    #[cfg(target_os = "linux")]
    clock: Option<libc::clockid_t>,
    #[cfg(target_os = "linux")]
    began: Duration,
}

#[cfg(target_os = "linux")]
impl ProcessorTime {
    /// The time of the calling thread from now on.
    pub(crate) fn of_this_thread() -> Self {
        let mut clock = 0;
        // SAFETY: the thread is alive because it is the caller, and `clock` is written before the call returns.
        let result = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        let clock = (result == 0).then_some(clock);
        Self { clock, began: clock.and_then(read).unwrap_or_default() }
    }

    /// How much it has used; nothing if that is not known, for example because the thread has ended.
    pub(crate) fn used(self) -> Duration {
        self.clock.and_then(read).unwrap_or_default().saturating_sub(self.began)
    }
}

#[cfg(target_os = "linux")]
fn read(clock: libc::clockid_t) -> Option<Duration> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is written before the call returns. A clock of a thread that has ended is refused.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    (result == 0).then(|| Duration::new(seconds, nanos))
}

#[cfg(not(target_os = "linux"))]
impl ProcessorTime {
    /// The time of the calling thread from now on.
    pub(crate) const fn of_this_thread() -> Self {
        Self {}
    }

    /// Not known here: only the wall time is limited.
    pub(crate) const fn used(self) -> Duration {
        Duration::ZERO
    }
}
