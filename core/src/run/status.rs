//! Whether a run is under way, and why it stopped.

use crate::text::text_enum;

text_enum! {
    /// Whether a run is under way, and why it stopped. A stopped run never runs again: what follows is a new run.
    pub enum Status ("a run status") {
        /// Waiting for a worker.
        Queued = "queued",
        /// A worker has it.
        Active = "active",
        /// Stopped by the network; tried again after a delay.
        PausedTransient = "paused:transient",
        /// Stopped for credentials or rights.
        PausedApproval = "paused:approval",
        /// Stopped because nobody knows whether its effect happened.
        PausedReconciliation = "paused:reconciliation",
        /// The script is wrong.
        FailedLogic = "failed:logic",
        /// Windlass or a provider is wrong.
        FailedInternal = "failed:internal",
        /// Done.
        Committed = "committed",
        /// Its worker was lost.
        Crashed = "crashed",
    }
}

impl Status {
    /// Queued or active: the workflow has no other run meanwhile.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Active)
    }
}
