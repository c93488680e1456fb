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
    pub(crate) async fn call(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        phase: ScriptPhase,
        arguments: Vec<Value>,
    ) -> CallEnd {
        let buffered = Arc::new(Mutex::new(Buffered::default()));
        let host = RunHost {
            store: Arc::clone(&self.store),
            registry: Arc::clone(&self.registry),
            run: Arc::new(run.clone()),
            manifest: Arc::clone(&script.manifest),
            grant: Arc::clone(&script.grant),
            phase,
            time_limit: self.time_limit,
            buffered: Arc::clone(&buffered),
        };
        let call =
            Call { script: script.script.clone(), phase, handler: run.handler.clone(), arguments };
        let Report { ending, logs } = self.sandbox.call(call, Arc::new(host)).await;
        let buffered =
            std::mem::take(&mut *buffered.lock().unwrap_or_else(PoisonError::into_inner));
        CallEnd { ending, logs: logs.into_iter().map(new_log).collect(), buffered }
    }
}

impl CallEnd {
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
