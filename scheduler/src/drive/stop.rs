//! Why a run does not continue.

use windlass_core::{EventId, Failure, Phase, Status};
use windlass_store::{ClaimedRun, NewLog, StoreError};

use crate::script_cache::LoadedScript;
use crate::script_runner::{CallEnd, CallFailure};

/// Why a run does not continue.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed in a phase. That has yet to be written.
    Failed {
        entered: Phase,
        failure: Failure,
        /// The events that the failed call was given.
        seen: Vec<EventId>,
        logs: Vec<NewLog>,
    },
    /// It stopped, and that is written.
    Stopped { status: Status, failure: Failure },
    /// This process gives it up without writing anything. Its lease ends, and it is recovered.
    Abandoned,
    /// The store refuses to continue.
    Store(StoreError),
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
    Stop::Failed { entered, failure, seen: call.buffered.seen.clone(), logs: call.logs.clone() }
}

/// The script of a run does not have its handler.
pub(super) fn missing_handler(run: &ClaimedRun, script: &LoadedScript) -> Stop {
    let (kind, name, file) = (run.state.kind, &run.handler, &script.script.name);
    let failure = Failure::logic(format!(
        "`{file}` has no {kind} `{name}`, which has a run to finish: deploy a version that has it"
    ));
    Stop::Failed { entered: run.state.phase, failure, seen: Vec::new(), logs: Vec::new() }
}
