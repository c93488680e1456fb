//! Why a run does not continue.

use windlass_core::{EventId, Failure, Phase, Status};
use windlass_store::{ClaimedRun, NewLog, StoreError};

use crate::script_cache::LoadedScript;
use crate::script_runner::{CallEnd, CallFailure};

/// Why a run does not continue.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed in a phase. That has yet to be written.
    Failed(FailedPhase),
    /// It stopped, and that is written.
    Stopped { status: Status, failure: Failure },
    /// This process gives it up without writing anything. Its lease ends, and it is recovered.
    Abandoned,
    /// The store refuses to continue.
    Store(StoreError),
}

/// What is written of a failure that stops a run.
#[derive(Debug)]
pub(super) struct FailedPhase {
    /// The phase that failed; none where the stored state says how far the run came.
    pub(super) entered: Option<Phase>,
    pub(super) failure: Failure,
    /// The events that the failed call was given.
    pub(super) seen: Vec<EventId>,
    pub(super) logs: Vec<NewLog>,
}

impl From<Failure> for FailedPhase {
    fn from(failure: Failure) -> Self {
        Self { entered: None, failure, seen: Vec::new(), logs: Vec::new() }
    }
}

impl FailedPhase {
    /// No call of the script failed, but the phase could not be entered.
    pub(super) fn at(phase: Phase, failure: Failure) -> Self {
        Self { entered: Some(phase), ..failure.into() }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A call of the script returned nothing in the phase `entered`.
pub(super) fn failed_in(entered: Phase, failure: CallFailure, call: &CallEnd) -> Stop {
    match failure {
        CallFailure::Failed(failure) => call_failed(entered, failure, call),
        CallFailure::Cancelled => Stop::Abandoned,
    }
}

/// What a call of the script returned cannot be used.
pub(super) fn call_failed(entered: Phase, failure: Failure, call: &CallEnd) -> Stop {
    Stop::Failed(FailedPhase {
        entered: Some(entered),
        failure,
        seen: call.buffered.seen.clone(),
        logs: call.logs.clone(),
    })
}

/// The script of a run does not have its handler.
pub(super) fn missing_handler(run: &ClaimedRun, script: &LoadedScript) -> Stop {
    let (kind, name, file) = (run.state.kind, &run.handler, &script.script.name);
    let failure = Failure::logic(format!(
        "`{file}` has no {kind} `{name}`, which has a run to finish: deploy a version that has it"
    ));
    Stop::Failed(FailedPhase::at(run.state.phase, failure))
}
