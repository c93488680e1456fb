//! Sessions: a bounded number of handler runs that follow one another.

use crate::text::text_enum;

text_enum! {
    /// Why a session began.
    pub enum Trigger ("a trigger") {
        /// A producer's schedule or a consumer's `wakeAt` was due.
        Schedule = "schedule",
        /// A person asked.
        Manual = "manual",
        /// A consumer had work.
        Event = "event",
        /// A run is continued after its effect.
        Retry = "retry",
    }
}

text_enum! {
    /// How a session ended.
    pub enum SessionResult ("a session result") {
        /// Its runs committed.
        Completed = "completed",
        /// A run stopped, and the session with it.
        Failed = "failed",
    }
}
