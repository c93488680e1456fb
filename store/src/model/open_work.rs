//! What is open in all workspaces together.

use windlass_core::{Timestamp, WorkflowStatus};

/// What is open in all workspaces together: work to do, and what waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenWork {
    /// How many runs wait for a worker. Those of workflows that may not run now are not among them.
    pub queued: u64,
    /// When the one was enqueued that waits longest.
    pub oldest_queued_at: Option<Timestamp>,
    /// How many runs workers have.
    pub active: u64,
    /// Of how many effects nobody knows whether they happened, without those whose requests are under way.
    pub in_doubt: u64,
    /// How many approvals people have not answered.
    pub approvals: u64,
    /// Since when the oldest question to a person waits: about an effect in doubt, or an approval.
    pub oldest_question_at: Option<Timestamp>,
    /// How many events were taken out of the queue because their runs failed.
    pub parked: u64,
    /// The workflows that are not archived.
    pub workflows: Vec<WorkflowMarks>,
}

/// What decides whether a workflow works, waits or needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkflowMarks {
    /// What a person ordered of it.
    pub status: WorkflowStatus,
    /// Whether its script has to be repaired.
    pub is_in_maintenance: bool,
    /// Whether an error has stopped it.
    pub has_error: bool,
    /// Whether what was learned late of an effect contradicts the ledger.
    pub is_contradicted: bool,
    /// Whether a person has to say if an effect happened.
    pub is_asked_about: bool,
    /// Whether a tool looks up if an effect happened.
    pub is_looked_up: bool,
    /// Whether a worker has a run of its script.
    pub is_running: bool,
}
