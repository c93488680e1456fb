//! What an engine reports while it works.

use std::sync::Arc;

use windlass_core::{Failure, HandlerKind, LogLevel, Phase, RunId, SessionId, Status, WorkflowId};
use windlass_store::ClaimedRun;

/// One step of a run.
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
    /// The name of the producer or consumer.
    pub handler: String,
    /// What happened.
    pub step: ProgressStep,
}

/// What happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgressStep {
    /// It entered this phase.
    Entered(Phase),
    /// Its mutation is about to be made.
    Mutating {
        /// `namespace.method`.
        tool: String,
        /// The title that the script gave it.
        title: String,
    },
    /// Its script logged a line.
    Logged {
        /// How loud it is.
        level: LogLevel,
        /// The text.
        message: String,
    },
    /// It ended.
    Ended {
        /// How.
        status: Status,
        /// Why it stopped, if it did.
        failure: Option<Failure>,
    },
    /// This worker does no more about it: another one has taken it over, or the store took no end of it.
    Dropped,
}

/// Called for each step of progress, between the steps of a run. It must not block.
pub type Observer = Arc<dyn Fn(Progress) + Send + Sync>;

/// Reports progress to the observer, if there is one.
#[derive(Clone)]
pub(crate) struct Reporter(pub(crate) Option<Observer>);

impl Reporter {
    /// Reports a step of `run`.
    pub(crate) fn report(&self, run: &ClaimedRun, step: ProgressStep) {
        let Some(observer) = &self.0 else { return };
        observer(Progress {
            workflow: run.claim.workflow,
            workflow_name: run.workflow_name.clone(),
            session: run.session,
            run: run.claim.run,
            kind: run.state.kind,
            handler: run.handler.clone(),
            step,
        });
    }
}
