//! What a transition changes, as data.

use std::time::Duration;

use super::RunState;
use crate::blame::Blame;
use crate::failure::Failure;
use crate::session::SessionResult;

/// What happens to the events that a run has reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservations {
    /// They stay reserved by this run.
    Keep,
    /// They are pending again, with one more attempt counted.
    Release {
        /// What the stop is blamed on. Where nothing was reserved, it is blamed on the events that `prepare` was given.
        blame: Blame,
    },
    /// They are done.
    Consume,
    /// They are skipped without being processed.
    Skip,
}

/// What happens to the workflow's pending retry, the run that must continue before any other run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingRetry {
    /// It stays as it is.
    Keep,
    /// This run must continue first.
    Set,
    /// No run has to continue first.
    Clear,
}

/// How the workflow changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowChange {
    /// Nothing changes.
    Keep,
    /// What blocked it is settled, and it continues.
    Unblock,
    /// It waits for this long.
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
    /// How the workflow itself changes.
    pub workflow: WorkflowChange,
    /// The end of the session, where it ends.
    pub session: Option<SessionResult>,
}

impl Changes {
    /// The same changes, but a workflow that would continue is blocked by `limit`, the limit that it has reached.
    pub fn blocked_by(self, limit: Option<Failure>) -> Self {
        match (limit, &self.workflow) {
            (Some(limit), WorkflowChange::Keep | WorkflowChange::Unblock) => {
                Self { workflow: WorkflowChange::Block(limit), ..self }
            }
            _ => self,
        }
    }

    /// Only the run changes.
    pub(super) const fn only(run: RunState) -> Self {
        Self {
            run,
            reservations: Reservations::Keep,
            pending_retry: PendingRetry::Keep,
            workflow: WorkflowChange::Keep,
            session: None,
        }
    }
}
