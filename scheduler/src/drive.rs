//! Executes a claimed run: takes it through its phases, with a checkpoint after each.

mod consumer;
mod mutation;
mod node;
mod prepared;
mod stop;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::Instrument as _;
use windlass_core::{HandlerKind, Phase, ScriptPhase, Status, WorkerId};
use windlass_store::{
    ClaimedRun, CommitProducer, Committed, EndedRuns, FollowUp, SharedStore, StopRun, StoreError,
};

pub(crate) use self::mutation::MutationExecutor;
use self::stop::{FailedPhase, Stop, failed_in, missing_handler};
use crate::boot_instant::BootInstant;
use crate::panic::guarded;
use crate::persist::persist;
use crate::progress::{ProgressStep, Reporter};
use crate::registry::Registry;
use crate::script_cache::LoadedScript;
use crate::script_runner::ScriptRunner;
use crate::slots::RunSlots;
use crate::store_failure::store_failure;

/// Executes runs.
pub(crate) struct RunDriver {
    pub(crate) store: SharedStore,
    pub(crate) scripts: ScriptRunner,
    /// What nodes of graphs may call.
    pub(crate) registry: Arc<Registry>,
    pub(crate) mutations: MutationExecutor,
    pub(crate) follow_ups: FollowUps,
    pub(crate) reporter: Reporter,
    pub(crate) ended: EndedCounts,
}

/// When a worker continues with a workflow's next run, and for how long it claims it.
pub(crate) struct FollowUps {
    pub(crate) slots: RunSlots,
    pub(crate) worker: WorkerId,
    /// The length of the lease.
    pub(crate) lease: Duration,
}

impl FollowUps {
    /// The claim of the next run, if this worker may continue with it.
    fn claim(&self) -> Option<FollowUp> {
        let follow_up = || FollowUp { worker: self.worker, lease: self.lease };
        self.slots.may_follow_up().then(follow_up)
    }
}

/// How many runs a worker has ended.
#[derive(Debug, Default)]
pub(crate) struct EndedCounts {
    done: AtomicU64,
    failed: AtomicU64,
}

impl EndedCounts {
    /// The counts so far.
    pub(crate) fn so_far(&self) -> EndedRuns {
        let [done, failed] = [&self.done, &self.failed].map(|count| count.load(Ordering::Relaxed));
        EndedRuns { done, failed }
    }
}

/// The workflow's next run, claimed in the transaction that committed the one before.
#[derive(Debug)]
pub(crate) struct FollowUpRun {
    pub(crate) run: ClaimedRun,
    /// An instant before the claim, from which the lease is counted.
    pub(crate) claimed_after: BootInstant,
}

impl RunDriver {
    /// Executes a run to its end. Returns the workflow's next run if this worker claimed it with the commit. What is logged meanwhile
    /// has the names of workflow and handler.
    pub(crate) async fn drive(&self, run: ClaimedRun) -> Result<Option<FollowUpRun>, StoreError> {
        // As important as the most important entry, so that no level leaves the names out.
        let span = tracing::error_span!("run", workflow = %run.workflow_name, handler = %run.handler, id = %run.claim.run);
        Box::pin(self.execute(run)).instrument(span).await
    }

    async fn execute(&self, run: ClaimedRun) -> Result<Option<FollowUpRun>, StoreError> {
        let ended = match guarded("the worker", self.phases(&run)).await {
            Ok(Err(Stop::Failed(failed))) => self.stop(&run, failed).await,
            Ok(other) => other,
            // The stored state says how far it came. An effect that has begun is in doubt.
            Err(failure) => self.stop(&run, failure.into()).await,
        };
        let ended = match ended {
            Err(Stop::Store(error)) if !matches!(error, StoreError::ClaimLost { .. }) => {
                // Otherwise the run would be recovered and tried again for ever once its lease has ended.
                let failure = store_failure("the store refused to continue the run", &error);
                self.stop(&run, failure.into()).await
            }
            ended => ended,
        };
        let (step, ended) = match ended {
            Ok(follow_up) => {
                self.ended.done.fetch_add(1, Ordering::Relaxed);
                let step = ProgressStep::Ended { status: Status::Committed, failure: None };
                (step, Ok(follow_up))
            }
            Err(Stop::Stopped { status, failure }) => {
                self.ended.failed.fetch_add(1, Ordering::Relaxed);
                (ProgressStep::Ended { status, failure: Some(failure) }, Ok(None))
            }
            Err(Stop::Store(StoreError::ClaimLost { .. })) => {
                tracing::warn!("another worker has taken the run over: this worker drops it");
                (ProgressStep::Dropped, Ok(None))
            }
            Err(Stop::Failed(_) | Stop::Abandoned) => (ProgressStep::Dropped, Ok(None)),
            Err(Stop::Store(error)) => {
                tracing::error!(%error, "the run was given up");
                (ProgressStep::Dropped, Err(error))
            }
        };
        self.reporter.report(&run, step);
        ended
    }

    async fn phases(&self, run: &ClaimedRun) -> Result<Option<FollowUpRun>, Stop> {
        let script = async || persist(|| self.scripts.load(run)).await;
        match run.state.kind {
            HandlerKind::Producer => self.producer(run, &script().await?).await,
            HandlerKind::Consumer => self.consumer(run, &script().await?).await,
            HandlerKind::Node => self.node(run).await,
        }
    }

    async fn producer(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
    ) -> Result<Option<FollowUpRun>, Stop> {
        let entered = Phase::Executing;
        self.reporter.report(run, ProgressStep::Entered(entered));
        if !script.manifest.producers.contains_key(&run.handler) {
            return Err(missing_handler(run, script));
        }
        let arguments = run.input_state.clone().into_iter().collect();
        let call = self.scripts.call(run, script, ScriptPhase::Producer, arguments).await;
        let state = call.returned().map_err(|failure| failed_in(entered, failure, &call))?;
        let params = CommitProducer {
            claim: run.claim,
            state,
            inputs: call.buffered.inputs,
            events: call.buffered.events,
            logs: call.logs,
            follow_up: self.follow_ups.claim(),
        };
        commit(|| self.store.commit_producer(params.clone())).await
    }

    async fn stop(
        &self,
        run: &ClaimedRun,
        failed: FailedPhase,
    ) -> Result<Option<FollowUpRun>, Stop> {
        let FailedPhase { entered, failure, seen, logs } = failed;
        let failure = failure.cropped();
        let params = StopRun { claim: run.claim, entered, failure: failure.clone(), seen, logs };
        persist(|| self.store.stop_run(params.clone())).await?;
        Err(Stop::Stopped { status: failure.class.stopped_status(), failure })
    }
}

/// Commits a run.
async fn commit<F: Future<Output = windlass_store::Result<Committed>>>(
    mut operation: impl FnMut() -> F,
) -> Result<Option<FollowUpRun>, Stop> {
    let mut claimed_after = BootInstant::now();
    let committed = persist(|| {
        claimed_after = BootInstant::now();
        operation()
    })
    .await?;
    Ok(committed.follow_up.map(|run| FollowUpRun { run, claimed_after }))
}
