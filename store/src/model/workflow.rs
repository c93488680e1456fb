//! Workflows: their controls, scripts, handlers and how they stand.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use windlass_core::{
    FailureClass, Grant, HandlerKind, Manifest, MutationId, RunId, Schedule, ScriptId, Timestamp,
    WorkflowId, WorkflowKind, WorkflowStatus, WorkspaceId,
};

use super::ledger::Mutation;
use super::run::{Run, Session};
use super::worker::Limit;

/// A workspace: workflows of different workspaces do not see each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its name.
    pub name: String,
}

/// A workflow and its three controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// The workspace it belongs to.
    pub workspace_id: WorkspaceId,
    /// Its name, unique in the workspace.
    pub name: String,
    /// What kind of program it has.
    pub kind: WorkflowKind,
    /// Its title.
    pub title: String,
    /// What a person wants.
    pub status: WorkflowStatus,
    /// What it waits for a person about.
    pub error: Option<String>,
    /// The class of that error.
    pub error_class: Option<FailureClass>,
    /// Whether its script has to be repaired first.
    pub maintenance: bool,
    /// The mutation whose late evidence contradicts the ledger, so that a person has to look.
    pub contradicted_mutation_id: Option<MutationId>,
    /// The run that set the error or the maintenance.
    pub stopped_by_run_id: Option<RunId>,
    /// The run that must go forward before anything else.
    pub pending_retry_run_id: Option<RunId>,
    /// The script version that runs.
    pub active_script_id: Option<ScriptId>,
    /// The label that a worker must have to take its runs.
    pub label: Option<String>,
    /// The priority of its runs: higher is sooner.
    pub priority: i32,
    /// Network failures in a row.
    pub transient_failures: u32,
    /// Until when it waits because of them.
    pub backoff_until: Option<Timestamp>,
    /// When its next run is due, while it has no open run.
    pub due_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One immutable version of a workflow's script.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScriptVersion {
    /// Its id.
    pub id: ScriptId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The version: a new plan counts up.
    pub major: u32,
    /// The version: a repair counts up.
    pub minor: u32,
    /// The name of the file it came from.
    pub file_name: String,
    /// The text.
    pub source: String,
    /// SHA-256 of the text, hexadecimal.
    pub digest: String,
    /// What it declares.
    pub manifest: Manifest,
    /// What it may call.
    pub grant: Grant,
    /// The author's comment.
    pub comment: String,
    /// When it was saved.
    pub created_at: Timestamp,
}

impl ScriptVersion {
    /// `major.minor`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

/// The result of saving a script.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedScript {
    /// The version.
    pub script: ScriptVersion,
    /// Whether it is new; the same text as the newest version makes none.
    pub is_new: bool,
}
/// The state of one handler between its runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandlerState {
    /// Producer or consumer.
    pub kind: HandlerKind,
    /// Its name.
    pub name: String,
    /// What it returned last.
    pub state: Option<Value>,
    /// Whether something happened since it last found nothing to do.
    pub has_work: bool,
    /// When it asked to be woken.
    pub wake_at: Option<Timestamp>,
    /// A producer's schedule.
    pub schedule: Option<Schedule>,
    /// When a producer is due.
    pub next_run_at: Option<Timestamp>,
    /// When it last committed.
    pub last_run_at: Option<Timestamp>,
}

/// A workflow with everything that its status page shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowOverview {
    /// The workflow.
    #[serde(flatten)]
    pub workflow: Workflow,
    /// The version that runs, `major.minor`.
    pub active_version: Option<String>,
    /// The newest version, `major.minor`.
    pub latest_version: Option<String>,
    /// What the version that runs may call.
    pub grant: Option<Grant>,
    /// Its handlers.
    pub handlers: Vec<HandlerState>,
    /// Its queued or active run.
    pub open_run: Option<Run>,
    /// The run that stopped it.
    pub stopped_by: Option<Run>,
    /// Until when its consumers wait because the limit of mutations per hour is reached; may be in the past.
    pub effects_paused_until: Option<Timestamp>,
    /// The limits on what its runs have in common with others, by key.
    pub limits: Vec<Limit>,
    /// Mutations nobody has settled.
    pub in_doubt: Vec<Mutation>,
    /// How many events each topic has, by status.
    pub events: BTreeMap<String, EventCounts>,
    /// How many inputs are pending.
    pub pending_inputs: u32,
    /// The last session.
    pub last_session: Option<Session>,
}

/// How many events a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EventCounts {
    /// Waiting.
    pub pending: u32,
    /// Bound to a run.
    pub reserved: u32,
    /// Done.
    pub consumed: u32,
    /// Skipped by a person.
    pub skipped: u32,
    /// Set aside after repeated failures.
    pub parked: u32,
}
