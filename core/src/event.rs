//! Events: units of work inside a workflow.

use crate::text::text_enum;

text_enum! {
    /// The status of an event. Consumed and skipped are final, but for a replay of what was consumed.
    pub enum EventStatus ("an event status") {
        /// Waiting to be reserved.
        Pending = "pending",
        /// Bound to one consumer run.
        Reserved = "reserved",
        /// Its run committed.
        Consumed = "consumed",
        /// A person skipped it.
        Skipped = "skipped",
        /// Its run failed because of it, its runs were lost too often, or its effect may have happened although the ledger says
        /// otherwise: a person puts it back or skips it.
        Parked = "parked",
    }
}

impl EventStatus {
    /// Whether `self → next` may happen. `Reserved → Reserved` is the transfer to a retry run, and `Consumed → Pending` a replay.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Reserved | Self::Skipped | Self::Parked),
            Self::Reserved => true,
            Self::Parked => matches!(next, Self::Pending | Self::Skipped),
            Self::Consumed => matches!(next, Self::Pending),
            Self::Skipped => false,
        }
    }

    /// Why an event in this status is not replayed, and what a person does instead; none if it is consumed.
    #[must_use]
    pub const fn instead_of_replay(self) -> Option<&'static str> {
        match self {
            Self::Pending => Some("it is processed as it is: `run` and `up` do that"),
            Self::Reserved => Some("a run has it: let that end first"),
            Self::Parked => Some("`event … --put-back` lets it be processed again"),
            Self::Skipped => Some("what was skipped stays so: publish it under another id"),
            Self::Consumed => None,
        }
    }

    /// Whether publishing the same message id again replaces the payload. It never changes the status and never makes a second
    /// event: an event that a run has reserved or finished stays as that run saw it.
    #[must_use]
    pub const fn accepts_new_payload(self) -> bool {
        matches!(self, Self::Pending)
    }

    /// Whether the event still causes work.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Reserved)
    }

    /// Whether its status is final: nothing changes it again, but a person who replays a consumed event.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Consumed | Self::Skipped)
    }
}
