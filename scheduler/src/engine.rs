//! The engine: finds what is due, claims it, and drives it, until it is told to stop.

mod parts;
mod pause;
mod turn;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windlass_core::{Status, WorkerId, WorkflowId, WorkflowStatus, WorkspaceId};
use windlass_store::{
    ClaimedRun, Heartbeat, RunFilter, Session, StartSession, StoreError, WorkerInfo,
};

pub use self::parts::{EngineParts, MutationMode};
use self::pause::{Pause, sleep_for, wake_up};
use self::turn::OnlyClaims;
use crate::drive::{Driver, FollowUpRun};
use crate::error::EngineError;
use crate::liveness::{Alive, Dead, find_alive, find_dead};
use crate::lookup::AT_ONCE;
use crate::moment::Moment;
use crate::prune;
use crate::scripts::Scripts;

/// How long a stop waits for the runs under way.
const GRACE: Duration = Duration::from_secs(30);

/// How long a worker tries to say that it has stopped; without it others find out when its leases end.
const LEAVE: Duration = Duration::from_secs(5);

/// A worker: it finds what is due, claims it, and drives it.
///
/// Any number of engines may share a store. While nothing is due, an engine sleeps until the next due moment or a wake-up
/// from the store, and looks with every heartbeat all the same.
pub struct Engine {
    driver: Arc<Driver>,
    _alive: Option<Alive>,
    workers_dir: Option<PathBuf>,
    worker_info: WorkerInfo,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("worker", &self.worker_info).finish_non_exhaustive()
    }
}

impl Engine {
    /// Makes an engine and declares its worker alive. Nothing runs yet.
    ///
    /// # Errors
    /// [`EngineError::Liveness`] where the folder of the running workers cannot be used.
    pub fn new(parts: EngineParts) -> Result<Self, EngineError> {
        let declare = |folder: &PathBuf| {
            Alive::declare(folder, parts.worker.id).map_err(|source| liveness_error(folder, source))
        };
        let alive = parts.workers_dir.as_ref().map(declare).transpose()?;
        let driver = Driver {
            store: parts.store,
            sandbox: parts.sandbox,
            registry: parts.registry,
            policy: parts.policy,
            prices: parts.prices,
            worker: parts.worker.id,
            ended: Arc::default(),
            scripts: Scripts::default(),
            slots: Arc::new(Semaphore::new(
                usize::try_from(parts.worker.slots).unwrap_or(Semaphore::MAX_PERMITS),
            )),
            held: Arc::default(),
            mutation_mode: parts.mutation_mode,
            lookups: Arc::new(Semaphore::new(AT_ONCE)),
            stopping: CancellationToken::new(),
            observer: parts.observer,
        };
        Ok(Self {
            driver: Arc::new(driver),
            _alive: alive,
            workers_dir: parts.workers_dir,
            worker_info: parts.worker,
        })
    }

    /// Works until `shutdown` is cancelled, then begins nothing new and waits up to 30 s for the runs under way. What is not
    /// done by then is recovered by whoever comes next.
    ///
    /// # Errors
    /// [`EngineError`] where the store refuses for a reason that time does not mend, or on a bug.
    pub async fn serve(&self, shutdown: CancellationToken) -> Result<(), EngineError> {
        self.with_renewals(async {
            let mut wake_ups = self.driver.store.wake_ups();
            let mut drives = JoinSet::new();
            let mut pause = Pause::default();
            let mut dead_are_recovered = false;
            let mut only_claims = OnlyClaims::default();
            let mut pruned_at: Option<Instant> = None;
            let lease = self.driver.policy.lease.duration();
            while !shutdown.is_cancelled() {
                let turn = async {
                    if !dead_are_recovered {
                        self.recover_dead().await?;
                        dead_are_recovered = true;
                    }
                    Ok(self.turn(&mut only_claims, &mut drives).await?)
                };
                let sleep = pause.after(turn.await)?;
                // Only when it is awake anyway: where nothing happens, nothing becomes more.
                if pruned_at.is_none_or(|at| at.elapsed() >= prune::EVERY) {
                    pruned_at = Some(Instant::now());
                    self.spawn_prune(&mut drives);
                }
                let is_full = self.driver.slots.available_permits() == 0;
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = wake_up(&mut wake_ups, is_full) => only_claims.ring(),
                    () = sleep_for(sleep, lease) => {}
                    Some(ended) = drives.join_next() => check(ended)?,
                }
            }
            self.drain(drives).await
        })
        .await
    }

    /// Does everything that is due now, and what follows from it, and returns when nothing is due any more.
    ///
    /// # Errors
    /// As [`serve`](Self::serve), and any error of the store.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        self.with_renewals(async {
            self.recover_dead().await?;
            let (mut only_claims, mut drives) = (OnlyClaims::default(), JoinSet::new());
            loop {
                let sleep = self.turn(&mut only_claims, &mut drives).await?;
                match drives.join_next().await {
                    Some(ended) => check(ended)?,
                    None if sleep == Some(Duration::ZERO) => {}
                    None => return Ok(()),
                }
            }
        })
        .await
    }

    /// Begins a session of one workflow now and works on it to its end.
    ///
    /// # Errors
    /// [`EngineError::Store`] where the session is refused, for example because a run is open.
    pub async fn run_session(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        actor: &str,
    ) -> Result<Session, EngineError> {
        self.with_renewals(async {
            self.recover_dead().await?;
            self.driver.recover(&[]).await?;
            self.settle_doubts((workspace, workflow)).await?;
            let mut wake_ups = self.driver.store.wake_ups();
            let started = StartSession { workspace, workflow, actor: actor.to_owned() };
            let session = self.driver.store.start_session(started).await?;
            let mut drives = JoinSet::new();
            loop {
                self.driver.recover(&[]).await?;
                self.begin(self.claim(Some((workspace, workflow))).await?, &mut drives);
                let present = self.driver.store.session(workspace, session).await?;
                let is_held_up =
                    drives.is_empty() && self.is_held_up((workspace, workflow)).await?;
                if present.result.is_some() || is_held_up {
                    return Ok(present);
                }
                tokio::select! {
                    // Another worker may have taken one of the session's runs, and may be lost with it.
                    () = wake_ups.wait() => {}
                    () = tokio::time::sleep(self.driver.policy.lease.duration() / 3) => {}
                    Some(ended) = drives.join_next() => check(ended)?,
                }
            }
        })
        .await
    }

    /// Looks up what is in doubt of a workflow, before a session depends on it.
    async fn settle_doubts(&self, of: (WorkspaceId, WorkflowId)) -> Result<(), EngineError> {
        let mut lookups = JoinSet::new();
        for taken in self.driver.due_lookups(Some(of)).await? {
            self.spawn_lookup(taken, &mut lookups);
        }
        while let Some(ended) = lookups.join_next().await {
            check(ended)?;
        }
        Ok(())
    }

    fn spawn_prune(&self, tasks: &mut JoinSet<Result<(), EngineError>>) {
        let driver = Arc::clone(&self.driver);
        tasks.spawn(async move {
            driver.prune().await;
            Ok(())
        });
    }

    /// Whether a person stopped the workflow meanwhile, so that its queued run waits for that person.
    async fn is_held_up(
        &self,
        (workspace, workflow): (WorkspaceId, WorkflowId),
    ) -> Result<bool, StoreError> {
        let store = &self.driver.store;
        let found = store.find_workflow(workspace, &workflow.to_string()).await?;
        if found.status == WorkflowStatus::Active {
            return Ok(false);
        }
        // Where a run is open, it is the newest.
        let newest = RunFilter { workspace, workflow, session: None, limit: 1 };
        Ok(store.runs(newest).await?.iter().any(|run| run.status == Status::Queued))
    }

    async fn drain(&self, mut drives: JoinSet<Result<(), EngineError>>) -> Result<(), EngineError> {
        self.driver.stopping.cancel();
        let all = async {
            while let Some(ended) = drives.join_next().await {
                check(ended)?;
            }
            Ok(())
        };
        match tokio::time::timeout(GRACE, all).await {
            Ok(result) => result,
            Err(_elapsed) => {
                tracing::warn!(
                    "{} run(s) did not end within {GRACE:?} and are handed back",
                    drives.len()
                );
                Ok(())
            }
        }
    }

    /// Takes over from workers of this machine that died.
    async fn recover_dead(&self) -> Result<(), EngineError> {
        let Some(folder) = &self.workers_dir else { return Ok(()) };
        let dead = find_dead(folder).map_err(|source| liveness_error(folder, source))?;
        if dead.is_empty() {
            return Ok(());
        }
        let workers: Vec<WorkerId> = dead.iter().map(|dead| dead.worker).collect();
        self.driver.recover(&workers).await?;
        dead.into_iter().try_for_each(Dead::forget).map_err(|source| liveness_error(folder, source))
    }

    async fn with_renewals<T>(
        &self,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let lease = self.driver.policy.lease.duration();
        let heartbeat = |claims| {
            let ended = self.driver.ended.so_far();
            self.driver.store.heartbeat(Heartbeat {
                worker: self.worker_info.clone(),
                claims,
                lease,
                ended,
            })
        };
        let result = tokio::select! {
            result = work => result,
            never = self.driver.held.keep_beating(heartbeat, lease) => match never {},
        };
        self.leave().await;
        result
    }

    /// Stops being a worker. What it still holds is handed back, so that nobody waits for its leases to end.
    async fn leave(&self) {
        match tokio::time::timeout(LEAVE, self.driver.store.deregister_worker(self.driver.worker))
            .await
        {
            Ok(Ok(handed_back)) => {
                for run in handed_back {
                    tracing::warn!(run = %run.run, status = %run.status, "handed a run back that had not ended");
                }
            }
            Ok(Err(error)) => tracing::warn!(%error, "could not say that this worker has stopped"),
            Err(_elapsed) => {
                tracing::warn!("the store does not answer that this worker has stopped");
            }
        }
    }
}

/// The workers of this machine that declare themselves alive in `folder`.
///
/// # Errors
/// [`EngineError::Liveness`] where the folder cannot be read.
pub fn alive_workers(folder: &std::path::Path) -> Result<Vec<WorkerId>, EngineError> {
    find_alive(folder).map_err(|source| liveness_error(folder, source))
}

/// Drives a run, and the runs that follow it under the same slot.
async fn drive_chain(
    driver: Arc<Driver>,
    run: ClaimedRun,
    claimed_after: Moment,
    _slot: OwnedSemaphorePermit,
) -> Result<(), EngineError> {
    let lease = driver.policy.lease.duration();
    let mut next = Some(FollowUpRun { run, claimed_after });
    while let Some(FollowUpRun { run, claimed_after }) = next.take() {
        let hold = driver.held.hold(run.claim, claimed_after, lease);
        next = tokio::select! {
            biased;
            () = hold.give_up.cancelled() => None,
            driven = driver.drive(run) => driven?,
        };
    }
    Ok(())
}

fn check(
    ended: Result<Result<(), EngineError>, tokio::task::JoinError>,
) -> Result<(), EngineError> {
    match ended {
        Ok(Err(EngineError::Store(error))) => {
            // It stays as it is until its time is over, and is then taken over.
            tracing::error!(%error, "a handler run or a look-up was given up");
            Ok(())
        }
        Ok(result) => result,
        Err(error) => Err(EngineError::Panicked { message: error.to_string() }),
    }
}

fn liveness_error(folder: &std::path::Path, source: std::io::Error) -> EngineError {
    EngineError::Liveness { folder: folder.display().to_string(), source }
}
