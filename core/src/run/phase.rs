//! How far a run has come. A failure never changes it.

use crate::text::text_enum;

text_enum! {
    /// How far a run has come: strictly forward, never changed by a stop.
    pub enum Phase ("a phase") {
        /// Nothing has begun.
        Pending = "pending",
        /// A producer's handler runs.
        Executing = "executing",
        /// A consumer's `prepare` runs.
        Preparing = "preparing",
        /// Its result is checkpointed and its events are reserved.
        Prepared = "prepared",
        /// The ledger row exists.
        Mutating = "mutating",
        /// The outcome of the mutation is known.
        Mutated = "mutated",
        /// `next` runs.
        Emitting = "emitting",
        /// Everything of the run is committed.
        Committed = "committed",
    }
}

impl Phase {
    /// The position in the order of phases.
    #[must_use]
    pub const fn order(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Executing | Self::Preparing => 1,
            Self::Prepared => 2,
            Self::Mutating => 3,
            Self::Mutated => 4,
            Self::Emitting => 5,
            Self::Committed => 6,
        }
    }
}
