//! What an engine tells of its work while it works.

use std::sync::Arc;

use windlass_core::{Failure, HandlerKind, Phase, RunId, SessionId, Status, WorkflowId};

/// One step of the work, for people who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The workflow.
    pub workflow: WorkflowId,
    /// Its name.
    pub workflow_name: String,
    /// The session.
    pub session: SessionId,
    /// The run.
    pub run: RunId,
    /// Producer or consumer.
    pub kind: HandlerKind,
    /// Which one.
    pub handler: String,
    /// What happened.
    pub step: ProgressStep,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressStep {
    /// It entered this phase.
    Entered(Phase),
    /// Its mutation is about to leave: the tool, and what the script says it is.
    Mutating {
        /// `namespace.method`.
        tool: String,
        /// The script's words.
        title: String,
    },
    /// It ended.
    Ended {
        /// How.
        status: Status,
        /// Why it stopped, where it did.
        failure: Option<Failure>,
    },
}

/// Hears of progress. It is called between the steps of a run and must not block.
pub type Observer = Arc<dyn Fn(Progress) + Send + Sync>;
