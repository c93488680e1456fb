//! Tells people of runs of graphs.

use diesel::prelude::*;
use windlass_core::{ApprovalId, RunId, SessionId, WorkflowId};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::load::LockedGraph;
use crate::error::Result;
use crate::model::NotificationKind;
use crate::rows::{At, Db, NotificationRow, storable};
use crate::schema::notifications;

/// What is told of a run of a graph.
pub(in super::super) struct Notice {
    pub(in super::super) kind: NotificationKind,
    pub(in super::super) title: String,
    pub(in super::super) body: String,
    /// The question that it is about. It is resolved when that is settled.
    pub(in super::super) approval: Option<Db<ApprovalId>>,
    /// The node that is blocked. It is resolved when the node is not blocked any more.
    pub(in super::super) node: Option<String>,
}

/// Notifies of something in a run of a graph.
pub(in super::super) async fn add(tx: &Tx<'_>, locked: &LockedGraph, notice: Notice) -> Result<()> {
    let row = NotificationRow {
        id: Db(tx.mint()),
        workspace_id: locked.run.workspace_id,
        workflow_id: locked.run.workflow_id,
        kind: Db(notice.kind),
        run_id: None,
        mutation_id: None,
        title: storable(notice.title),
        body: storable(notice.body),
        reason: notice.node,
        session_id: Some(locked.run.session_id),
        approval_id: notice.approval,
        created_at: At(tx.now),
        resolved_at: None,
    };
    diesel::insert_into(notifications::table).values(&row).execute(tx.conn).await?;
    Ok(())
}

/// Resolves the notifications about these questions.
pub(in super::super) async fn resolve_approvals(
    tx: &Tx<'_>,
    settled: &[Db<ApprovalId>],
) -> Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let open = notifications::approval_id.eq_any(settled).and(notifications::resolved_at.is_null());
    diesel::update(notifications::table.filter(open))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Resolves the notifications about a run of a node.
pub(in super::super) async fn resolve_run(tx: &Tx<'_>, run: Db<RunId>) -> Result<()> {
    let open = notifications::run_id.eq(run).and(notifications::resolved_at.is_null());
    diesel::update(notifications::table.filter(open))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Resolves the notification about a node that is not blocked any more.
pub(in super::super) async fn resolve_block(
    tx: &Tx<'_>,
    session: Db<SessionId>,
    node: &str,
) -> Result<()> {
    let open = notifications::session_id
        .eq(session)
        .and(notifications::resolved_at.is_null())
        .and(notifications::reason.eq(node));
    diesel::update(notifications::table.filter(open))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Resolves the notifications about a run of a graph that ends.
pub(in super::super) async fn resolve_session(tx: &Tx<'_>, session: Db<SessionId>) -> Result<()> {
    let open = notifications::session_id.eq(session).and(notifications::resolved_at.is_null());
    diesel::update(notifications::table.filter(open))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Resolves the open notifications about what stopped the workflow of a graph as a whole. What is told of a node stands until that node
/// goes on.
pub(in super::super) async fn resolve_stops_of_graph(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
) -> Result<()> {
    let kinds = [NotificationKind::Error, NotificationKind::EffectContradicted].map(Db);
    let open = notifications::workflow_id
        .eq(workflow)
        .and(notifications::resolved_at.is_null())
        .and(notifications::kind.eq_any(kinds))
        .and(notifications::session_id.is_null());
    diesel::update(notifications::table.filter(open))
        .set(notifications::resolved_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}
