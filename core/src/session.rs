//! Sessions: a bounded number of handler runs that follow one another, or one run of a graph.

use crate::text::text_enum;

text_enum! {
    /// What a session is.
    pub enum SessionKind ("a kind of session") {
        /// Runs of a script's handlers.
        Workflow = "workflow",
        /// A run of a plan.
        Plan = "plan",
        /// A card's run in a stage.
        Stage = "stage",
        /// An execution that an agent records in the journal.
        Journal = "journal",
    }
}

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
        /// A run stopped, or a node failed, and the session with it.
        Failed = "failed",
        /// Somebody cancelled it or replaced it. Only a run of a graph ends so.
        Cancelled = "cancelled",
    }
}
