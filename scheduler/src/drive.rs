//! The loop that drives a claimed run through its phases, each one checkpointed before the next begins.

mod consumer;
mod mutation;
mod prepared;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use windlass_core::{
    Failure, HandlerKind, Phase, Policy, Prices, ScriptPhase, Status, WorkerId, error_chain,
};
use windlass_sandbox::{Call, Ending, LogLine, Report, Sandbox};
use windlass_store::{
    ClaimedRun, CommitProducer, Committed, EndedRuns, FollowUp, NewLog, SharedStore, StopRun,
    StoreError,
};

use crate::engine::MutationMode;
use crate::host::{Buffered, RunHost};
use crate::lease::Held;
use crate::moment::Moment;
use crate::panic::guarded;
use crate::persist::persist;
use crate::progress::{Observer, Progress, ProgressStep};
use crate::registry::Registry;
use crate::scripts::{LoadedScript, Scripts};

/// Everything that driving a run needs.
pub(crate) struct Driver {
    pub(crate) store: SharedStore,
    pub(crate) sandbox: Sandbox,
    pub(crate) registry: Arc<Registry>,
    pub(crate) policy: Policy,
    pub(crate) prices: Prices,
    pub(crate) worker: WorkerId,
    /// What it has ended.
    pub(crate) ended: Arc<EndedCounts>,
    pub(crate) scripts: Scripts,
    /// One permit for each run that this worker may drive at a time.
    pub(crate) slots: Arc<Semaphore>,
    /// The runs that this worker drives, and how long it trusts their leases.
    pub(crate) held: Arc<Held>,
    /// What becomes of mutations.
    pub(crate) mutation_mode: MutationMode,
    /// One permit for each effect that this worker may look up at a time.
    pub(crate) lookups: Arc<Semaphore>,
    /// Cancelled when no new run may be begun.
    pub(crate) stopping: CancellationToken,
    pub(crate) observer: Option<Observer>,
}

/// How many runs a worker has ended.
#[derive(Debug, Default)]
pub(crate) struct EndedCounts {
    done: AtomicU64,
    failed: AtomicU64,
}

impl EndedCounts {
    pub(crate) fn so_far(&self) -> EndedRuns {
        let [done, failed] = [&self.done, &self.failed].map(|count| count.load(Ordering::Relaxed));
        EndedRuns { done, failed }
    }
}

/// The workflow's next run, taken with the commit of the one before.
#[derive(Debug)]
pub(crate) struct FollowUpRun {
    pub(crate) run: ClaimedRun,
    /// An instant before the claim: the lease is not trusted for longer than counted from here.
    pub(crate) claimed_after: Moment,
}

/// Why a run does not go on.
#[derive(Debug)]
enum Stop {
    /// It failed in a phase; that has yet to be written.
    Failed { entered: Phase, failure: Failure, logs: Vec<NewLog> },
    /// It stopped, and that is written.
    Stopped { status: Status, failure: Failure },
    /// This process gives it up as it is. Its lease ends, and it is recovered.
    Abandoned,
    /// The store refuses to go on.
    Store(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Driver {
    /// Drives a run to its end. Returns the workflow's next run where this worker took it in the same transaction.
    pub(crate) async fn drive(&self, run: ClaimedRun) -> Result<Option<FollowUpRun>, StoreError> {
        let ended = match guarded("the worker", self.phases(&run)).await {
            Ok(Err(Stop::Failed { entered, failure, logs })) => {
                self.stop(&run, Some(entered), failure, logs).await
            }
            Ok(other) => other,
            // How far it came is what is stored, and an effect under way is in doubt.
            Err(failure) => self.stop(&run, None, failure, Vec::new()).await,
        };
        let ended = match ended {
            Err(Stop::Store(error)) if !matches!(error, StoreError::ClaimLost { .. }) => {
                // Left alone, the run would be tried again for ever once its lease has ended.
                let failure = Failure::internal(format!(
                    "the store refused to go on: {}",
                    error_chain(&error)
                ));
                self.stop(&run, None, failure, Vec::new()).await
            }
            ended => ended,
        };
        match ended {
            Ok(follow_up) => {
                self.ended.done.fetch_add(1, Ordering::Relaxed);
                self.tell(&run, ProgressStep::Ended { status: Status::Committed, failure: None });
                Ok(follow_up)
            }
            Err(Stop::Stopped { status, failure }) => {
                self.ended.failed.fetch_add(1, Ordering::Relaxed);
                self.tell(&run, ProgressStep::Ended { status, failure: Some(failure) });
                Ok(None)
            }
            Err(Stop::Store(StoreError::ClaimLost { run })) => {
                tracing::warn!(%run, "the run was taken over: what this worker knows of it no longer counts");
                Ok(None)
            }
            Err(Stop::Failed { .. } | Stop::Abandoned) => Ok(None),
            Err(Stop::Store(error)) => Err(error),
        }
    }

    async fn phases(&self, run: &ClaimedRun) -> Result<Option<FollowUpRun>, Stop> {
        let script = persist(|| self.scripts.get(&self.store, run)).await?;
        match run.state.kind {
            HandlerKind::Producer => self.producer(run, &script).await,
            HandlerKind::Consumer => self.consumer(run, &script).await,
            HandlerKind::Node | HandlerKind::Step => Err(Stop::Failed {
                entered: run.state.phase,
                failure: Failure::internal(format!(
                    "this worker does not know how to run a {}",
                    run.state.kind
                )),
                logs: Vec::new(),
            }),
        }
    }

    async fn producer(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
    ) -> Result<Option<FollowUpRun>, Stop> {
        let entered = Phase::Executing;
        self.tell(run, ProgressStep::Entered(entered));
        if !script.manifest.producers.contains_key(&run.handler) {
            return Err(missing_handler(run, script));
        }
        let arguments = run.input_state.clone().into_iter().collect();
        let done = self.call(run, script, ScriptPhase::Producer, arguments).await;
        let state = done.returned(entered)?;
        let params = CommitProducer {
            claim: run.claim,
            state,
            inputs: done.buffered.inputs,
            events: done.buffered.events,
            logs: done.logs,
            follow_up: self.follow_up(),
        };
        commit(|| self.store.commit_producer(params.clone())).await
    }

    /// Calls one part of the script; what it published is only buffered.
    async fn call(
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
            run: run.clone(),
            manifest: Arc::clone(&script.manifest),
            grant: Arc::clone(&script.grant),
            phase,
            time_limit: self.policy.script.wall_time(),
            buffered: Arc::clone(&buffered),
        };
        let call =
            Call { script: script.script.clone(), phase, handler: run.handler.clone(), arguments };
        let Report { ending, logs } = self.sandbox.call(call, Arc::new(host)).await;
        let buffered =
            std::mem::take(&mut *buffered.lock().unwrap_or_else(PoisonError::into_inner));
        CallEnd { ending, logs: logs.into_iter().map(new_log).collect(), buffered }
    }

    async fn stop(
        &self,
        run: &ClaimedRun,
        entered: Option<Phase>,
        failure: Failure,
        logs: Vec<NewLog>,
    ) -> Result<Option<FollowUpRun>, Stop> {
        let params = StopRun { claim: run.claim, entered, failure: failure.clone(), logs };
        persist(|| self.store.stop_run(params.clone())).await?;
        Err(Stop::Stopped { status: failure.class.stopped_status(), failure })
    }

    /// This worker goes on with the workflow's next run only while other slots are free: then nobody waits for this one.
    fn follow_up(&self) -> Option<FollowUp> {
        let fair = self.slots.available_permits() > 0 && !self.stopping.is_cancelled();
        fair.then(|| FollowUp { worker: self.worker, lease: self.policy.lease.duration() })
    }

    fn tell(&self, run: &ClaimedRun, step: ProgressStep) {
        let Some(observer) = &self.observer else { return };
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

/// Commits a run.
async fn commit<F: Future<Output = windlass_store::Result<Committed>>>(
    mut operation: impl FnMut() -> F,
) -> Result<Option<FollowUpRun>, Stop> {
    let mut claimed_after = Moment::now();
    let committed = persist(|| {
        claimed_after = Moment::now();
        operation()
    })
    .await?;
    Ok(committed.follow_up.map(|run| FollowUpRun { run, claimed_after }))
}

/// How a call of the script ended, and what it left.
struct CallEnd {
    ending: Ending,
    logs: Vec<NewLog>,
    buffered: Buffered,
}

impl CallEnd {
    /// What the call returned; anything else ends the run.
    fn returned(&self, entered: Phase) -> Result<Option<Value>, Stop> {
        let failure = match &self.ending {
            Ending::Returned(value) => return Ok(value.clone()),
            Ending::Cancelled => return Err(Stop::Abandoned),
            Ending::Failed(failure) => failure.clone(),
            Ending::Mutation(call) => Failure::internal(format!(
                "the sandbox let `{}.{}` through",
                call.namespace, call.method
            )),
        };
        Err(Stop::Failed { entered, failure, logs: self.logs.clone() })
    }
}

fn new_log(line: LogLine) -> NewLog {
    NewLog { level: line.level, message: line.message }
}

fn missing_handler(run: &ClaimedRun, script: &LoadedScript) -> Stop {
    let (kind, name, file) = (run.state.kind, &run.handler, &script.script.name);
    let failure = Failure::logic(format!(
        "`{file}` has no {kind} `{name}`, which has a run to finish: deploy a version that has it"
    ));
    Stop::Failed { entered: run.state.phase, failure, logs: Vec::new() }
}
