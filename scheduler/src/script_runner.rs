//! Calls the parts of a script.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use windlass_core::{Failure, ScriptLimits, ScriptPhase};
use windlass_sandbox::{Call, CallLog, Ending, LogLine, Report, Sandbox};
use windlass_store::{AppendLogs, ClaimedRun, NewLog, Result, SharedStore};

use crate::host::{Buffered, RunHost};
use crate::log_quota::LogQuota;
use crate::progress::{ProgressStep, Reporter};
use crate::registry::Registry;
use crate::script_cache::{LoadedScript, ScriptCache};

/// How often the lines of a call are stored while it runs. Those of a shorter call are stored with its checkpoint.
const APPEND_EVERY: Duration = Duration::from_millis(300);

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
    /// the first attempt is kept but lines that were already stored; its reads may be repeated.
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
            log: CallLog::default(),
        };
        let (is_worth_repeating, end) = self.attempt(run, script, call.clone()).await;
        if !is_worth_repeating {
            return end;
        }
        call.in_fresh_isolate = true;
        call.log = CallLog::default();
        self.attempt(run, script, call).await.1
    }

    /// Why tools that the script may call are not there.
    fn missing_tools(&self, script: &LoadedScript) -> Option<&Failure> {
        script.grant.iter().find_map(|granted| self.registry.missing().get(granted.namespace()))
    }

    /// Reports lines, and returns as many of them as their workflow may log within the hour.
    fn allowed(&self, run: &ClaimedRun, lines: Vec<LogLine>) -> Vec<NewLog> {
        let lines = lines.into_iter().map(new_log).collect();
        let lines = self.log_quota.take(run.claim.workflow, lines, self.limits.log_bytes_per_hour);
        for NewLog { level, message } in &lines {
            let step = ProgressStep::Logged { level: *level, message: message.clone() };
            self.reporter.report(run, step);
        }
        lines
    }

    /// Stores lines of a call that goes on. Returns them if the store did not take them.
    async fn append(&self, run: &ClaimedRun, lines: Vec<NewLog>) -> Vec<NewLog> {
        if lines.is_empty() {
            return lines;
        }
        let params = AppendLogs { claim: run.claim, lines: lines.clone() };
        match self.store.append_logs(params).await {
            Ok(()) => Vec::new(),
            Err(error) => {
                tracing::debug!(run = %run.claim.run, %error, "the log of a running call was not stored, and waits for its checkpoint");
                lines
            }
        }
    }

    /// Waits for the end of a call and stores meanwhile what it logs. Also returns the lines that are left to its checkpoint.
    async fn follow(
        &self,
        run: &ClaimedRun,
        log: &CallLog,
        call: impl Future<Output = Report>,
    ) -> (Report, Vec<NewLog>) {
        let (mut call, mut left) = (pin!(call), Vec::new());
        loop {
            tokio::select! {
                // After a pause of the process both may be ready: the lines of a call that is over belong to its checkpoint.
                biased;
                mut report = &mut call => {
                    left.extend(self.allowed(run, std::mem::take(&mut report.logs)));
                    return (report, left);
                }
                () = tokio::time::sleep(APPEND_EVERY) => {
                    left.extend(self.allowed(run, log.take()));
                    left = self.append(run, left).await;
                }
            }
        }
    }

    /// Makes a call. Also says whether it is worth repeating in a fresh isolate.
    async fn attempt(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        call: Call,
    ) -> (bool, CallEnd) {
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
        let log = call.log.clone();
        let (report, logs) = self.follow(run, &log, self.sandbox.call(call, Arc::new(host))).await;
        let mut buffered = buffered.lock().unwrap_or_else(PoisonError::into_inner);
        let buffered = std::mem::take(&mut *buffered);
        (report.is_worth_repeating, CallEnd { ending: report.ending, logs, buffered })
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
