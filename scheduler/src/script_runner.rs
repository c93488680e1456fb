//! Calls the parts of a script.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use windlass_core::{Failure, ScriptPhase};
use windlass_sandbox::{Call, Ending, LogLine, Report, Sandbox};
use windlass_store::{ClaimedRun, NewLog, Result, SharedStore};

use crate::host::{Buffered, RunHost};
use crate::registry::Registry;
use crate::script_cache::{LoadedScript, ScriptCache};

/// Loads scripts and calls their parts in the sandbox.
pub(crate) struct ScriptRunner {
    pub(crate) store: SharedStore,
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: Arc<Registry>,
    /// How long a call, and each of its reads, may take.
    pub(crate) time_limit: Duration,
    pub(crate) cache: ScriptCache,
}

/// How a call of a script ended, and what it has logged and buffered.
pub(crate) struct CallEnd {
    pub(crate) ending: Ending,
    pub(crate) logs: Vec<NewLog>,
    pub(crate) buffered: Buffered,
}

/// Why a call of a script returned nothing.
pub(crate) enum CallFailure {
    /// It failed.
    Failed(Failure),
    /// This process cancelled it.
    Cancelled,
}

impl ScriptRunner {
    /// The script version of a run.
    pub(crate) async fn load(&self, run: &ClaimedRun) -> Result<LoadedScript> {
        self.cache.get(&self.store, run).await
    }

    /// Calls one part of the script. What it publishes is only buffered.
    ///
    /// A call that found too little memory in a used isolate is made once more in a fresh one, before the script is blamed. Nothing of
    /// the first attempt is kept; its reads may be repeated.
    pub(crate) async fn call(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        phase: ScriptPhase,
        arguments: Vec<Value>,
    ) -> CallEnd {
        let mut call = Call {
            script: script.script.clone(),
            workspace: Some(run.claim.workspace),
            phase,
            handler: run.handler.clone(),
            arguments,
            in_fresh_isolate: false,
        };
        let (report, buffered) = self.attempt(run, script, call.clone()).await;
        if !report.is_worth_repeating {
            return CallEnd::new(report, buffered);
        }
        call.in_fresh_isolate = true;
        let (report, buffered) = self.attempt(run, script, call).await;
        CallEnd::new(report, buffered)
    }

    async fn attempt(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        call: Call,
    ) -> (Report, Buffered) {
        let buffered = Arc::new(Mutex::new(Buffered::default()));
        let host = RunHost {
            store: Arc::clone(&self.store),
            registry: Arc::clone(&self.registry),
            run: Arc::new(run.clone()),
            manifest: Arc::clone(&script.manifest),
            grant: Arc::clone(&script.grant),
            phase: call.phase,
            time_limit: self.time_limit,
            buffered: Arc::clone(&buffered),
        };
        let report = self.sandbox.call(call, Arc::new(host)).await;
        let mut buffered = buffered.lock().unwrap_or_else(PoisonError::into_inner);
        (report, std::mem::take(&mut *buffered))
    }
}

impl CallEnd {
    fn new(report: Report, buffered: Buffered) -> Self {
        let Report { ending, logs, is_worth_repeating: _ } = report;
        Self { ending, logs: logs.into_iter().map(new_log).collect(), buffered }
    }

    /// What the call returned; `None` is JavaScript's `undefined`.
    pub(crate) fn returned(&self) -> std::result::Result<Option<Value>, CallFailure> {
        match &self.ending {
            Ending::Returned(value) => Ok(value.clone()),
            Ending::Cancelled => Err(CallFailure::Cancelled),
            Ending::Failed(failure) => Err(CallFailure::Failed(failure.clone())),
            Ending::Mutation(call) => Err(CallFailure::Failed(Failure::internal(format!(
                "the sandbox let `{}.{}` through",
                call.namespace, call.method
            )))),
        }
    }
}

fn new_log(line: LogLine) -> NewLog {
    NewLog { level: line.level, message: line.message }
}
