//! How a thread that cannot be ended is kept from harming the others. Only Linux can do that to a single thread.

#[cfg(target_os = "linux")]
use rustix::process::{Pid, setpriority_process};

/// The lowest priority there is: what nobody else wants.
#[cfg(target_os = "linux")]
const LOWEST: i32 = 19;

/// A thread, as the system knows it.
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

    /// Leaves this thread only the time that no other thread wants.
    pub(crate) fn step_back(self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = setpriority_process(Some(self.0), LOWEST) {
            tracing::warn!(%error, "could not lower the priority of a thread");
        }
    }
}
