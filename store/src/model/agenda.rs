//! What there is to do.

use std::time::Duration;

/// What there is to do for a worker, and in how long: zero where it is now, none where it never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Agenda {
    /// A workflow is due.
    pub workflow: Option<Duration>,
    /// A lease ends, and its run is taken over.
    pub lease: Option<Duration>,
    /// An effect in doubt is looked up.
    pub lookup: Option<Duration>,
    /// A queued run may be taken.
    pub run: Option<Duration>,
}

impl Agenda {
    /// How long there is nothing to do.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        [self.workflow, self.lease, self.lookup, self.run].into_iter().flatten().min()
    }
}
