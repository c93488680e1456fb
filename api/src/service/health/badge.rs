//! A workflow's health in one word.

use serde::Serialize;
use windlass_core::WorkflowStatus;
use windlass_store::WorkflowMarks;

/// A workflow's health in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Badge {
    /// A run is under way.
    Running,
    /// All is well, and nothing has to be done now.
    Idle,
    /// It continues only when a person has settled something.
    NeedsAttention,
    /// It continues when its script is repaired.
    Fixing,
    /// A person stopped it, or never started it.
    Stopped,
}

impl Badge {
    /// All badges.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Idle, Self::NeedsAttention, Self::Fixing, Self::Stopped];

    /// The word for it in JSON and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Idle => "idle",
            Self::NeedsAttention => "needs_attention",
            Self::Fixing => "fixing",
            Self::Stopped => "stopped",
        }
    }

    /// The badge of a workflow of which no more is known: the one that [`judge_health`](super::judge_health) gives it.
    #[must_use]
    pub const fn of(marks: &WorkflowMarks) -> Self {
        if marks.is_asked_about {
            Self::NeedsAttention
        } else if marks.is_looked_up {
            Self::Running
        } else if marks.is_contradicted {
            Self::NeedsAttention
        } else if marks.is_in_maintenance {
            Self::Fixing
        } else if marks.has_error {
            Self::NeedsAttention
        } else if !matches!(marks.status, WorkflowStatus::Active) {
            Self::Stopped
        } else if marks.is_running {
            Self::Running
        } else {
            Self::Idle
        }
    }
}

impl std::fmt::Display for Badge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "Running",
            Self::Idle => "Idle",
            Self::NeedsAttention => "Needs attention",
            Self::Fixing => "Fixing",
            Self::Stopped => "Stopped",
        })
    }
}
