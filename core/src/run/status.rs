//! Whether a run is queued or active, and why it stopped.

use crate::failure::FailureClass;
use crate::text::text_enum;

text_enum! {
    /// Whether a run is queued or active, and why it stopped. A stopped run never runs again: a new run follows it.
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
    /// Whether it is queued or active. A workflow has at most one such run.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Active)
    }
}

impl FailureClass {
    /// The status of a run that stops because of a failure of this class.
    #[must_use]
    pub const fn stopped_status(self) -> Status {
        match self {
            Self::Network => Status::PausedTransient,
            Self::Auth | Self::Permission => Status::PausedApproval,
            Self::Logic => Status::FailedLogic,
            Self::Internal | Self::ApiKey | Self::Balance => Status::FailedInternal,
        }
    }
}
