//! What kind of program a workflow has.

use crate::session::SessionKind;
use crate::text::text_enum;

text_enum! {
    /// What kind of program a workflow has.
    pub enum WorkflowKind ("a kind of workflow") {
        /// A script.
        Script = "script",
        /// The graph of a plan. The workflow is the plan's workstream.
        Plan = "plan",
        /// The recipes of the stages that a card passes.
        Card = "card",
        /// A recorded plan: an agent does its steps, and the journal keeps what became of them.
        Journal = "journal",
    }
}

impl WorkflowKind {
    /// The kind of its sessions.
    #[must_use]
    pub const fn session(self) -> SessionKind {
        match self {
            Self::Script => SessionKind::Workflow,
            Self::Plan => SessionKind::Plan,
            Self::Card => SessionKind::Stage,
            Self::Journal => SessionKind::Journal,
        }
    }

    /// Whether people can pause it: an execution of a recorded plan goes on as its agent goes on.
    #[must_use]
    pub const fn can_pause(self) -> bool {
        !matches!(self, Self::Journal)
    }

    /// Whether its program is a graph.
    #[must_use]
    pub const fn is_graph(self) -> bool {
        !matches!(self, Self::Script)
    }
}
