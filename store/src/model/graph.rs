//! Runs of graphs: their nodes, attempts, artifacts and approvals.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use windlass_core::graph::{
    ArtifactKind, ArtifactStatus, AttemptStatus, Finding, Graph, GraphStatus, NodeFailureClass,
    NodeStatus,
};
use windlass_core::{
    ApprovalId, ApprovalKind, ApprovalStatus, ArtifactId, AttemptId, NodeRunId, RunId, ScriptId,
    SessionId, Timestamp, WorkflowId, WorkflowKind,
};

use super::notification::JournalEntry;

/// A run of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphRun {
    /// Its id, which is that of its session.
    pub id: SessionId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The name of its workflow: of the workstream, for a plan.
    pub workflow: String,
    /// What the workflow is called.
    pub title: String,
    /// The kind of the workflow.
    pub kind: WorkflowKind,
    /// The version of the graph that it follows.
    pub script_id: ScriptId,
    /// The number of that version: a new plan counts the first up, a replacement the second.
    pub version: (u32, u32),
    /// How far it has come.
    pub status: GraphStatus,
    /// Whether it waits for a person to let it start.
    pub is_held: bool,
    /// Who leads it.
    pub lead: String,
    /// Notes of whoever began it.
    pub notes: Option<String>,
    /// The run that it replaces.
    pub follows_id: Option<SessionId>,
    /// The final failures in a row.
    pub failure_count: u32,
    /// When it has to be over.
    pub deadline_at: Option<Timestamp>,
    /// Why it failed or was cancelled.
    pub error: Option<String>,
    /// What its calls cost, in microdollars.
    pub cost: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When one of its nodes last changed.
    pub updated_at: Timestamp,
}

/// A node in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRun {
    /// Its id.
    pub id: NodeRunId,
    /// Its id in the graph.
    pub node_id: String,
    /// Its place in the graph.
    pub position: usize,
    /// How far it has come.
    pub status: NodeStatus,
    /// How many attempts were begun.
    pub attempt_count: u32,
    /// How often it was tried again by itself.
    pub retry_count: u32,
    /// Its input, once it may begin.
    pub input: Option<Value>,
    /// Its output, once it has a result.
    pub output: Option<Value>,
    /// Why it is blocked.
    pub blocked_reason: Option<String>,
    /// Why it failed last or is blocked.
    pub failure_class: Option<NodeFailureClass>,
    /// The handler run that has it, or had it last.
    pub run_id: Option<RunId>,
    /// The node of an earlier run whose result it took over.
    pub carried_from: Option<NodeRunId>,
    /// It does not begin before.
    pub available_at: Option<Timestamp>,
    /// Its attempt is over then.
    pub deadline_at: Option<Timestamp>,
    /// When it might begin.
    pub ready_at: Option<Timestamp>,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An attempt at a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The node, by its id in the graph.
    pub node_id: String,
    /// Its number, the first being 1.
    pub number: u32,
    /// What became of it.
    pub status: AttemptStatus,
    /// Who made it.
    pub submitted_by: String,
    /// The handler run that made it.
    pub handler_run_id: Option<RunId>,
    /// What was submitted as output.
    pub output: Option<Value>,
    /// Notes for people.
    pub notes: Option<String>,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// Why it failed.
    pub failure_class: Option<NodeFailureClass>,
    /// The same in words.
    pub failure_message: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
}

/// A version of something that was made. It never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// The node that made it, by its id in the graph.
    pub node_id: Option<String>,
    /// The attempt that made it.
    pub attempt_id: Option<AttemptId>,
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub kind: ArtifactKind,
    /// Counts the versions of the same thing.
    pub version: u32,
    /// Whether it is the one that counts.
    pub status: ArtifactStatus,
    /// Its content.
    pub content: Option<Value>,
    /// Where it is.
    pub uri: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// Something that a person is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The run.
    pub session_id: SessionId,
    /// The name of the run's workflow.
    pub workflow: String,
    /// The node that asks, by its id in the graph; none where the run itself asks.
    pub node_id: Option<String>,
    /// The person who is asked; none where every person may answer.
    pub owner: Option<String>,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// What became of it.
    pub status: ApprovalStatus,
    /// The question.
    pub prompt: String,
    /// Exactly what was shown.
    pub presented: Value,
    /// The digest of that.
    pub presented_digest: String,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// The answer.
    pub response: Option<Value>,
    /// What has to be done otherwise.
    pub required_edits: Vec<String>,
    /// What the person said about it.
    pub comments: Option<String>,
    /// Who answered.
    pub responded_by: Option<String>,
    /// The message that the answer came in.
    pub message_id: Option<String>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
}

/// A run of a graph with its nodes, and what was asked for besides.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphView {
    /// The run.
    pub run: GraphRun,
    /// The graph.
    pub graph: Arc<Graph>,
    /// The nodes by position.
    pub nodes: Vec<NodeRun>,
    /// The attempts, by node and number.
    pub attempts: Vec<Attempt>,
    /// What was made, in the order in which it was made.
    pub artifacts: Vec<Artifact>,
    /// What people were asked, in that order.
    pub approvals: Vec<Approval>,
    /// What was known after each change, in the order of the changes.
    pub checkpoints: Vec<JournalEntry>,
    /// The entries of its journal but for checkpoints, in their order.
    pub events: Vec<JournalEntry>,
}

/// A version of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphVersion {
    /// Its id.
    pub id: ScriptId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The kind of the workflow.
    pub kind: WorkflowKind,
    /// What the workflow is called.
    pub title: String,
    /// The text that it was made of.
    pub source: String,
    /// The graph.
    pub graph: Arc<Graph>,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// Some runs of graphs, and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphRuns {
    /// The runs, newest first.
    pub runs: Vec<GraphRun>,
    /// How many fit the filter.
    pub total: u64,
}

/// A recorded plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedPlan {
    /// The plan.
    pub plan: ScriptId,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// A run that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartedGraph {
    /// The run.
    pub session: SessionId,
    /// Whether it is new: a repeated call with the same key begins none.
    pub is_new: bool,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmittedNode {
    /// The status of the node afterwards.
    pub node: NodeStatus,
    /// The status of the attempt, once it has a result.
    pub attempt: AttemptStatus,
    /// The number of the attempt.
    pub number: u32,
    /// What the checks found.
    pub findings: Vec<Finding>,
    /// How far the run has come.
    pub run: GraphStatus,
    /// Whether it was submitted before, and this is the first answer.
    pub is_repeated: bool,
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct SettledApproval {
    /// What was asked, as it stands now.
    pub approval: Approval,
    /// Whether this answer settled it; otherwise it was settled before.
    pub is_settled_now: bool,
    /// How far the run has come.
    pub run: GraphStatus,
}

/// What became of a run that somebody steered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SteeredGraph {
    /// Whether something changed: not where there was nothing to resume, or the run was over before it was cancelled.
    pub has_changed: bool,
    /// How far the run has come.
    pub status: GraphStatus,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedExecutions {
    /// The executions.
    pub executions: Vec<SessionId>,
    /// The recorded plans.
    pub plans: Vec<ScriptId>,
}
