//! What workers are, what they take, and how they keep it.

use std::time::Duration;

use windlass_core::{LimitKey, RunId, RunLimit, Timestamp, WorkerId, WorkflowId, WorkspaceId};

use crate::model::Claim;

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its id: no other process has it.
    pub id: WorkerId,
    /// The machine.
    pub host: String,
    /// The process on it.
    pub pid: u32,
    /// Which version of the program.
    pub version: String,
    /// How many runs it drives at a time.
    pub slots: u32,
    /// Which runs it takes.
    pub filter: ClaimFilter,
}

/// Which runs a worker takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimFilter {
    /// Those of this workspace only.
    pub workspace: Option<WorkspaceId>,
    /// Of the runs with a label, those with one of these. Runs without a label are taken by any worker.
    pub labels: Vec<String>,
}

/// A worker tells that it is alive, and renews its leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Who.
    pub worker: WorkerInfo,
    /// The claims that it renews.
    pub claims: Vec<Claim>,
    /// How long the leases last, from now.
    pub lease: Duration,
    /// What it has ended since it started.
    pub ended: EndedRuns,
    /// How the store's clock has run since its last heartbeat.
    pub clock: ClockRun,
}

/// How the store's clock has run, as far as a worker can tell from its own clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockRun {
    /// It has run as evenly as the worker's.
    #[default]
    Even,
    /// The worker has just started and cannot tell.
    Unknown,
    /// It has stepped forward.
    Forward,
    /// It has stepped back.
    Back {
        /// What it would show now without the step.
        from: Timestamp,
    },
}

/// The runs that a worker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EndedRuns {
    /// Those that committed.
    pub done: u64,
    /// Those that stopped.
    pub failed: u64,
}

/// Takes queued runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRuns {
    /// Who takes them.
    pub worker: WorkerId,
    /// How many at the most.
    pub limit: u32,
    /// How long they belong to the worker without a renewal.
    pub lease: Duration,
    /// Which of them.
    pub scope: ClaimScope,
}

/// Some of the runs that wait for a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimScope {
    /// All that a worker takes.
    Matching(ClaimFilter),
    /// The one of a workflow, whatever its label.
    Workflow(WorkspaceId, WorkflowId),
}

/// Takes active runs from workers that are lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverRuns {
    /// Workers known to be dead, whatever their leases say.
    pub lost_workers: Vec<WorkerId>,
    /// Which other runs count as lost because their leases have ended.
    pub ended_leases: EndedLeases,
    /// How many runs at the most.
    pub limit: u32,
}

/// Which leases have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndedLeases {
    /// None: the clock has just stepped, so that it cannot tell.
    None,
    /// Those that have ended by the store's clock, and also by the caller's.
    By {
        /// The latest time that it can be by the caller's own clocks. If the store's clock is beyond, it has stepped.
        latest: Timestamp,
        /// The runs that the caller executes. It knows that they are not lost.
        except: Vec<RunId>,
    },
}

impl EndedLeases {
    /// Those that have ended by the store's clock, for a caller without runs and clocks.
    #[must_use]
    pub const fn by_the_store() -> Self {
        Self::By { latest: Timestamp::from_micros(i64::MAX), except: Vec::new() }
    }
}

/// Says which workers may take a workflow's runs, and which priority the runs have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteWorkflow {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// The label that a worker must have; any worker where it is none.
    pub label: Option<String>,
    /// Higher is sooner: each point counts as much as a minute of waiting.
    pub priority: i32,
    /// Who says so.
    pub actor: String,
}

/// Sets or removes a limit on what runs of a workspace have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetLimit {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What they have in common.
    pub key: LimitKey,
    /// How much of it runs; none for no limit.
    pub limit: Option<RunLimit>,
    /// Who says so.
    pub actor: String,
}
