//! Lowers the priority of a thread that cannot be ended. Only Linux can do that for a single thread.

#[cfg(target_os = "linux")]
use rustix::process::{Pid, setpriority_process};

/// The lowest priority.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// A thread of the operating system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadId(#[cfg(target_os = "linux")] Pid);

impl ThreadId {
    /// The calling thread.
    pub(crate) fn current() -> Self {
        Self(
            #[cfg(target_os = "linux")]
            rustix::thread::gettid(),
        )
    }

    /// Halts this thread if it is at a place where that is safe, and if the state of its call says so.
    pub(crate) fn halt(self) {
        #[cfg(target_os = "linux")]
        crate::halt::signal(self.0.as_raw_nonzero().get());
    }

    /// The page faults that it has caused so far. None once it has ended, and where the system does not tell them.
    pub(crate) fn faults(self) -> Option<u64> {
        #[cfg(target_os = "linux")]
        return crate::processor::faults(&format!(
            "/proc/self/task/{}/stat",
            self.0.as_raw_nonzero()
        ));
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Lets this thread run only when no other thread needs the processor.
    pub(crate) fn lower_priority(self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = setpriority_process(Some(self.0), LOWEST) {
            tracing::warn!(%error, "could not lower the priority of a thread");
        }
    }
}
