//! One poll for work: asks the store what is due, claims it and spawns it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_core::{WorkerId, WorkflowId, WorkspaceId};
use windlass_store::{
    Agenda, ClaimFilter, ClaimRuns, ClaimScope, ClaimedRun, EndedLeases, SharedStore, StoreError,
};

use super::busy_period::BusyPeriod;
use crate::boot_instant::BootInstant;
use crate::clock_watch::{ClockWatch, Reading};
use crate::drive::{FollowUpRun, RunDriver};
use crate::error::EngineError;
use crate::lease::{LeaseGuard, LeaseTable};
use crate::lookup::BackgroundLookups;
use crate::recover::recover;
use crate::slots::RunSlots;

/// The tasks of an engine.
pub(super) type Tasks = JoinSet<Result<(), EngineError>>;

/// How soon a worker polls again if what is due is locked by another transaction.
const LOCKED_DELAY: Duration = Duration::from_millis(50);

/// How many due workflows one transaction handles.
const DUE_BATCH: u32 = 100;

/// Polls the store for work, and spawns it.
pub(super) struct Poller {
    pub(super) store: SharedStore,
    pub(super) driver: Arc<RunDriver>,
    pub(super) lookups: Arc<BackgroundLookups>,
    pub(super) slots: RunSlots,
    pub(super) leases: Arc<LeaseTable>,
    pub(super) clock: Arc<ClockWatch>,
    /// The length of a lease.
    pub(super) lease: Duration,
    pub(super) worker: WorkerId,
    /// Which runs this worker claims.
    pub(super) filter: ClaimFilter,
}

/// Runs that were claimed together.
pub(super) struct ClaimedRuns {
    runs: Vec<ClaimedRun>,
    /// An instant before the claim, from which their leases are counted.
    claimed_after: BootInstant,
}

impl Poller {
    /// Polls once and spawns what is due. Returns for how long nothing will be due: zero if more may be due at once, none if
    /// nothing is due until a wake-up.
    pub(super) async fn poll(
        &self,
        busy: &mut BusyPeriod,
        tasks: &mut Tasks,
    ) -> Result<Option<Duration>, StoreError> {
        let is_full = self.slots.free() == 0;
        if let Some(left) = busy.left() {
            let claimed = self.claim(self.any_run()).await?;
            if is_full || !claimed.runs.is_empty() {
                self.spawn_runs(claimed, tasks);
                return Ok(Some(left));
            }
        }
        busy.end();
        let agenda = self.agenda().await?;
        if agenda.next() != Some(Duration::ZERO) {
            return Ok(agenda.next());
        }
        let polled_at = Instant::now();
        let had_run = is_now(agenda.run);
        if !self.do_due(agenda, tasks).await? {
            // What is due and was not found is locked by another transaction.
            tokio::time::sleep(LOCKED_DELAY).await;
        } else if had_run {
            // Where there was a run, there may be another.
            busy.begin_at(polled_at);
        }
        Ok(Some(Duration::ZERO))
    }

    /// What is due that this worker can do. It polls for the rest again when one of its tasks has ended.
    async fn agenda(&self) -> Result<Agenda, StoreError> {
        let mut agenda = self.store.agenda(&self.filter).await?;
        agenda.lease = agenda.lease.map(|ends| ends.max(self.clock.pause_left()));
        if self.lookups.is_full() {
            agenda.lookup = None;
        }
        if self.slots.free() == 0 {
            agenda.run = None;
        }
        Ok(agenda)
    }

    /// Does what is due now. Returns whether anything was.
    async fn do_due(&self, agenda: Agenda, tasks: &mut Tasks) -> Result<bool, StoreError> {
        let mut n_done = 0;
        if is_now(agenda.lease) {
            n_done += self.recover_expired().await?;
        }
        if is_now(agenda.lookup) {
            n_done += self.spawn_lookups(None, tasks).await?;
        }
        if is_now(agenda.workflow) {
            n_done += self.store.enqueue_due(DUE_BATCH).await?;
        }
        // What was done just now may have enqueued runs.
        if is_now(agenda.run) || n_done > 0 {
            let claimed = self.claim(self.any_run()).await?;
            n_done += claimed.runs.len();
            self.spawn_runs(claimed, tasks);
        }
        Ok(n_done > 0)
    }

    /// Reads the store's clock. Returns whether the store knows how it has run: if it has just stepped, the next heartbeat tells.
    async fn is_clock_known(&self) -> Result<bool, StoreError> {
        let asked = BootInstant::now();
        let at = self.store.now().await?;
        self.clock.observe(Reading { asked, answered: BootInstant::now(), at });
        Ok(!self.clock.has_step_to_report())
    }

    /// Recovers the runs of other workers whose leases have ended, as far as the clock can tell.
    pub(super) async fn recover_expired(&self) -> Result<usize, StoreError> {
        // The store is not asked what would change nothing.
        if !self.clock.pause_left().is_zero() || !self.is_clock_known().await? {
            return Ok(0);
        }
        let Some(latest) = self.clock.latest() else { return Ok(0) };
        let except = self.leases.runs();
        recover(&*self.store, &[], &EndedLeases::By { latest, except }).await
    }

    /// Spawns the look-ups that are due, of one workflow or of all, and returns how many there were.
    pub(super) async fn spawn_lookups(
        &self,
        of: Option<(WorkspaceId, WorkflowId)>,
        tasks: &mut Tasks,
    ) -> Result<usize, StoreError> {
        // The age of a request is counted by the store's clock.
        if !self.is_clock_known().await? {
            return Ok(0);
        }
        let claimed = self.lookups.claim_due(of).await?;
        let n_claimed = claimed.len();
        for lookup in claimed {
            let lookups = Arc::clone(&self.lookups);
            tasks.spawn(async move { Ok(lookups.settle(lookup).await?) });
        }
        Ok(n_claimed)
    }

    /// The scope of all runs that this worker may claim.
    fn any_run(&self) -> ClaimScope {
        ClaimScope::Matching(self.filter.clone())
    }

    /// Claims runs of `scope`, as many as slots are free.
    pub(super) async fn claim(&self, scope: ClaimScope) -> Result<ClaimedRuns, StoreError> {
        let claimed_after = BootInstant::now();
        let limit = self.slots.free();
        if limit == 0 {
            return Ok(ClaimedRuns { runs: Vec::new(), claimed_after });
        }
        let params = ClaimRuns { worker: self.worker, limit, lease: self.lease, scope };
        Ok(ClaimedRuns { runs: self.store.claim_runs(params).await?, claimed_after })
    }

    /// Spawns claimed runs, each with a slot.
    pub(super) fn spawn_runs(&self, claimed: ClaimedRuns, tasks: &mut Tasks) {
        for run in claimed.runs {
            let Some(slot) = self.slots.try_take() else {
                // It cannot happen: no more were claimed than slots are free, and only this task takes slots.
                tracing::error!(run = %run.claim.run, "claimed a run without a free slot");
                continue;
            };
            let first = FollowUpRun { run, claimed_after: claimed.claimed_after };
            // From here on this worker knows that it executes the run.
            let first = LeasedRun::new(&self.leases, self.lease, first);
            let (driver, leases) = (Arc::clone(&self.driver), Arc::clone(&self.leases));
            tasks.spawn(drive_in_slot(driver, leases, self.lease, first, slot));
        }
    }
}

/// A run with its lease.
struct LeasedRun {
    run: ClaimedRun,
    guard: LeaseGuard,
}

impl LeasedRun {
    fn new(leases: &Arc<LeaseTable>, lease: Duration, run: FollowUpRun) -> Self {
        let FollowUpRun { run, claimed_after } = run;
        Self { guard: leases.add(run.claim, claimed_after, lease), run }
    }
}

/// Executes a run, and the runs that follow it in the same slot, each under a lease.
async fn drive_in_slot(
    driver: Arc<RunDriver>,
    leases: Arc<LeaseTable>,
    lease: Duration,
    first: LeasedRun,
    _slot: OwnedSemaphorePermit,
) -> Result<(), EngineError> {
    let mut next = Some(first);
    while let Some(LeasedRun { run, guard }) = next.take() {
        let follow_up = tokio::select! {
            biased;
            () = guard.lost.cancelled() => None,
            driven = driver.drive(run) => driven?,
        };
        next = follow_up.map(|run| LeasedRun::new(&leases, lease, run));
    }
    Ok(())
}

fn is_now(wait: Option<Duration>) -> bool {
    wait == Some(Duration::ZERO)
}
