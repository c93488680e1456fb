//! How a thread that cannot be ended is kept from harming the others.

use rustix::process::{Pid, setpriority_process};

/// The lowest priority there is: what nobody else wants.
const LOWEST: i32 = 19;

/// A thread, as the system knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadId(Pid);

impl ThreadId {
    /// The calling thread.
    pub(crate) fn current() -> Self {
        Self(rustix::thread::gettid())
    }

    /// Leaves this thread only the time that no other thread wants. Only Linux can do that to a thread.
    pub(crate) fn step_back(self) {
        if cfg!(target_os = "linux")
            && let Err(error) = setpriority_process(Some(self.0), LOWEST)
        {
            tracing::warn!(%error, "could not lower the priority of a thread");
        }
    }
}
