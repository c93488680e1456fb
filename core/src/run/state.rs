//! What the state machine knows of a run.

use serde::{Deserialize, Serialize};

use super::{Phase, Status};
use crate::mutation::{MutationStatus, Outcome};
use crate::text::text_enum;

text_enum! {
    /// What a handler run executes.
    pub enum HandlerKind ("a handler kind") {
        /// A poll of the outside world.
        Producer = "producer",
        /// One batch of events.
        Consumer = "consumer",
        /// One attempt at a node of a graph.
        Node = "node",
    }
}

/// What the state machine knows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunState {
    /// What it executes.
    pub kind: HandlerKind,
    /// How far it has come.
    pub phase: Phase,
    /// Whether it is queued or active, and why it stopped.
    pub status: Status,
    /// The outcome of its mutation.
    pub outcome: Option<Outcome>,
    /// The state of its ledger row, where it has one.
    pub mutation: Option<MutationStatus>,
}

impl RunState {
    /// A run that waits for a worker.
    #[must_use]
    pub const fn queued(kind: HandlerKind) -> Self {
        Self { kind, phase: Phase::Pending, status: Status::Queued, outcome: None, mutation: None }
    }

    /// Whether what became of the effect is settled, and the run may only continue: it happened, it was skipped, or it was refused and
    /// the consumer goes on with that.
    #[must_use]
    pub const fn is_post_mutation(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Success | Outcome::Skipped | Outcome::Refused))
    }

    /// Whether it is unknown if the effect happened.
    #[must_use]
    pub const fn is_uncertain(&self) -> bool {
        matches!(self.mutation, Some(mutation) if mutation.is_uncertain())
    }
}
