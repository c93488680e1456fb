//! What is shown of a plan where it is asked for: events, artifacts, checkpoints and findings.

use serde::Serialize;
use serde_json::{Value, json};
use windlass_core::graph::{ArtifactKind, ArtifactStatus, FindingCode, Graph, Severity};
use windlass_core::{ArtifactId, AttemptId, JournalId, Timestamp};
use windlass_store::{Artifact, Attempt, JournalEntry};

/// Something that happened in a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanEvent {
    /// Its id.
    pub id: JournalId,
    /// What happened, for example `node-completed`.
    pub event_type: String,
    /// The same for people.
    pub message: String,
    /// Who did it; `system` for the engine.
    pub emitted_by: String,
    /// The node that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// More.
    pub detail: Value,
    /// When.
    pub created_at: Timestamp,
}

impl From<JournalEntry> for PlanEvent {
    fn from(entry: JournalEntry) -> Self {
        let text = |name: &str| entry.details.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_engine = entry.actor == "windlass";
        Self {
            id: entry.id,
            event_type: entry.action.replace(['.', '_'], "-"),
            message: text("message").or_else(|| entry.reason.clone()).unwrap_or_default(),
            emitted_by: if is_engine { "system".to_owned() } else { entry.actor.clone() },
            node_id: text("nodeId"),
            detail: entry.details,
            created_at: entry.created_at,
        }
    }
}

/// Everything that happened, in its order. Checkpoints are told by their id and reason.
pub(super) fn events(entries: Vec<JournalEntry>, checkpoints: &[JournalEntry]) -> Vec<PlanEvent> {
    let of_checkpoints = checkpoints.iter().cloned().map(|entry| {
        let PlanCheckpoint { id, reason, .. } = PlanCheckpoint::from(entry.clone());
        PlanEvent {
            message: format!("checkpoint saved: {}", reason.as_str().unwrap_or_default()),
            detail: json!({"checkpointId": id, "reason": reason}),
            ..PlanEvent::from(entry)
        }
    });
    let mut events: Vec<_> =
        entries.into_iter().map(PlanEvent::from).chain(of_checkpoints).collect();
    events.sort_by_key(|event| (event.created_at, event.id));
    events
}

/// A version of something that was made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanArtifact {
    /// Its id.
    pub id: ArtifactId,
    /// The node that made it.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

impl From<Artifact> for PlanArtifact {
    fn from(artifact: Artifact) -> Self {
        Self {
            id: artifact.id,
            node_id: artifact.node_id,
            attempt_id: artifact.attempt_id,
            name: artifact.name,
            kind: artifact.kind,
            version: artifact.version,
            status: artifact.status,
            content: artifact.content,
            pointer: artifact.uri,
            description: artifact.description,
            created_by: artifact.created_by,
            created_at: artifact.created_at,
        }
    }
}

/// What was known after a change: `sequence`, `runStatus`, `readyNodeIds`, `activeNodeIds`, `artifactIds`, `lastCompletedNodeIds`, and a
/// `snapshot` with the reason.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCheckpoint {
    /// Its id.
    pub id: JournalId,
    /// Why it was saved.
    pub reason: Value,
    /// The rest.
    #[serde(flatten)]
    pub state: Value,
    /// When it was saved.
    pub created_at: Timestamp,
}

impl From<JournalEntry> for PlanCheckpoint {
    fn from(entry: JournalEntry) -> Self {
        let mut state = entry.details;
        let own = state.as_object_mut().and_then(|state| state.remove("reason"));
        let of_snapshot = || state.pointer("/snapshot/reason").cloned().unwrap_or_default();
        let reason = own.unwrap_or_else(of_snapshot);
        Self { id: entry.id, reason, state, created_at: entry.created_at }
    }
}

/// What a check found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanIssue {
    /// What kind of thing it is.
    pub code: FindingCode,
    /// Whether it stops.
    pub severity: Severity,
    /// Where it is in the draft or in the result.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The node that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// The attempt whose result it is about; none where it is about the draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_id: Option<AttemptId>,
    /// The number of that attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_number: Option<u32>,
}

/// What the checks found: first of the draft, then of results.
pub(super) fn issues(graph: &Graph, attempts: Vec<Attempt>) -> Vec<PlanIssue> {
    let of_draft = graph.warnings.iter().cloned().map(|found| PlanIssue {
        code: found.code,
        severity: found.severity,
        path: found.path,
        message: found.message,
        node_id: found.node,
        attempt_id: None,
        attempt_number: None,
    });
    let of_results = attempts.into_iter().flat_map(|attempt| {
        let Attempt { id, node_id, number, findings, .. } = attempt;
        findings.into_iter().map(move |found| PlanIssue {
            code: found.code,
            severity: found.severity,
            path: found.path,
            message: found.message,
            node_id: Some(node_id.clone()),
            attempt_id: Some(id),
            attempt_number: Some(number),
        })
    });
    of_draft.chain(of_results).collect()
}
