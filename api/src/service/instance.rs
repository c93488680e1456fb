//! What concerns a whole workspace or instance: its workflows, its workers, and what of its past is kept.

use std::time::Duration;

use serde::Serialize;
use windlass_core::{
    Age, FailureClass, RecordKind, Retention, Timestamp, WorkflowId, WorkflowStatus, WorkspaceId,
};
use windlass_scheduler::RecordCounts;
use windlass_store::{ScriptVersion, Worker};

use super::error::Result;
use super::handle::Service;
use super::health::Badge;
use crate::text::TimeFormat;

/// A worker that was not heard of for so long has missed three heartbeats.
const STALE_AFTER: Duration = Duration::from_secs(60);

/// A workflow in a list.
#[derive(Debug, Serialize)]
pub struct WorkflowRow {
    /// Its id.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
    /// What its script calls it.
    pub title: String,
    /// What a person ordered of it.
    pub status: WorkflowStatus,
    /// Whether it works, waits or needs a person.
    pub badge: Badge,
    /// Why it is stopped.
    pub error: Option<String>,
    /// What kind of failure that was.
    pub error_class: Option<FailureClass>,
    /// Whether its script has to be repaired.
    pub maintenance: bool,
    /// The version that runs, `major.minor`.
    pub active_version: Option<String>,
    /// The newest version, `major.minor`.
    pub latest_version: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A worker, and whether it is still heard of.
#[derive(Debug, Serialize)]
pub struct WorkerRow {
    /// Whether its heartbeats stopped, so that it may be lost.
    pub stale: bool,
    /// The worker.
    #[serde(flatten)]
    pub worker: Worker,
}

/// Whether records are removed, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneMode {
    /// They are removed.
    Remove,
    /// Nothing changes.
    Count,
}

/// How many records were removed, or would be.
#[derive(Debug, Serialize)]
pub struct PruneReport {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// The counts of each kind.
    pub kinds: Vec<PrunedKind>,
}

/// How many records of one kind were removed, or would be.
#[derive(Debug, Serialize)]
pub struct PrunedKind {
    /// The kind.
    pub kind: RecordKind,
    /// How long such records are kept after they were over.
    pub kept: Age,
    /// How many.
    pub count: u64,
}

impl Service {
    /// How far the database knows of moments ahead of its clock; none if it does not. If it does, the clock was set back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn known_ahead(&self) -> windlass_store::Result<Option<Duration>> {
        let (now, latest) = (self.store.now().await?, self.store.latest_change().await?);
        Ok(latest.filter(|at| at.is_ahead_of(now)).map(|at| at.since(now)))
    }

    /// The workflows of the workspace, archived ones included. `times` says what time it is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn workflows(&self, times: TimeFormat) -> Result<Vec<WorkflowRow>> {
        let mut rows = Vec::new();
        let known_ahead = self.known_ahead().await?;
        for workflow in self.store.all_workflows(self.workspace).await? {
            let badge = self.status_with(workflow.id, times, known_ahead).await?.health.badge;
            // A plan has no script: its versions are those of its drafts.
            let scripts = if workflow.kind.is_graph() {
                Vec::new()
            } else {
                self.store.all_scripts(self.workspace, workflow.id).await?
            };
            let active = scripts.iter().find(|script| Some(script.id) == workflow.active_script_id);
            rows.push(WorkflowRow {
                id: workflow.id,
                name: workflow.name,
                title: workflow.title,
                status: workflow.status,
                badge,
                error: workflow.error,
                error_class: workflow.error_class,
                maintenance: workflow.maintenance,
                active_version: active.map(ScriptVersion::version),
                latest_version: scripts.first().map(ScriptVersion::version),
                created_at: workflow.created_at,
            });
        }
        Ok(rows)
    }

    /// The workers of the instance; with `workspace` those that work for it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn workers(&self, workspace: Option<WorkspaceId>) -> Result<Vec<WorkerRow>> {
        let now = self.store.now().await?;
        let is_stale = |worker: &Worker| now.since(worker.last_heartbeat_at) > STALE_AFTER;
        let workers = self.store.workers(workspace).await?.into_iter();
        Ok(workers.map(|worker| WorkerRow { stale: is_stale(&worker), worker }).collect())
    }

    /// Removes what is over and older than `retention` keeps it, or only counts it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn prune(&self, retention: &Retention, mode: PruneMode) -> Result<PruneReport> {
        let counts: RecordCounts = match mode {
            PruneMode::Count => windlass_scheduler::prunable(&*self.store, retention).await?,
            PruneMode::Remove => windlass_scheduler::prune(&*self.store, retention).await?,
        };
        let kinds = counts.into_iter().map(|(kind, count)| {
            let kept = retention.of(kind);
            PrunedKind { kind, kept, count }
        });
        Ok(PruneReport { dry_run: mode == PruneMode::Count, kinds: kinds.collect() })
    }
}
