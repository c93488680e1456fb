//! Implements [`Store`](crate::Store): each method runs its operation.

use std::time::Duration;

use async_trait::async_trait;
use windlass_core::{MutationStatus, SessionId, WorkerId, WorkspaceId};

use super::advance::EnqueueDue;
use super::dialect::Backend;
use super::prune::BeginPruning;
use super::worker::DeregisterWorker;
use super::workspace::EnsureWorkspace;
use crate::error::Result;
use crate::model::{
    BegunMutation, ClaimedRun, Committed, DueLookup, Event, LeaseRenewal, Mutation, RecoveredRun,
    SavedScript, Workflow,
};
use crate::params::{
    ActivateScript, ApplyMutation, BeginMutation, CaptureMutation, CheckpointPrepare, ClaimLookups,
    ClaimRuns, CommitConsumer, CommitProducer, ControlWorkflow, DoubtMutation, FailMutation,
    Heartbeat, Prune, Pruned, RecoverRuns, ResolveMutation, RouteWorkflow, SaveScript,
    ScriptMessage, SetLimit, SettleEvent, SettleLookup, StartSession, StopRun,
};
use crate::store::Store;

#[async_trait]
impl Store for Backend {
    async fn ensure_workspace(&self, name: &str) -> Result<WorkspaceId> {
        self.write(EnsureWorkspace { name: name.to_owned() }).await
    }

    async fn save_script(&self, params: SaveScript) -> Result<SavedScript> {
        self.write(params).await
    }

    async fn activate_script(&self, params: ActivateScript) -> Result<Workflow> {
        self.write(params).await
    }

    async fn control_workflow(&self, params: ControlWorkflow) -> Result<Workflow> {
        self.write(params).await
    }

    async fn start_session(&self, params: StartSession) -> Result<SessionId> {
        self.write(params).await
    }

    async fn enqueue_due(&self, limit: u32) -> Result<usize> {
        self.write(EnqueueDue { limit }).await
    }

    async fn claim_runs(&self, params: ClaimRuns) -> Result<Vec<ClaimedRun>> {
        self.write(params).await
    }

    async fn heartbeat(&self, params: Heartbeat) -> Result<LeaseRenewal> {
        self.write(params).await
    }

    async fn set_limit(&self, params: SetLimit) -> Result<()> {
        self.write(params).await
    }

    async fn deregister_worker(&self, worker: WorkerId) -> Result<Vec<RecoveredRun>> {
        self.write(DeregisterWorker { worker }).await
    }

    async fn route_workflow(&self, params: RouteWorkflow) -> Result<Workflow> {
        self.write(params).await
    }

    async fn recover_runs(&self, params: RecoverRuns) -> Result<Vec<RecoveredRun>> {
        self.write(params).await
    }

    async fn checkpoint_prepare(&self, params: CheckpointPrepare) -> Result<()> {
        self.write(params).await
    }

    async fn begin_mutation(&self, params: BeginMutation) -> Result<BegunMutation> {
        self.write(params).await
    }

    async fn apply_mutation(&self, params: ApplyMutation) -> Result<()> {
        self.write(params).await?.require_in_time()
    }

    async fn fail_mutation(&self, params: FailMutation) -> Result<()> {
        self.write(params).await?.require_in_time()
    }

    async fn doubt_mutation(&self, params: DoubtMutation) -> Result<()> {
        self.write(params).await?.require_in_time()
    }

    async fn commit_producer(&self, params: CommitProducer) -> Result<Committed> {
        self.write(params).await
    }

    async fn commit_consumer(&self, params: CommitConsumer) -> Result<Committed> {
        self.write(params).await
    }

    async fn stop_run(&self, params: StopRun) -> Result<()> {
        self.write(params).await
    }

    async fn resolve_mutation(&self, params: ResolveMutation) -> Result<Mutation> {
        self.write(params).await
    }

    async fn capture_mutation(&self, params: CaptureMutation) -> Result<()> {
        self.write(params).await
    }

    async fn claim_lookups(&self, params: ClaimLookups) -> Result<Vec<DueLookup>> {
        self.write(params).await
    }

    async fn settle_lookup(&self, params: SettleLookup) -> Result<MutationStatus> {
        self.write(params).await
    }

    async fn settle_event(&self, params: SettleEvent) -> Result<Event> {
        self.write(params).await
    }

    async fn begin_pruning(&self, every: Duration) -> Result<bool> {
        self.write(BeginPruning { every }).await
    }

    async fn prune(&self, params: Prune) -> Result<Pruned> {
        self.write(params).await
    }

    async fn add_message(&self, params: ScriptMessage) -> Result<()> {
        self.write(params).await
    }
}
