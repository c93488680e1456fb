//! Asks people: human nodes, the start of a held run, nodes that failed for good.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_core::graph::{ArtifactStatus, Node, NodeChange, NodeType};
use windlass_core::{
    Actor, ApprovalKind, ApprovalStatus, ArtifactId, NodeRunId, Text as _, digest,
};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::load::LockedGraph;
use super::notices::Notice;
use super::{journal, notices, write};
use crate::error::Result;
use crate::model::NotificationKind;
use crate::rows::{ApprovalRow, At, Db, Json, storable};
use crate::schema::{approvals, artifacts, node_runs};

/// Asks the person of a human node that has just begun.
pub(super) async fn begin(tx: &Tx<'_>, locked: &mut LockedGraph, position: usize) -> Result<()> {
    let Some((node, node_run)) = node_at(locked, position) else { return Ok(()) };
    let kind = match node.node_type {
        NodeType::HumanInput => ApprovalKind::HumanInput,
        NodeType::HumanReviewEdit => ApprovalKind::HumanReviewEdit,
        NodeType::HumanDecision => ApprovalKind::HumanDecision,
        NodeType::HumanApproval
        | NodeType::Action
        | NodeType::Tool
        | NodeType::Validate
        | NodeType::Transform
        | NodeType::Switch
        | NodeType::Join => ApprovalKind::HumanApproval,
    };
    let input = node_runs::table.find(node_run).select(node_runs::input);
    let input: Option<Json> = input.first(tx.conn).await?;
    let presented = json!({
        "nodeId": node.id,
        "label": node.label,
        "objective": node.objective,
        "instructions": node.instructions,
        "successCriteria": node.success_criteria,
        "askedOf": write::owner(&node),
        "input": input.map(|Json(input)| input),
        "artifacts": upstream_artifacts(tx, locked, &node).await?,
    });
    let prompt = [&node.instructions, &node.objective, &node.label];
    let prompt = prompt.into_iter().find(|text| !text.trim().is_empty());
    let prompt = prompt.cloned().unwrap_or_default();
    ask(tx, locked, (Some(node_run), kind), prompt, presented).await
}

/// What the nodes before one made, as a person is shown it. Long contents are in the artifacts themselves: the digest binds them.
async fn upstream_artifacts(tx: &Tx<'_>, locked: &LockedGraph, node: &Node) -> Result<Vec<Value>> {
    if node.upstream_node_ids.is_empty() {
        return Ok(Vec::new());
    }
    let made = artifacts::table
        .filter(artifacts::session_id.eq(locked.run.session_id))
        .filter(artifacts::node_id.eq_any(&node.upstream_node_ids))
        .filter(artifacts::status.eq(Db(ArtifactStatus::Current)))
        .order((artifacts::created_at, artifacts::id))
        .select((
            artifacts::id,
            artifacts::name,
            artifacts::kind,
            artifacts::version,
            artifacts::content,
            artifacts::uri,
        ));
    type Made = (Db<ArtifactId>, String, String, i32, Option<Json>, Option<String>);
    let made: Vec<Made> = made.load(tx.conn).await?;
    let shown = made.into_iter().map(|(Db(id), name, kind, version, content, uri)| {
        let content = content.map(|Json(content)| content);
        json!({ "id": id, "name": name, "kind": kind, "version": version, "content": content, "pointer": uri })
    });
    Ok(shown.collect())
}

/// Asks a person what to do with a node that failed for good.
pub(super) async fn escalate(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    change: &NodeChange,
) -> Result<()> {
    let Some((node, node_run)) = node_at(locked, change.position) else { return Ok(()) };
    let failure = change.attempt.as_ref().and_then(|end| end.failure.as_ref());
    let reason = failure.map(|(_, reason)| reason.clone()).unwrap_or_default();
    let presented = json!({
        "nodeId": node.id,
        "label": node.label,
        "objective": node.objective,
        "failure": reason,
        "answers": {
            "approve": "go on with what there is",
            "reject": "leave the node out",
            "reject with edits": "try it again with the edits in its input",
        },
    });
    let prompt = format!("node `{}` failed: {reason}. What is to be done?", node.id);
    ask(tx, locked, (Some(node_run), ApprovalKind::Escalation), prompt, presented).await
}

/// Asks a person to let a held run start.
pub(super) async fn start(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    ungranted: Vec<String>,
) -> Result<()> {
    let graph = &locked.graph;
    let nodes: Vec<Value> = graph
        .nodes
        .iter()
        .map(|node| json!({ "id": node.id, "label": node.label, "type": node.node_type, "owner": node.owner, "input": node.input }))
        .collect();
    let presented = json!({
        "title": graph.title,
        "objective": graph.objective,
        "tools": graph.tools(),
        "notGranted": ungranted,
        "nodes": nodes,
    });
    let prompt = format!(
        "the plan `{}` wants to call tools that were not granted: {}. May it start?",
        graph.title,
        ungranted.join(", ")
    );
    ask(tx, locked, (None, ApprovalKind::Start), prompt, presented).await
}

async fn ask(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    (node_run_id, kind): (Option<Db<NodeRunId>>, ApprovalKind),
    prompt: String,
    presented: Value,
) -> Result<()> {
    let row = ApprovalRow {
        id: Db(tx.mint()),
        workspace_id: locked.run.workspace_id,
        workflow_id: locked.run.workflow_id,
        session_id: locked.run.session_id,
        node_run_id,
        kind: Db(kind),
        status: Db(ApprovalStatus::Pending),
        prompt: storable(prompt),
        presented_digest: digest(&presented),
        presented: Json(presented),
        requested_by: Actor::Windlass.to_text(),
        requested_at: At(tx.now),
        response: None,
        required_edits: Json(Vec::new()),
        comments: None,
        responded_by: None,
        message_id: None,
        settled_at: None,
    };
    diesel::insert_into(approvals::table).values(&row).execute(tx.conn).await?;
    let details = json!({
        "approvalId": row.id.0,
        "kind": kind,
        "nodeId": row.presented.0.get("nodeId"),
        "message": row.prompt,
    });
    journal::add(tx, locked, ("approval.requested", &Actor::Windlass), None, details);
    let notice = Notice {
        kind: NotificationKind::ApprovalRequested,
        title: format!("`{}` asks you something", locked.workflow.name),
        body: row.prompt,
        approval: Some(row.id),
        node: None,
    };
    notices::add(tx, locked, notice).await
}

/// Closes the question that is open for a node, because nobody has to answer it any more.
pub(super) async fn close(
    tx: &Tx<'_>,
    node_run: Db<NodeRunId>,
    status: ApprovalStatus,
) -> Result<()> {
    let open =
        approvals::node_run_id.eq(node_run).and(approvals::status.eq(Db(ApprovalStatus::Pending)));
    let closed = diesel::update(approvals::table.filter(open))
        .set((approvals::status.eq(Db(status)), approvals::settled_at.eq(Some(At(tx.now)))))
        .returning(approvals::id);
    let closed = closed.load(tx.conn).await?;
    notices::resolve_approvals(tx, &closed).await
}

fn node_at(locked: &LockedGraph, position: usize) -> Option<(Node, Db<NodeRunId>)> {
    let node = locked.graph.nodes.get(position)?;
    Some((node.clone(), locked.nodes.get(position)?.id))
}

/// Closes every question of a run that ends.
pub(super) async fn close_all(tx: &Tx<'_>, locked: &LockedGraph) -> Result<()> {
    let open = approvals::session_id
        .eq(locked.run.session_id)
        .and(approvals::status.eq(Db(ApprovalStatus::Pending)));
    diesel::update(approvals::table.filter(open))
        .set((
            approvals::status.eq(Db(ApprovalStatus::Cancelled)),
            approvals::settled_at.eq(Some(At(tx.now))),
        ))
        .execute(tx.conn)
        .await?;
    Ok(())
}
