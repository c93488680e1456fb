//! The rows of runs of graphs.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use windlass_core::graph::{
    ArtifactKind, ArtifactStatus, AttemptStatus, Finding, GraphStatus, NodeEffect,
    NodeFailureClass, NodeStatus, NodeType, OwnerType,
};
use windlass_core::{
    ApprovalId, ApprovalKind, ApprovalStatus, ArtifactId, AttemptId, NodeRunId, RunId, ScriptId,
    SessionId, SessionKind, WorkflowId, WorkspaceId,
};

use super::declare::rows;
use super::{At, Db, Json};
use crate::schema::{approvals, artifacts, attempts, graph_runs, node_runs};

rows! {
    /// What a session of a graph is beside a session.
    graph_runs: GraphRunRow {
        session_id: Db<SessionId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Db<WorkflowId>,
        kind: Db<SessionKind>,
        script_id: Db<ScriptId>,
        status: Db<GraphStatus>,
        held: bool,
        lead: String,
        notes: Option<String>,
        follows_id: Option<Db<SessionId>>,
        idempotency_key: Option<String>,
        failure_count: i32,
        deadline_at: Option<At>,
        journal_seq: i32,
        checkpoint_count: i32,
        updated_at: At,
    }

    /// A node in one run.
    node_runs: NodeRunRow {
        id: Db<NodeRunId>,
        session_id: Db<SessionId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Db<WorkflowId>,
        node_id: String,
        position: i32,
        node_type: Db<NodeType>,
        owner_type: Db<OwnerType>,
        owner_ref: String,
        status: Db<NodeStatus>,
        attempt_count: i32,
        retry_count: i32,
        effect_round: i32,
        transient_failures: i32,
        effect: Db<NodeEffect>,
        must_continue: bool,
        input: Option<Json>,
        output: Option<Json>,
        blocked_reason: Option<String>,
        failure_class: Option<Db<NodeFailureClass>>,
        run_id: Option<Db<RunId>>,
        carried_from: Option<Db<NodeRunId>>,
        available_at: Option<At>,
        deadline_at: Option<At>,
        ready_at: Option<At>,
        started_at: Option<At>,
        completed_at: Option<At>,
        updated_at: At,
    }

    /// An attempt at a node.
    attempts: AttemptRow {
        id: Db<AttemptId>,
        node_run_id: Db<NodeRunId>,
        number: i32,
        status: Db<AttemptStatus>,
        submitted_by: String,
        handler_run_id: Option<Db<RunId>>,
        input: Option<Json>,
        output: Option<Json>,
        notes: Option<String>,
        findings: Json<Vec<Finding>>,
        failure_class: Option<Db<NodeFailureClass>>,
        failure_message: Option<String>,
        digest: Option<String>,
        started_at: At,
        ended_at: Option<At>,
    }

    /// A version of something that was made.
    artifacts: ArtifactRow {
        id: Db<ArtifactId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Db<WorkflowId>,
        session_id: Option<Db<SessionId>>,
        attempt_id: Option<Db<AttemptId>>,
        node_id: Option<String>,
        name: String,
        kind: Db<ArtifactKind>,
        slot: String,
        version: i32,
        status: Db<ArtifactStatus>,
        content: Option<Json>,
        uri: Option<String>,
        meta: Json,
        schema_ref: Option<String>,
        created_by: String,
        created_at: At,
    }

    /// Something that a person is asked.
    approvals: ApprovalRow {
        id: Db<ApprovalId>,
        workspace_id: Db<WorkspaceId>,
        workflow_id: Db<WorkflowId>,
        session_id: Db<SessionId>,
        node_run_id: Option<Db<NodeRunId>>,
        kind: Db<ApprovalKind>,
        status: Db<ApprovalStatus>,
        prompt: String,
        presented: Json,
        presented_digest: String,
        requested_by: String,
        requested_at: At,
        response: Option<Json>,
        required_edits: Json<Vec<String>>,
        comments: Option<String>,
        responded_by: Option<String>,
        message_id: Option<String>,
        settled_at: Option<At>,
    }
}
