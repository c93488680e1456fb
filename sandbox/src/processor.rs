//! The processor time and the page faults of a script's thread. Only Linux tells them to other threads.
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
        // SAFETY: it has no condition.
        let thread = unsafe { libc::pthread_self() };
        // SAFETY: the thread is alive because it is the caller, and `clock` is written before the call returns.
        let result = unsafe { libc::pthread_getcpuclockid(thread, &raw mut clock) };
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

/// The page faults that the calling thread has caused so far without reading from a disk.
#[cfg(target_os = "linux")]
pub(crate) fn faults_of_this_thread() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` has the size that the call writes.
    let result = unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
    // SAFETY: it was zeroed, which is a valid value, whatever the call has written.
    let usage = unsafe { usage.assume_init() };
    u64::try_from(usage.ru_minflt).ok().filter(|_| result == 0).unwrap_or(0)
}

/// Not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn faults_of_this_thread() -> u64 {
    0
}

/// The same, as a file `stat` of the system shows them for a process or a thread.
pub(crate) fn faults(path: &str) -> Option<u64> {
    let stat = std::fs::read_to_string(path).ok()?;
    // The name of the thread, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(7)?.parse().ok()
}

/// Gives memory that was freed back to the system. The allocator of the C library keeps it otherwise.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_memory_back() {
    // SAFETY: it only releases what is not in use.
    let _released = unsafe { libc::malloc_trim(0) };
}

/// The allocator here decides by itself when it gives memory back.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) const fn give_memory_back() {}
