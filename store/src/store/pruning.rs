//! How old records are removed.

use std::time::Duration;

use super::role;
use crate::params::{Prune, PruneStep};

role! {
    /// How old records are removed.
    pub trait PruningStore {
        /// Whether the caller may prune now: among all workers one in `every` may.
        write async fn begin_pruning(&self, every: Duration) -> Result<bool>;

        /// Removes old records of one kind: one step, which looks at a bounded number of them.
        ///
        /// What is open is never touched, nor what something open depends on: an open run with its session and the runs that it
        /// continues; the run that stopped a workflow or was the last to change a handler's state; events that are not over, with
        /// the run that published them and every effect that was attempted for them; an effect in doubt, with its run, its events,
        /// its notifications and the journal since. An event or an input that is removed leaves its name: published or registered
        /// again, it stays over.
        write async fn prune(&self, params: Prune) -> Result<PruneStep>;

        /// What [`prune`](Self::prune) would remove in the same step, were everything before it done.
        read async fn prunable(&self, params: Prune) -> Result<PruneStep>;
    }
}
