//! How workers get runs and keep them.

use async_trait::async_trait;
use windlass_core::{RunId, Timestamp, WorkerId, WorkspaceId};

use super::Backend;
use super::ops::advance::EnqueueDue;
use super::ops::worker::DeregisterWorker;
use super::ops::{Operation, Tx};
use super::reads::{due, open_work, workers, workflows};
use crate::error::Result;
use crate::model::{Agenda, Claim, ClaimedRun, HeartbeatAnswer, OpenWork, RecoveredRun, Worker};
use crate::params::{ClaimFilter, ClaimRuns, Heartbeat, RecoverRuns};
use crate::store::WorkerStore;

reads! {
    Operation over Tx<'_>;
    Now {} -> Timestamp: |tx| std::future::ready(Ok(tx.now));
    LatestChange {} -> Option<Timestamp>: |tx| workflows::latest_change(tx.conn);
    ReadAgenda { filter: ClaimFilter } -> Agenda: |tx| due::agenda(tx.conn, tx.now, &filter);
    ReadOpenWork {} -> OpenWork: |tx| open_work::open_work(tx.conn);
    LostClaims { claims: Vec<Claim> } -> Vec<RunId>: |tx| workers::lost_claims(tx.conn, &claims);
    Workers { workspace: Option<WorkspaceId> } -> Vec<Worker>: |tx| workers::workers(tx.conn, workspace);
}

#[async_trait]
impl WorkerStore for Backend {
    async fn now(&self) -> Result<Timestamp> {
        self.read(Now {}).await
    }

    async fn latest_change(&self) -> Result<Option<Timestamp>> {
        self.read(LatestChange {}).await
    }

    async fn agenda(&self, filter: &ClaimFilter) -> Result<Agenda> {
        self.read(ReadAgenda { filter: filter.clone() }).await
    }

    async fn open_work(&self) -> Result<OpenWork> {
        self.read(ReadOpenWork {}).await
    }

    async fn enqueue_due(&self, limit: u32) -> Result<usize> {
        self.write(EnqueueDue { limit }).await
    }

    async fn claim_runs(&self, params: ClaimRuns) -> Result<Vec<ClaimedRun>> {
        self.write(params).await
    }

    async fn heartbeat(&self, params: Heartbeat) -> Result<HeartbeatAnswer> {
        self.write(params).await
    }

    async fn lost_claims(&self, claims: Vec<Claim>) -> Result<Vec<RunId>> {
        self.read(LostClaims { claims }).await
    }

    async fn deregister_worker(&self, worker: WorkerId) -> Result<Vec<RecoveredRun>> {
        self.write(DeregisterWorker { worker }).await
    }

    async fn recover_runs(&self, params: RecoverRuns) -> Result<Vec<RecoveredRun>> {
        self.write(params).await
    }

    async fn workers(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Worker>> {
        self.read(Workers { workspace }).await
    }
}
