//! People answer what they were asked.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_core::graph::after_answer;
use windlass_core::{
    ApprovalKind, ApprovalRefused, ApprovalStatus, Asked, SessionId, Settled, Text as _, settle,
};

use super::super::dialect::RunQueryDsl;
use super::super::reads::approvals as read;
use super::super::{Operation, Tx};
use super::advance::{self, End};
use super::load::{self, LockedGraph};
use super::{artifacts, journal, notices, write};
use crate::error::{Result, StoreError};
use crate::model::SettledApproval;
use crate::params::SettleApproval;
use crate::rows::{ApprovalRow, At, Db, Json, storable};
use crate::schema::approvals;

impl Operation for SettleApproval {
    type Output = SettledApproval;

    async fn run(self, tx: &Tx<'_>) -> Result<SettledApproval> {
        let session = approvals::table
            .find(Db(self.approval))
            .filter(approvals::workspace_id.eq(Db(self.workspace)))
            .select(approvals::session_id);
        let session: Option<Db<SessionId>> = session.optional(tx.conn).await?;
        let missing = || StoreError::not_found("approval", &self.approval);
        let Db(session) = session.ok_or_else(missing)?;
        let mut locked = load::lock(tx, self.workspace, session).await?;
        // Read under the lock.
        let row = ApprovalRow::query().filter(approvals::id.eq(Db(self.approval)));
        let row: ApprovalRow = row.first(tx.conn).await?;
        let asked = Asked {
            kind: row.kind.0,
            status: row.status.0,
            presented_digest: &row.presented_digest,
            owner: None,
        };
        let message_id = self.answer.message_id.clone();
        let is_settled_now = match settle(&asked, self.answer, &self.actor) {
            Ok(settled) => {
                write_answer(tx, &row, &settled, message_id).await?;
                follow(tx, &mut locked, &row, (&settled, &self.actor)).await?;
                true
            }
            Err(ApprovalRefused::Closed(_)) => false,
            Err(refused) => return Err(refused.into()),
        };
        let approval = read::approval(tx.conn, self.workspace, self.approval).await?;
        Ok(SettledApproval { approval, is_settled_now, run: locked.run.status.0 })
    }
}

async fn write_answer(
    tx: &Tx<'_>,
    row: &ApprovalRow,
    settled: &Settled,
    message_id: Option<String>,
) -> Result<()> {
    diesel::update(approvals::table.find(row.id))
        .set((
            approvals::status.eq(Db(settled.status)),
            approvals::response.eq(Some(Json(&settled.response))),
            approvals::required_edits.eq(Json(&settled.required_edits)),
            approvals::comments.eq(settled.comments.clone().map(storable)),
            approvals::responded_by.eq(Some(settled.by.clone())),
            approvals::message_id.eq(message_id.map(storable)),
            approvals::settled_at.eq(Some(At(tx.now))),
        ))
        .execute(tx.conn)
        .await?;
    notices::resolve_approvals(tx, &[row.id]).await
}

/// Writes what the answer changes in its run.
async fn follow(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    row: &ApprovalRow,
    (settled, by): (&Settled, &windlass_core::Actor),
) -> Result<()> {
    let node = locked.nodes.iter().position(|head| Some(head.id) == row.node_run_id);
    let node_id =
        node.and_then(|position| locked.graph.nodes.get(position)).map(|it| it.id.clone());
    let details = json!({
        "approvalId": row.id.0,
        "nodeId": node_id,
        "kind": row.kind.0,
        "status": settled.status,
        "message": format!("{} answered: {}", by.to_text(), settled.status),
    });
    journal::add(tx, locked, ("approval.responded", by), settled.comments.clone(), details);
    if row.kind.0 == ApprovalKind::Start {
        return start(tx, locked, settled, by).await;
    }
    if let Some(position) = node {
        let answer = (row.kind.0, settled);
        let changes = after_answer(&locked.graph, &locked.state, position, answer, tx.now)?;
        if row.kind.0 == ApprovalKind::HumanReviewEdit
            && let Some(content) = edited_content(settled)
        {
            let graph = std::sync::Arc::clone(&locked.graph);
            if let Some(review) = graph.nodes.get(position) {
                artifacts::edited(tx, locked, review, (content, by)).await?;
            }
        }
        write::apply(tx, locked, changes, by).await?;
    }
    advance::advance(tx, locked).await?;
    advance::save(tx, locked, "human-response").await
}

/// What a person made of what was reviewed.
fn edited_content(settled: &Settled) -> Option<Value> {
    let field = |name: &str| settled.response.get(name).filter(|it| !it.is_null()).cloned();
    field("content").or_else(|| field("responseText"))
}

/// A person lets a held run start, or does not.
async fn start(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    settled: &Settled,
    by: &windlass_core::Actor,
) -> Result<()> {
    if settled.status == ApprovalStatus::Approved {
        locked.run.held = false;
        locked.state.is_held = false;
        advance::advance(tx, locked).await?;
    } else {
        let why = settled.comments.clone().unwrap_or_else(|| "it was not let start".to_owned());
        advance::cancel(tx, locked, End::Cancelled(why), by).await?;
    }
    advance::save(tx, locked, "human-response").await
}
