//! The records of runs of graphs.

use super::{instant, json, to_u32, value};
use crate::model::{Approval, Artifact, Attempt, NodeRun};
use crate::rows::{ApprovalRow, ArtifactRow, AttemptRow, NodeRunRow};

impl From<NodeRunRow> for NodeRun {
    fn from(row: NodeRunRow) -> Self {
        Self {
            id: row.id.0,
            node_id: row.node_id,
            position: usize::try_from(row.position).unwrap_or(0),
            status: row.status.0,
            attempt_count: to_u32(row.attempt_count),
            retry_count: to_u32(row.retry_count),
            input: json(row.input),
            output: json(row.output),
            blocked_reason: row.blocked_reason,
            failure_class: value(row.failure_class),
            run_id: value(row.run_id),
            carried_from: value(row.carried_from),
            available_at: instant(row.available_at),
            deadline_at: instant(row.deadline_at),
            ready_at: instant(row.ready_at),
            started_at: instant(row.started_at),
            completed_at: instant(row.completed_at),
            updated_at: row.updated_at.0,
        }
    }
}

impl AttemptRow {
    /// The attempt at the node with that id in its graph.
    pub(crate) fn into_attempt(self, node_id: String) -> Attempt {
        Attempt {
            id: self.id.0,
            node_id,
            number: to_u32(self.number),
            status: self.status.0,
            submitted_by: self.submitted_by,
            handler_run_id: value(self.handler_run_id),
            output: json(self.output),
            notes: self.notes,
            findings: self.findings.0,
            failure_class: value(self.failure_class),
            failure_message: self.failure_message,
            started_at: self.started_at.0,
            ended_at: instant(self.ended_at),
        }
    }
}

impl From<ArtifactRow> for Artifact {
    fn from(row: ArtifactRow) -> Self {
        let description = row.meta.0.get("description").and_then(|it| it.as_str());
        Self {
            id: row.id.0,
            node_id: row.node_id,
            attempt_id: value(row.attempt_id),
            name: row.name,
            kind: row.kind.0,
            version: to_u32(row.version),
            status: row.status.0,
            content: json(row.content),
            uri: row.uri,
            description: description.map(str::to_owned),
            created_by: row.created_by,
            created_at: row.created_at.0,
        }
    }
}

impl ApprovalRow {
    /// The question in the workflow of that name, of the node and the owner.
    pub(crate) fn into_approval(
        self,
        workflow: String,
        node: Option<(String, String)>,
    ) -> Approval {
        let (node_id, owner) = node.unzip();
        Approval {
            id: self.id.0,
            session_id: self.session_id.0,
            workflow,
            node_id,
            owner,
            kind: self.kind.0,
            status: self.status.0,
            prompt: self.prompt,
            presented: self.presented.0,
            presented_digest: self.presented_digest,
            requested_by: self.requested_by,
            requested_at: self.requested_at.0,
            response: json(self.response),
            required_edits: self.required_edits.0,
            comments: self.comments,
            responded_by: self.responded_by,
            message_id: self.message_id,
            settled_at: instant(self.settled_at),
        }
    }
}
