//! What a transition changes, as data.

use std::time::Duration;

use super::RunState;
use crate::failure::Failure;
use crate::session::SessionResult;

/// What becomes of the events that a run has reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservations {
    /// They stay reserved by this run.
    Keep,
    /// They are pending again, with one more attempt counted.
    Release {
        /// Whether the stop may be their fault. An event that is blamed too often is parked.
        blames: bool,
    },
    /// They are done.
    Consume,
    /// They leave the queue unprocessed.
    Skip,
}

/// What becomes of the workflow's mark "this run must go forward before anything else happens".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingRetry {
    /// As it was.
    Keep,
    /// This run is marked.
    Set,
    /// No run is marked.
    Clear,
}

/// What becomes of the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowChange {
    /// Nothing changes.
    Keep,
    /// It may go on; what blocked it is settled.
    Unblock,
    /// It waits for so long.
    BackOff(Duration),
    /// It waits until an effect in doubt has been looked up; nobody has to act yet.
    LookUp(Failure),
    /// It waits until its script is repaired.
    Maintenance(Failure),
    /// It waits for a person.
    Block(Failure),
}

/// Everything that one transition changes, to be written in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Changes {
    /// The run afterwards.
    pub run: RunState,
    /// Its reserved events.
    pub reservations: Reservations,
    /// The workflow's pending retry.
    pub pending_retry: PendingRetry,
    /// The workflow itself.
    pub hold: WorkflowChange,
    /// The end of the session, where it ends.
    pub session: Option<SessionResult>,
}

impl Changes {
    /// The same, but a workflow that would go on is held by `limit`, the limit that it has reached.
    pub fn held_by(self, limit: Option<Failure>) -> Self {
        match (limit, &self.hold) {
            (Some(limit), WorkflowChange::Keep | WorkflowChange::Unblock) => {
                Self { hold: WorkflowChange::Block(limit), ..self }
            }
            _ => self,
        }
    }

    /// The run changes, and nothing else.
    pub(super) const fn only(run: RunState) -> Self {
        Self {
            run,
            reservations: Reservations::Keep,
            pending_retry: PendingRetry::Keep,
            hold: WorkflowChange::Keep,
            session: None,
        }
    }
}
