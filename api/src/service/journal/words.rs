//! The words of the journal, and what they are in the words of graphs.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use windlass_core::graph::{Cancellability, GraphStatus, NodeStatus};

/// How far an execution has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// It is under way.
    Running,
    /// Each step is done.
    Completed,
    /// A step failed.
    Failed,
    /// The agent stopped it.
    Cancelled,
}

impl ExecutionStatus {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub(super) const fn of(status: GraphStatus) -> Self {
        match status {
            GraphStatus::Running | GraphStatus::AwaitingHuman | GraphStatus::Blocked => {
                Self::Running
            }
            GraphStatus::Completed => Self::Completed,
            GraphStatus::Failed => Self::Failed,
            GraphStatus::Aborted => Self::Cancelled,
        }
    }

    pub(super) const fn graph_statuses(self) -> &'static [GraphStatus] {
        match self {
            Self::Running => {
                &[GraphStatus::Running, GraphStatus::AwaitingHuman, GraphStatus::Blocked]
            }
            Self::Completed => &[GraphStatus::Completed],
            Self::Failed => &[GraphStatus::Failed],
            Self::Cancelled => &[GraphStatus::Aborted],
        }
    }
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It is not begun.
    Pending,
    /// The agent is at it.
    Running,
    /// It is done.
    Completed,
    /// It failed.
    Failed,
    /// Its execution was stopped before it was done.
    Cancelled,
}

impl StepStatus {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// A failure ends an execution. The steps after it were never given up by anybody: they are pending.
    pub(super) const fn of(node: NodeStatus, execution: ExecutionStatus) -> Self {
        match node {
            NodeStatus::Pending
            | NodeStatus::Ready
            | NodeStatus::Blocked
            | NodeStatus::AwaitingHuman => Self::Pending,
            NodeStatus::Running => Self::Running,
            NodeStatus::Completed | NodeStatus::Partial => Self::Completed,
            NodeStatus::Failed => Self::Failed,
            NodeStatus::Skipped => Self::Cancelled,
            NodeStatus::Cancelled => match execution {
                ExecutionStatus::Failed => Self::Pending,
                ExecutionStatus::Running
                | ExecutionStatus::Completed
                | ExecutionStatus::Cancelled => Self::Cancelled,
            },
        }
    }
}

/// The schema of [`Cancellability`].
pub(super) fn cancellabilities(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = Cancellability::ALL.iter().map(|it| it.as_str()).collect();
    json_schema!({ "type": "string", "enum": words })
}

/// A step whose author does not say how far it can be undone cannot be undone: nothing else is safe.
pub(super) const fn irreversible() -> Cancellability {
    Cancellability::Irreversible
}
