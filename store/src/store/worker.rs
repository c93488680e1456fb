//! How workers get runs and keep them.

use windlass_core::{RunId, Timestamp, WorkerId, WorkspaceId};

use super::role;
use crate::model::{Agenda, Claim, ClaimedRun, HeartbeatAnswer, OpenWork, RecoveredRun, Worker};
use crate::params::{ClaimFilter, ClaimRuns, Heartbeat, RecoverRuns};

role! {
    /// How workers get runs and keep them.
    pub trait WorkerStore {
        /// The store's clock: the one that its instants come from.
        read async fn now(&self) -> Result<Timestamp>;

        /// The latest time at which a workflow is known to have changed. If it is ahead of [`now`](Self::now), the clock was set back
        /// since.
        read async fn latest_change(&self) -> Result<Option<Timestamp>>;

        /// What there is to do for a worker that takes such runs, now or later. It reads a fixed number of records, however many
        /// there are.
        read async fn agenda(&self, filter: &ClaimFilter) -> Result<Agenda>;

        /// What is open in all workspaces together. It reads what is open and the workflows, however much is over.
        read async fn open_work(&self) -> Result<OpenWork>;

        /// Enqueues the next run of up to `limit` workflows that are due. Returns how many were looked at.
        write async fn enqueue_due(&self, limit: u32) -> Result<usize>;

        /// Takes queued runs of runnable workflows: from all workspaces in turn, and within one by their ranks,
        /// passing over those that a limit keeps waiting.
        write async fn claim_runs(&self, params: ClaimRuns) -> Result<Vec<ClaimedRun>>;

        /// A worker is alive and renews its leases; returns the runs that it still has. A run that is missing was lost.
        write async fn heartbeat(&self, params: Heartbeat) -> Result<HeartbeatAnswer>;

        /// Which of these runs are not claimed like this any more: they have ended, or were taken away.
        read async fn lost_claims(&self, claims: Vec<Claim>) -> Result<Vec<RunId>>;

        /// A worker stops: its runs are handed back, as [`recover_runs`](Self::recover_runs) would take them but blaming nothing,
        /// and the worker is no longer listed. A run whose request may just be leaving is not handed back: it is taken over when
        /// its lease has ended.
        write async fn deregister_worker(&self, worker: WorkerId) -> Result<Vec<RecoveredRun>>;

        /// Takes active runs whose lease has expired, or whose worker is known to be dead, and brings each to the state from which
        /// it continues: released, marked for a retry, or in doubt.
        write async fn recover_runs(&self, params: RecoverRuns) -> Result<Vec<RecoveredRun>>;

        /// The workers of all workspaces, or those that work for one, in the order in which they started. They are as many as
        /// processes run: one that is not heard of for two minutes is no longer listed.
        read async fn workers(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Worker>>;
    }
}
