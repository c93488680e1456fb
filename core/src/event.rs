//! Events: units of work inside a workflow.

use crate::text::text_enum;

text_enum! {
    /// Where an event stands. Consumed and skipped are final.
    pub enum EventStatus ("an event status") {
        /// Waiting to be reserved.
        Pending = "pending",
        /// Bound to one consumer run.
        Reserved = "reserved",
        /// Its run committed.
        Consumed = "consumed",
        /// A person skipped it.
        Skipped = "skipped",
    }
}

impl EventStatus {
    /// Whether `self → next` may happen. `Reserved → Reserved` is the transfer to a retry run.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Reserved | Self::Skipped),
            Self::Reserved => true,
            Self::Consumed | Self::Skipped => false,
        }
    }

    /// Whether the event still causes work.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Reserved)
    }
}
