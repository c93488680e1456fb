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

    /// Lets this thread run only when no other thread needs the processor.
    pub(crate) fn lower_priority(self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = setpriority_process(Some(self.0), LOWEST) {
            tracing::warn!(%error, "could not lower the priority of a thread");
        }
    }
}
