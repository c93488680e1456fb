//! The journal of a run: its entries are numbered without gaps.

use serde_json::{Value, json};
use windlass_core::graph::{NodeChange, NodeState, NodeStatus};
use windlass_core::{Actor, Text as _, WorkflowKind};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::load::LockedGraph;
use crate::error::Result;
use crate::rows::{At, Db, JournalRow, Json, storable, storable_json};
use crate::schema::journal;

/// Adds an entry, which [`write()`] writes at the end of the transaction.
pub(super) fn add(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    (action, by): (&str, &Actor),
    reason: Option<String>,
    details: Value,
) {
    locked.run.journal_seq = locked.run.journal_seq.saturating_add(1);
    let entry = JournalRow {
        id: Db(tx.mint()),
        workspace_id: locked.run.workspace_id,
        workflow_id: Some(locked.run.workflow_id),
        actor: by.to_text(),
        action: action.to_owned(),
        subject: locked.run.session_id.0.to_text(),
        reason: reason.map(storable),
        details: Json(storable_json(details)),
        session_id: Some(locked.run.session_id),
        seq: Some(locked.run.journal_seq),
        created_at: At(tx.now),
    };
    locked.entries.push(entry);
}

/// Writes the entries.
pub(super) async fn write(tx: &Tx<'_>, locked: &mut LockedGraph) -> Result<()> {
    let rows = std::mem::take(&mut locked.entries);
    for batch in rows.chunks(super::super::BATCH) {
        diesel::insert_into(journal::table).values(batch).execute(tx.conn).await?;
    }
    Ok(())
}

/// Adds the entry about a change of a node, where it is one that people look for.
pub(super) fn add_change(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    (before, change): (&NodeState, &NodeChange),
    by: &Actor,
) {
    let after = change.state.status;
    let Some(action) = action(before, &change.state) else { return };
    // In an execution only what its agent reports is of interest.
    if locked.workflow.kind.0 == WorkflowKind::Journal
        && !matches!(
            action,
            "node.started" | "node.completed" | "node.partial" | "node.failed" | "node.blocked"
        )
    {
        return;
    }
    let Some(node) = locked.graph.nodes.get(change.position) else { return };
    let why = change.attempt.as_ref().and_then(|end| end.failure.as_ref());
    let why = why.map(|(_, reason)| reason).or(change.state.blocked_reason.as_ref());
    let message = format!("node `{}` is {after}", node.id);
    let details = json!({
        "nodeId": node.id,
        "fromStatus": before.status,
        "toStatus": after,
        "attempt": change.state.attempt_count,
        "message": message,
    });
    let why = why.cloned();
    add(tx, locked, (action, by), why, details);
}

fn action(before: &NodeState, after: &NodeState) -> Option<&'static str> {
    let has_new_attempt = after.attempt_count > before.attempt_count;
    if before.status == after.status && !has_new_attempt {
        return None;
    }
    Some(match after.status {
        NodeStatus::Pending => "node.reset",
        NodeStatus::Ready if before.status.is_begun() => "retry.scheduled",
        NodeStatus::Ready => "node.ready",
        NodeStatus::Running => "node.started",
        NodeStatus::AwaitingHuman => "node.awaiting_human",
        NodeStatus::Blocked => "node.blocked",
        NodeStatus::Completed => "node.completed",
        NodeStatus::Partial => "node.partial",
        NodeStatus::Failed => "node.failed",
        NodeStatus::Skipped => "node.skipped",
        NodeStatus::Cancelled => "node.cancelled",
    })
}
