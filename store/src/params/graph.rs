//! What the operations on runs of graphs are given.

use serde_json::Value;
use windlass_core::graph::{Graph, GraphStatus, NodeResult};
use windlass_core::{
    Actor, ApprovalAnswer, ApprovalId, Grant, ScriptId, SessionId, Timestamp, WorkflowId,
    WorkflowKind, WorkspaceId,
};

use super::NewLog;
use crate::model::Claim;

/// A compiled graph with the text that it was made of.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphText {
    /// The name of the file.
    pub file_name: String,
    /// The text of the draft, as its author wrote it.
    pub source: String,
    /// What was compiled of it.
    pub graph: Graph,
}

/// Keeps a plan that an agent will do by itself. Each call makes a plan of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordPlan {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The plan. Its steps are a chain.
    pub text: GraphText,
    /// Who records it.
    pub actor: Actor,
}

/// Begins an execution of a recorded plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartExecution {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The recorded plan.
    pub plan: ScriptId,
    /// Notes of the agent.
    pub notes: Option<String>,
    /// Who begins it, and so leads it.
    pub actor: Actor,
}

/// Begins a run of a plan in a workstream, which the first plan makes.
#[derive(Debug, Clone, PartialEq)]
pub struct StartPlan {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The name of the workstream.
    pub workstream: String,
    /// The plan.
    pub text: GraphText,
    /// The tools that a person has granted. If the plan calls another one, its run waits for a person to let it start.
    pub grant: Grant,
    /// The run that it replaces; none for a new plan.
    pub replaces: Option<Replaced>,
    /// A repeated call with the same key returns the run of the first one.
    pub idempotency_key: Option<String>,
    /// When the run has to be over.
    pub deadline_at: Option<Timestamp>,
    /// Who begins it. The lead is whom the plan names, and else this one.
    pub actor: Actor,
}

/// The run that a plan replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The run, if the caller knows it. Then it has to be the active one.
    pub run: Option<SessionId>,
    /// Why it is replaced.
    pub reason: String,
    /// Whether nothing is taken over from it.
    pub is_fresh: bool,
}

/// Takes up a node, or submits its result.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmitNode {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The run.
    pub session: SessionId,
    /// The id of the node in its graph.
    pub node: String,
    /// What is said of it.
    pub submission: Submission,
    /// Who says it: the node's owner or the run's lead.
    pub actor: Actor,
}

/// What is said of a node.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one for each call, and most are results")]
pub enum Submission {
    /// Work on it begins.
    Begin,
    /// It is done, or it failed.
    Result(NodeResult),
}

/// A person answers what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleApproval {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What was asked.
    pub approval: ApprovalId,
    /// The answer.
    pub answer: ApprovalAnswer,
    /// Who answers.
    pub actor: Actor,
}

/// Resumes, restarts or cancels a run of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct SteerGraph {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The run.
    pub session: SessionId,
    /// What is done with it.
    pub action: Steer,
    /// Who does it.
    pub actor: Actor,
}

/// What is done with a run of a graph.
#[derive(Debug, Clone, PartialEq)]
pub enum Steer {
    /// The causes of the stops are repaired.
    Resume {
        /// Whether back-offs end too.
        force: bool,
    },
    /// A node is done anew.
    Restart {
        /// The node.
        node: String,
        /// Whether every node after it is reset too.
        downstream: bool,
        /// Whether effects that have happened may happen again.
        repeat_effects: bool,
        /// Whether what people edited is given up.
        discard_edits: bool,
    },
    /// The run ends now.
    Cancel {
        /// Why.
        reason: String,
        /// Further data of the decision.
        details: Option<Value>,
    },
}

/// Writes a decision or an action of an agent into the journal of a run. Nothing else changes, and the run may be over.
#[derive(Debug, Clone, PartialEq)]
pub struct AddNote {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The run.
    pub session: SessionId,
    /// The node that it is about.
    pub node: Option<String>,
    /// What is noted.
    pub kind: NoteKind,
    /// Why, or what was done.
    pub reason: String,
    /// Further data.
    pub details: Value,
    /// Who notes it.
    pub actor: Actor,
}

/// What a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// A decision to go on.
    Decision,
    /// Something that was done outside.
    Action,
}

/// Which run of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphSelector {
    /// This one.
    Session(SessionId),
    /// The one of a workflow that is not over.
    Active(WorkflowId),
    /// The newest one of a workflow.
    Newest(WorkflowId),
}

/// What is read of a run besides its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GraphIncludes {
    /// The entries of its journal; none where nothing is said.
    pub events: Option<EventsAfter>,
    /// The attempts at its nodes, with what the checks found.
    pub attempts: bool,
    /// What was made.
    pub artifacts: bool,
    /// What people were asked.
    pub approvals: bool,
    /// What was known after each change.
    pub checkpoints: bool,
}

/// Which entries of a run's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsAfter {
    /// Those after this place.
    pub seq: u32,
    /// How many at the most.
    pub limit: u32,
}

/// Which runs of graphs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFilter {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The kind of their workflows.
    pub kind: WorkflowKind,
    /// The workflow; none for all.
    pub workflow: Option<WorkflowId>,
    /// Their statuses; empty for all.
    pub statuses: Vec<GraphStatus>,
    /// Which come first.
    pub order: GraphOrder,
    /// How many at the most.
    pub limit: u32,
    /// How many of the first are left out.
    pub offset: u32,
}

/// Which runs of graphs come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphOrder {
    /// Those that began last.
    Begun,
    /// Those that changed last.
    Changed,
    /// Those that ended last. Those that are under way come at the end.
    Ended,
}

/// Which questions to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalFilter {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The run; none for all.
    pub session: Option<SessionId>,
    /// Whether those are left out that are settled.
    pub only_pending: bool,
}

/// Deletes recorded executions that are over, with everything about them, and recorded plans that have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteExecutions {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Executions with these statuses; those that are under way are never deleted.
    pub statuses: Vec<GraphStatus>,
    /// Whether recorded plans without executions are deleted, of whatever age.
    pub orphaned_plans: bool,
    /// Executions that ended before.
    pub ended_before: Timestamp,
    /// Whether nothing is deleted, and it is only said what would be.
    pub is_dry_run: bool,
    /// How many of each at the most.
    pub limit: u32,
}

/// What a person set for a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetWorkspace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The tools that plans of agents may call without being asked about.
    pub plan_grant: Grant,
    /// Who sets it.
    pub actor: Actor,
}

/// Commits the run of a node with what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitNode {
    /// The claim.
    pub claim: Claim,
    /// What came of the node.
    pub result: NodeResult,
    /// Whether the effect of the run left traces. Then nothing repeats it without a person's word.
    pub leaves_traces: bool,
    /// The lines of its log.
    pub logs: Vec<NewLog>,
}
