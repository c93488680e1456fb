//! The engine: finds runs that are due, claims them, and executes them until it is told to stop.

mod busy_period;
mod poll;
mod sleep;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windlass_core::{Retention, Status, WorkerId, WorkflowId, WorkflowStatus, WorkspaceId};
use windlass_store::{
    Claim, ClaimScope, EndedLeases, Heartbeat, HeartbeatAnswer, LeaseRenewal, Page, RecoveredRun,
    RunFilter, Session, SharedStore, StartSession, StoreError, WorkerInfo,
};

use self::busy_period::BusyPeriod;
use self::poll::{Poller, Tasks};
use self::sleep::{StoreBackoff, sleep_for, stopped_for_long, wake_up};
use crate::boot_instant::BootInstant;
use crate::clock_watch::{ClockWatch, Reading};
use crate::drive::{EndedCounts, FollowUps, MutationExecutor, RunDriver};
use crate::error::EngineError;
use crate::lease::LeaseTable;
use crate::liveness::{DeadWorker, WorkerLock, find_dead, find_running};
use crate::lookup::BackgroundLookups;
use crate::parts::EngineParts;
use crate::progress::Reporter;
use crate::prune;
use crate::recover::recover;
use crate::script_runner::ScriptRunner;
use crate::slots::RunSlots;

/// How long a shutdown waits for the runs under way.
const SHUTDOWN_TIME: Duration = Duration::from_secs(30);

/// How long a worker tries to deregister. If that fails, its runs are recovered when their leases end.
const DEREGISTER_TIME: Duration = Duration::from_secs(5);

/// A worker: it finds runs that are due, claims them, and executes them.
///
/// Any number of engines may share a store. While nothing is due, an engine sleeps until the next due time or a wake-up from the
/// store, and it asks the store with every heartbeat in any case.
pub struct Engine {
    store: SharedStore,
    poller: Poller,
    slots: RunSlots,
    leases: Arc<LeaseTable>,
    clock: Arc<ClockWatch>,
    /// The length of a lease.
    lease: Duration,
    retention: Retention,
    worker: WorkerInfo,
    workers_dir: Option<PathBuf>,
    _lock: Option<WorkerLock>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("worker", &self.worker).finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes an engine, and locks the file of its worker. Nothing runs yet.
    ///
    /// # Errors
    /// [`EngineError::Liveness`] if the folder of the lock files cannot be used.
    pub fn new(parts: EngineParts) -> Result<Self, EngineError> {
        let workers_dir = parts.workers_dir.as_deref();
        let lock = workers_dir.map(|folder| lock_worker(folder, parts.worker.id)).transpose()?;
        let lease = parts.policy.lease.duration();
        let clock = Arc::new(ClockWatch::new(lease));
        let slots = RunSlots::new(parts.worker.slots);
        let leases = Arc::<LeaseTable>::default();
        let driver = driver(&parts, &slots, &leases);
        let EngineParts { store, registry, policy, worker, workers_dir, .. } = parts;
        let lookups = BackgroundLookups::new(Arc::clone(&store), registry, policy.lookup.timeout());
        let poller = Poller {
            store: Arc::clone(&store),
            driver: Arc::new(driver),
            lookups: Arc::new(lookups),
            slots: slots.clone(),
            leases: Arc::clone(&leases),
            clock: Arc::clone(&clock),
            lease,
            worker: worker.id,
            filter: worker.filter.clone(),
        };
        let retention = policy.retention;
        Ok(Self {
            store,
            poller,
            slots,
            leases,
            clock,
            lease,
            retention,
            worker,
            workers_dir,
            _lock: lock,
        })
    }

    /// Works until `shutdown` is cancelled. Then it begins nothing new and waits up to 30 s for the runs under way. Runs that have not
    /// ended by then are handed back to the store.
    ///
    /// # Errors
    /// [`EngineError`] if the store refuses for a reason that waiting does not help, or on a bug.
    pub async fn serve(&self, shutdown: CancellationToken) -> Result<(), EngineError> {
        self.with_heartbeats(async {
            let mut wake_ups = self.store.wake_ups();
            let mut tasks = Tasks::new();
            let mut backoff = StoreBackoff::default();
            let mut dead_are_recovered = false;
            let mut busy = BusyPeriod::default();
            let mut pruned_at: Option<Instant> = None;
            while !shutdown.is_cancelled() {
                let poll = async {
                    if !dead_are_recovered {
                        self.recover_dead().await?;
                        dead_are_recovered = true;
                    }
                    Ok(self.poller.poll(&mut busy, &mut tasks).await?)
                };
                // A store that does not answer must not keep a worker from stopping.
                let polled = tokio::select! {
                    polled = poll => polled,
                    () = stopped_for_long(&shutdown) => break,
                };
                let sleep = backoff.after(polled)?;
                // It prunes only when it is awake anyway: if nothing happens, no records are added.
                if pruned_at.is_none_or(|at| at.elapsed() >= prune::INTERVAL) {
                    pruned_at = Some(Instant::now());
                    self.spawn_prune(&mut tasks);
                }
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = wake_up(&mut wake_ups, self.slots.free()) => busy.begin(),
                    () = sleep_for(sleep, self.lease) => {}
                    Some(ended) = tasks.join_next() => check(ended)?,
                }
            }
            self.drain(tasks).await
        })
        .await
    }

    /// Does everything that is due now, and what follows from it, and returns when nothing is due any more.
    ///
    /// # Errors
    /// As [`serve`](Self::serve), and any error of the store.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        self.with_heartbeats(async {
            self.recover_dead().await?;
            let (mut busy, mut tasks) = (BusyPeriod::default(), Tasks::new());
            loop {
                let sleep = self.poller.poll(&mut busy, &mut tasks).await?;
                match tasks.join_next().await {
                    Some(ended) => check(ended)?,
                    None if sleep == Some(Duration::ZERO) => {}
                    None => return Ok(()),
                }
            }
        })
        .await
    }

    /// Starts a session of one workflow now and works on it until it ends.
    ///
    /// # Errors
    /// [`EngineError::Store`] if the session is refused, for example because a run is open.
    pub async fn run_session(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        actor: &str,
    ) -> Result<Session, EngineError> {
        self.with_heartbeats(async {
            self.recover_dead().await?;
            self.poller.recover_expired().await?;
            self.settle_doubts(workspace, workflow).await?;
            let mut wake_ups = self.store.wake_ups();
            let started = StartSession { workspace, workflow, actor: actor.to_owned() };
            let session = self.store.start_session(started).await?;
            let mut tasks = Tasks::new();
            loop {
                self.poller.recover_expired().await?;
                let scope = ClaimScope::Workflow(workspace, workflow);
                let claimed = self.poller.claim(scope).await?;
                self.poller.spawn_runs(claimed, &mut tasks);
                let present = self.store.session(workspace, session).await?;
                let is_waiting =
                    tasks.is_empty() && self.waits_for_person(workspace, workflow).await?;
                if present.result.is_some() || is_waiting {
                    return Ok(present);
                }
                tokio::select! {
                    // Another worker may have claimed one of the session's runs, and may be lost with it.
                    () = wake_ups.wait() => {}
                    () = tokio::time::sleep(self.lease / 3) => {}
                    Some(ended) = tasks.join_next() => check(ended)?,
                }
            }
        })
        .await
    }

    /// Looks up the effects of a workflow that are in doubt, before a session depends on them.
    async fn settle_doubts(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<(), EngineError> {
        let mut tasks = Tasks::new();
        self.poller.spawn_lookups(Some((workspace, workflow)), &mut tasks).await?;
        while let Some(ended) = tasks.join_next().await {
            check(ended)?;
        }
        Ok(())
    }

    fn spawn_prune(&self, tasks: &mut Tasks) {
        let (store, slots) = (Arc::clone(&self.store), self.slots.clone());
        let retention = self.retention.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = slots.closed() => {}
                () = prune::prune_if_due(&*store, &retention) => {}
            }
            Ok(())
        });
    }

    /// Whether a person has stopped the workflow, so that its queued run waits for that person.
    async fn waits_for_person(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<bool, StoreError> {
        let found = self.store.find_workflow(workspace, &workflow.to_string()).await?;
        if found.status == WorkflowStatus::Active {
            return Ok(false);
        }
        // If a run is open, it is the newest.
        let newest = RunFilter { workspace, workflow, session: None, page: Page::first(1) };
        Ok(self.store.runs(newest).await?.items.iter().any(|run| run.status == Status::Queued))
    }

    async fn drain(&self, mut tasks: Tasks) -> Result<(), EngineError> {
        self.slots.close();
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                check(ended)?;
            }
            Ok(())
        };
        match tokio::time::timeout(SHUTDOWN_TIME, all).await {
            Ok(result) => result,
            Err(_elapsed) => {
                tracing::warn!(
                    "{} run(s) did not end within {SHUTDOWN_TIME:?} and are handed back",
                    tasks.len()
                );
                Ok(())
            }
        }
    }

    /// Recovers the runs of workers of this machine that died.
    async fn recover_dead(&self) -> Result<(), EngineError> {
        let Some(folder) = &self.workers_dir else { return Ok(()) };
        let dead = find_dead(folder).map_err(|source| liveness_error(folder, source))?;
        if dead.is_empty() {
            return Ok(());
        }
        let workers: Vec<WorkerId> = dead.iter().map(|dead| dead.worker).collect();
        recover(&*self.store, &workers, &EndedLeases::None).await?;
        dead.into_iter()
            .try_for_each(DeadWorker::remove)
            .map_err(|source| liveness_error(folder, source))
    }

    /// Does `work` while the worker sends heartbeats, and deregisters the worker afterwards.
    async fn with_heartbeats<T>(
        &self,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let heartbeats =
            self.leases.send_heartbeats(|claims| self.heartbeat(claims), self.lease, &self.clock);
        let watch = self.leases.watch_long_runs(|claims| self.store.lost_claims(claims));
        let result = tokio::select! {
            result = work => result,
            never = heartbeats => match never {},
            never = watch => match never {},
        };
        self.deregister().await;
        result
    }

    /// Sends one heartbeat.
    async fn heartbeat(&self, claims: Vec<Claim>) -> Result<LeaseRenewal, StoreError> {
        let (asked, clock) = (BootInstant::now(), self.clock.report());
        let heartbeat = Heartbeat {
            worker: self.worker.clone(),
            claims,
            lease: self.lease,
            ended: self.poller.driver.ended.so_far(),
            clock,
        };
        let HeartbeatAnswer { leases, at, clock_stepped_at } =
            self.store.heartbeat(heartbeat).await?;
        let reading = Reading { asked, answered: BootInstant::now(), at };
        self.clock.reported(clock);
        self.clock.observe(reading);
        if let Some(stepped_at) = clock_stepped_at {
            self.clock.learn(stepped_at, reading);
        }
        Ok(leases)
    }

    /// Deregisters the worker. The runs that it still has are handed back, so that they do not wait for the end of their leases.
    async fn deregister(&self) {
        let deregister = self.store.deregister_worker(self.worker.id);
        match tokio::time::timeout(DEREGISTER_TIME, deregister).await {
            Ok(Ok(handed_back)) => {
                for RecoveredRun { run, workflow_name, handler, status } in handed_back {
                    tracing::warn!(workflow = %workflow_name, %handler, %run, %status, "handed a run back that had not ended");
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "could not deregister this worker"),
            Err(_elapsed) => {
                tracing::warn!("the store does not answer that this worker has stopped");
            }
        }
    }
}

/// The running workers of this machine that have a lock file in `folder`.
///
/// # Errors
/// [`EngineError::Liveness`] if the folder cannot be read.
pub fn alive_workers(folder: &Path) -> Result<Vec<WorkerId>, EngineError> {
    find_running(folder).map_err(|source| liveness_error(folder, source))
}

/// What executes the runs that an engine of these parts claims.
fn driver(parts: &EngineParts, slots: &RunSlots, leases: &Arc<LeaseTable>) -> RunDriver {
    let EngineParts { store, sandbox, registry, policy, prices, worker, .. } = parts;
    RunDriver {
        store: Arc::clone(store),
        scripts: ScriptRunner::new(
            Arc::clone(store),
            sandbox.clone(),
            Arc::clone(registry),
            policy.script.clone(),
            Reporter(parts.observer.clone()),
        ),
        registry: Arc::clone(registry),
        mutations: MutationExecutor {
            store: Arc::clone(store),
            mode: parts.mutation_mode,
            prices: prices.clone(),
            leases: Arc::clone(leases),
            call_time_limit: policy.script.wall_time(),
            lookup_time_limit: policy.lookup.timeout(),
        },
        follow_ups: FollowUps {
            slots: slots.clone(),
            worker: worker.id,
            lease: policy.lease.duration(),
        },
        reporter: Reporter(parts.observer.clone()),
        ended: EndedCounts::default(),
    }
}

fn check(ended: Result<Result<(), EngineError>, JoinError>) -> Result<(), EngineError> {
    match ended {
        // It stays as it is until its lease or its time is over, and is then taken over. The task has logged it with its name.
        Ok(Err(EngineError::Store(_))) => Ok(()),
        Ok(result) => result,
        Err(error) => Err(EngineError::Panicked { message: error.to_string() }),
    }
}

fn lock_worker(folder: &Path, worker: WorkerId) -> Result<WorkerLock, EngineError> {
    WorkerLock::create(folder, worker).map_err(|source| liveness_error(folder, source))
}

fn liveness_error(folder: &Path, source: std::io::Error) -> EngineError {
    EngineError::Liveness { folder: folder.display().to_string(), source }
}
