//! How a person or a tool settles a doubt, and what a person does with events.

use std::time::Duration;

use serde_json::Value;
use windlass_core::{
    EventId, EventStatus, InputId, LookupResult, MutationId, ResolutionKind, WorkflowId,
    WorkspaceId,
};

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

/// A person puts a parked event back, or skips an event that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleEvent {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The event.
    pub event: EventId,
    /// What is done with it.
    pub action: EventAction,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// A person does the same with several events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleEvents {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Which events. Those that the action is not for are left as they are.
    pub selection: EventSelection,
    /// What is done with them.
    pub action: EventAction,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// Several events of one workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSelection {
    /// Those that are parked for the same reason as this one.
    SameReason(EventId),
    /// Those that this input caused.
    Input(InputId),
    /// All that are parked, but those of an effect of which something was learned late: it may have happened.
    Parked(WorkflowId),
    /// All of a topic.
    Topic(WorkflowId, String),
}

impl std::fmt::Display for EventSelection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SameReason(event) => write!(f, "parked for the same reason as {event}"),
            Self::Input(input) => write!(f, "caused by {input}"),
            Self::Parked(_) => f.write_str("parked"),
            Self::Topic(_, topic) => write!(f, "of topic {topic}"),
        }
    }
}

/// What is done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAction {
    /// A parked event is pending again, as if nothing had gone wrong with it.
    PutBack,
    /// It leaves the queue unprocessed. A run that has reserved it is stopped, as long as it has not come to its effect.
    Skip,
}

impl EventAction {
    /// The status that it gives an event.
    pub(crate) const fn status(self) -> EventStatus {
        match self {
            Self::PutBack => EventStatus::Pending,
            Self::Skip => EventStatus::Skipped,
        }
    }

    /// Whether it is for events in this status. A reserved event is skipped only if its run can be stopped before its effect.
    pub(crate) const fn fits(self, status: EventStatus) -> bool {
        match self {
            Self::PutBack => matches!(status, EventStatus::Parked),
            Self::Skip => {
                matches!(status, EventStatus::Pending | EventStatus::Reserved | EventStatus::Parked)
            }
        }
    }

    /// What the journal calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::PutBack => "event.put_back",
            Self::Skip => "event.skipped",
        }
    }
}
