//! Calls the parts of a script.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use windlass_core::{Failure, ScriptLimits, ScriptPhase};
use windlass_sandbox::{Call, Ending, LogLine, Report, Sandbox};
use windlass_store::{ClaimedRun, NewLog, Result, SharedStore};

use crate::host::{Buffered, RunHost};
use crate::log_quota::LogQuota;
use crate::progress::{ProgressStep, Reporter};
use crate::registry::Registry;
use crate::script_cache::{LoadedScript, ScriptCache};

/// Loads scripts and calls their parts in the sandbox.
pub(crate) struct ScriptRunner {
    store: SharedStore,
    sandbox: Sandbox,
    registry: Arc<Registry>,
    /// What a call may use. A read may take as long as the whole call.
    limits: ScriptLimits,
    cache: ScriptCache,
    log_quota: LogQuota,
    /// Who is told what scripts log.
    reporter: Reporter,
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
    /// A runner that has loaded and counted nothing yet.
    pub(crate) fn new(
        store: SharedStore,
        sandbox: Sandbox,
        registry: Arc<Registry>,
        limits: ScriptLimits,
        reporter: Reporter,
    ) -> Self {
        let (cache, log_quota) = (ScriptCache::default(), LogQuota::default());
        Self { store, sandbox, registry, limits, cache, log_quota, reporter }
    }

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
        if let Some(failure) = self.missing_tools(script) {
            let ending = Ending::Failed(failure.clone());
            return CallEnd { ending, logs: Vec::new(), buffered: Buffered::default() };
        }
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
            return self.end(run, report, buffered);
        }
        call.in_fresh_isolate = true;
        let (report, buffered) = self.attempt(run, script, call).await;
        self.end(run, report, buffered)
    }

    /// Why tools that the script may call are not there.
    fn missing_tools(&self, script: &LoadedScript) -> Option<&Failure> {
        script.grant.iter().find_map(|granted| self.registry.missing().get(granted.namespace()))
    }

    /// How a call ended. Of its log only as much is kept as its workflow may log within the hour.
    fn end(&self, run: &ClaimedRun, report: Report, buffered: Buffered) -> CallEnd {
        let Report { ending, logs, is_worth_repeating: _ } = report;
        let logs = logs.into_iter().map(new_log).collect();
        let logs = self.log_quota.take(run.claim.workflow, logs, self.limits.log_bytes_per_hour);
        for NewLog { level, message } in &logs {
            let step = ProgressStep::Logged { level: *level, message: message.clone() };
            self.reporter.report(run, step);
        }
        CallEnd { ending, logs, buffered }
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
            limits: self.limits.clone(),
            buffered: Arc::clone(&buffered),
        };
        let report = self.sandbox.call(call, Arc::new(host)).await;
        let mut buffered = buffered.lock().unwrap_or_else(PoisonError::into_inner);
        (report, std::mem::take(&mut *buffered))
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
