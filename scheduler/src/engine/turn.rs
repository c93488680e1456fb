//! One look for work, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use windlass_core::{WorkflowId, WorkspaceId};
use windlass_store::{Agenda, ClaimRuns, ClaimScope, ClaimedRun, StoreError};

use super::{Engine, drive_chain};
use crate::error::EngineError;
use crate::lookup::TakenLookup;
use crate::moment::Moment;

/// How soon it is looked again at what is due and locked.
const LOCKED: Duration = Duration::from_millis(50);

/// How many workflows are looked at in one transaction.
const DUE_BATCH: u32 = 100;

/// How long a worker that always finds a run claims the next one without a look at everything else.
const BUSY: Duration = Duration::from_millis(100);

/// Since when a worker only claims runs, because it found some or somebody rang. Only a look at everything that may be due begins
/// a new such time, so that other things wait no longer than it lasts, however often somebody rings.
#[derive(Debug, Default)]
pub(super) struct OnlyClaims(Option<Instant>);

impl OnlyClaims {
    /// Somebody rang, most likely for a run.
    pub(super) fn ring(&mut self) {
        self.0.get_or_insert_with(Instant::now);
    }

    /// How long the worker need not look at everything while it finds runs.
    fn last_for(&self) -> Option<Duration> {
        BUSY.checked_sub(self.0?.elapsed())
    }
}

/// What a look for work found.
pub(super) struct Found {
    runs: Vec<ClaimedRun>,
    claimed_after: Moment,
}

impl Engine {
    /// Looks for work once and begins it. Returns how long there will be none: zero where there may be more at once.
    pub(super) async fn turn(
        &self,
        only_claims: &mut OnlyClaims,
        drives: &mut JoinSet<Result<(), EngineError>>,
    ) -> Result<Option<Duration>, StoreError> {
        let driver = &self.driver;
        let is_full = driver.slots.available_permits() == 0;
        if let Some(look_in) = only_claims.last_for() {
            let found = self.claim(None).await?;
            if is_full || !found.runs.is_empty() {
                self.begin(found, drives);
                return Ok(Some(look_in));
            }
        }
        *only_claims = OnlyClaims::default();
        let mut agenda = driver.store.agenda(&self.worker_info.filter).await?;
        // What this worker has no hands for is looked at again when one of its tasks has ended.
        if driver.lookups.available_permits() == 0 {
            agenda.lookup = None;
        }
        if is_full {
            agenda.run = None;
        }
        if agenda.next() != Some(Duration::ZERO) {
            return Ok(agenda.next());
        }
        // Where there was a run, there may be another.
        let found_at = (agenda.run == Some(Duration::ZERO)).then(Instant::now);
        if self.attend_to(agenda, drives).await? {
            only_claims.0 = found_at;
        } else {
            // What is due and was not found is locked by somebody else for the moment.
            tokio::time::sleep(LOCKED).await;
        }
        Ok(Some(Duration::ZERO))
    }

    /// Does what is to be done now; says whether anything was.
    async fn attend_to(
        &self,
        agenda: Agenda,
        drives: &mut JoinSet<Result<(), EngineError>>,
    ) -> Result<bool, StoreError> {
        let is_now = |wait: Option<Duration>| wait == Some(Duration::ZERO);
        let mut n_done = 0;
        if is_now(agenda.lease) {
            n_done += self.driver.recover(&[]).await?;
        }
        if is_now(agenda.lookup) {
            for taken in self.driver.due_lookups(None).await? {
                self.spawn_lookup(taken, drives);
                n_done += 1;
            }
        }
        if is_now(agenda.workflow) {
            n_done += self.driver.store.enqueue_due(DUE_BATCH).await?;
        }
        // What was done just now may have enqueued some.
        if is_now(agenda.run) || n_done > 0 {
            let found = self.claim(None).await?;
            n_done += found.runs.len();
            self.begin(found, drives);
        }
        Ok(n_done > 0)
    }

    pub(super) fn spawn_lookup(
        &self,
        taken: TakenLookup,
        tasks: &mut JoinSet<Result<(), EngineError>>,
    ) {
        let driver = Arc::clone(&self.driver);
        // Only the task that spawns takes permits, and no more were claimed than are free.
        let permit = Arc::clone(&driver.lookups).try_acquire_owned();
        tasks.spawn(async move {
            let _permit = permit;
            Ok(driver.settle_lookup(taken).await?)
        });
    }

    pub(super) async fn claim(
        &self,
        of: Option<(WorkspaceId, WorkflowId)>,
    ) -> Result<Found, StoreError> {
        let claimed_after = Moment::now();
        let limit = u32::try_from(self.driver.slots.available_permits()).unwrap_or(u32::MAX);
        if limit == 0 {
            return Ok(Found { runs: Vec::new(), claimed_after });
        }
        let lease = self.driver.policy.lease.duration();
        let scope = match of {
            Some((workspace, workflow)) => ClaimScope::Workflow(workspace, workflow),
            None => ClaimScope::Matching(self.worker_info.filter.clone()),
        };
        let params = ClaimRuns { worker: self.driver.worker, limit, lease, scope };
        Ok(Found { runs: self.driver.store.claim_runs(params).await?, claimed_after })
    }

    pub(super) fn begin(&self, found: Found, drives: &mut JoinSet<Result<(), EngineError>>) {
        for run in found.runs {
            let Ok(slot) = Arc::clone(&self.driver.slots).try_acquire_owned() else {
                // Cannot be: no more were claimed than slots were free, and only this task takes slots.
                tracing::error!(run = %run.claim.run, "claimed a run without a free slot");
                continue;
            };
            let driver = Arc::clone(&self.driver);
            drives.spawn(drive_chain(driver, run, found.claimed_after, slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_rings_all_the_time_does_not_keep_a_worker_from_a_look_at_everything() {
        let mut only_claims = OnlyClaims::default();
        let mut waited = Duration::ZERO;
        only_claims.ring();

        while only_claims.last_for().is_some() {
            tokio::time::advance(Duration::from_millis(7)).await;
            waited += Duration::from_millis(7);
            only_claims.ring();
        }

        assert!(waited <= BUSY + Duration::from_millis(7), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_nobody_rings_for_looks_at_everything() {
        assert_eq!(OnlyClaims::default().last_for(), None);
    }
}
