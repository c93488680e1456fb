//! Workers.

use serde::Serialize;
use windlass_core::{RunId, Timestamp, WorkerId, WorkspaceId};

/// A worker, as of its last heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Its id.
    pub id: WorkerId,
    /// The only workspace that it works for; none for all.
    pub workspace_id: Option<WorkspaceId>,
    /// The machine.
    pub host: String,
    /// The process on it.
    pub pid: i64,
    /// Which version of the program.
    pub version: String,
    /// Of the runs with a label, it takes those with one of these.
    pub labels: Vec<String>,
    /// How many runs it drives at a time.
    pub slots: u32,
    /// How many are under way.
    pub running: u32,
    /// How many it has committed.
    pub done: u64,
    /// How many it has stopped.
    pub failed: u64,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub last_heartbeat_at: Timestamp,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// The runs that the worker still has.
    pub leases: LeaseRenewal,
    /// The store's time.
    pub at: Timestamp,
    /// When a worker last noticed that the store's clock had stepped, by the time after the step.
    pub clock_stepped_at: Option<Timestamp>,
}

/// The runs that a worker still has after a heartbeat. A run that is in neither list was lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LeaseRenewal {
    /// Their leases are renewed.
    pub renewed: Vec<RunId>,
    /// They are still the worker's, but another transaction has just locked them: their leases are not renewed.
    pub busy: Vec<RunId>,
}

/// A limit on what runs have in common, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// What they have in common: `workflow:NAME`, `connector:NAMESPACE`, `host:NAME`.
    pub key: String,
    /// How many run at a time.
    pub at_once: Option<u32>,
    /// How many may begin in a window.
    pub rate: Option<u32>,
    /// The length of that window, in seconds.
    pub per_s: Option<u64>,
    /// How many began in the last one.
    pub begun: Option<u32>,
    /// How many run.
    pub running: u32,
    /// How many wait for a worker, because of this limit or not.
    pub queued: u32,
    /// Whether none may begin now.
    pub is_full: bool,
    /// Those that run.
    pub held_by: Vec<LimitHolder>,
}

/// A run under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitHolder {
    /// Its workflow's name.
    pub workflow: String,
    /// The run.
    pub run: RunId,
    /// Who drives it.
    pub worker: Option<WorkerId>,
}

impl std::fmt::Display for LimitHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.worker {
            Some(worker) => write!(f, "{} on {worker}", self.workflow),
            None => f.write_str(&self.workflow),
        }
    }
}
