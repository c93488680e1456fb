//! How a person or a tool settles a doubt, and how a person settles a parked event.

use std::time::Duration;

use serde_json::Value;
use windlass_core::{EventId, LookupResult, MutationId, ResolutionKind, WorkflowId, WorkspaceId};

/// A person settles a doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolveMutation {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The ledger row.
    pub mutation: MutationId,
    /// What the person says.
    pub resolution: Resolution,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// What a person says of a mutation in doubt.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// It did not happen: its events are pending again, and a new run prepares from scratch.
    DidNotHappen,
    /// It happened, and this is what the tool would have answered.
    Happened(Value),
    /// Leave it: its events are skipped, and `next` runs once.
    Skip,
    /// Look it up again, from the first attempt. Refused where the tool cannot.
    TryAgain,
}

impl Resolution {
    /// The same, without the result.
    #[must_use]
    pub const fn kind(&self) -> ResolutionKind {
        match self {
            Self::DidNotHappen => ResolutionKind::DidNotHappen,
            Self::Happened(_) => ResolutionKind::Happened,
            Self::Skip => ResolutionKind::Skip,
            Self::TryAgain => ResolutionKind::TryAgain,
        }
    }
}

/// Takes effects in doubt that are due to be looked up. Each attempt is counted before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLookups {
    /// Those of this workflow instead, due or not: a person waits.
    pub of: Option<(WorkspaceId, WorkflowId)>,
    /// How many at the most.
    pub limit: u32,
    /// How long nobody else looks the same one up.
    pub time: Duration,
}

/// Writes the result of looking an effect up.
#[derive(Debug, Clone, PartialEq)]
pub struct SettleLookup {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The ledger row.
    pub mutation: MutationId,
    /// Which attempt, as [`ClaimLookups`] counted it.
    pub attempt: u32,
    /// What was found.
    pub finding: LookupResult,
}

/// A person decides about a parked event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleEvent {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The event.
    pub event: EventId,
    /// What is done with it.
    pub action: ParkedEventAction,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// What is done with a parked event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkedEventAction {
    /// It is pending again, and the count of its failures begins anew.
    PutBack,
    /// It leaves the queue unprocessed.
    Skip,
}
