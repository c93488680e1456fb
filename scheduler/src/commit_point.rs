//! The last check before an effect, made by the tool itself right before its irreversible step.
//!
//! A tool waits before it acts: for a name, a connection, a lock. Meanwhile its process may be frozen, and another worker may take the
//! run over. So the engine hands a [`CommitPoint`] to the tool, which asks it when nothing is left to wait for. The engine keeps the
//! [`CommitWatch`] of the same point, which tells afterwards whether the effect may have happened. After the watch is closed or
//! dropped, nothing passes the point any more. So a call that the engine has given up cannot have its effect later.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use windlass_core::Failure;

use crate::tool::ToolError;

/// Whether the worker still has the right to make the effect.
type MayCommit = Box<dyn Fn() -> bool + Send + Sync>;

/// The point before which a call has certainly had no effect. Clones are the same point.
#[derive(Debug, Clone)]
pub struct CommitPoint(Arc<Shared>);

/// The engine's view of a [`CommitPoint`].
#[derive(Debug)]
#[must_use = "dropping it closes the point"]
pub struct CommitWatch(Arc<Shared>);

/// The worker may not make the effect any more. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the worker's right to the run had run out, or its database was replaced, before the request left: nothing was sent"
)]
pub struct Refused;

struct Shared {
    may_commit: MayCommit,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    was_passed: bool,
    is_closed: bool,
}

impl CommitPoint {
    /// A point that lets a call pass as long as `may_commit` says so. It is called with a lock held and must not wait.
    pub fn new(may_commit: impl Fn() -> bool + Send + Sync + 'static) -> (CommitWatch, Self) {
        let shared = Arc::new(Shared { may_commit: Box::new(may_commit), state: Mutex::default() });
        (CommitWatch(Arc::clone(&shared)), Self(shared))
    }

    /// Passes the point. Everything after it, up to the system call that makes the effect, should be a few instructions.
    ///
    /// A tool that has to wait after it has passed, and has done nothing yet, passes again. Each time the right is checked anew.
    ///
    /// # Errors
    /// [`Refused`] if another worker may have the run by now, or if the engine has given the call up. Then the tool does nothing.
    pub fn pass(&self) -> Result<(), Refused> {
        let mut state = self.0.state();
        if state.is_closed || !(self.0.may_commit)() {
            return Err(Refused);
        }
        state.was_passed = true;
        Ok(())
    }
}

impl CommitWatch {
    /// Closes the point, and says whether the call has passed it. If not, the call has had no effect and never will.
    #[must_use]
    pub fn close(self) -> bool {
        let mut state = self.0.state();
        state.is_closed = true;
        state.was_passed
    }
}

impl Drop for CommitWatch {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitPoint").field("state", &self.state).finish_non_exhaustive()
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::network(refused.to_string())
    }
}

impl From<Refused> for ToolError {
    fn from(refused: Refused) -> Self {
        Self::not_sent(refused.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_right_is_checked_at_each_passing() {
        let is_safe = Arc::new(AtomicBool::new(true));
        let checked = Arc::clone(&is_safe);
        let (watch, point) = CommitPoint::new(move || checked.load(Ordering::SeqCst));

        assert_eq!(point.pass(), Ok(()));
        is_safe.store(false, Ordering::SeqCst);
        assert_eq!(point.pass(), Err(Refused));
        assert!(watch.close(), "it was passed once");
    }

    #[test]
    fn nothing_passes_a_point_that_the_engine_has_closed() {
        let (watch, point) = CommitPoint::new(|| true);
        assert!(!watch.close());
        assert_eq!(point.pass(), Err(Refused));

        let (watch, point) = CommitPoint::new(|| true);
        drop(watch);
        assert_eq!(point.pass(), Err(Refused), "the run was given up");
    }
}
