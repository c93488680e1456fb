//! What people were asked.

use diesel::prelude::*;
use windlass_core::{ApprovalId, SessionId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::keyset::ApprovalsAfter;
use crate::literals::IsAsked;
use crate::model::Approval;
use crate::page::{ApprovalCursor, Listed, Page, Position};
use crate::params::ApprovalFilter;
use crate::rows::{ApprovalRow, Db};
use crate::schema::{approvals, node_runs, workflows};

/// A question, the name of its workflow, and the node and the owner that it belongs to.
type AskedRow = (ApprovalRow, String, Option<(String, String)>);

macro_rules! asked {
    ($workspace:expr) => {
        approvals::table
            .inner_join(workflows::table)
            .left_join(node_runs::table)
            .filter(approvals::workspace_id.eq(Db($workspace)))
            .select((
                ApprovalRow::as_select(),
                workflows::name,
                (node_runs::node_id, node_runs::owner_ref).nullable(),
            ))
    };
}

/// What people were asked: first what was asked first.
pub(in super::super) async fn approvals(
    conn: &Conn,
    filter: ApprovalFilter,
    page: Page<ApprovalCursor>,
) -> Result<Listed<Approval, ApprovalCursor>> {
    let mut query = asked!(filter.workspace)
        .order((approvals::requested_at, approvals::id))
        .limit(page.n_rows())
        .into_boxed();
    if let Some(session) = filter.session {
        query = query.filter(approvals::session_id.eq(Db(session)));
    }
    if filter.only_pending {
        query = query.filter(IsAsked);
    }
    if let Some(after) = &page.after {
        query = query.filter(ApprovalsAfter::from(after));
    }
    let rows: Vec<AskedRow> = query.load(conn).await?;
    let position = |(row, ..): &AskedRow| Position { at: row.requested_at.0, id: row.id.0 };
    Ok(page.of(rows, position, into_approval))
}

/// What people were asked in one run, in the order of the questions.
pub(super) async fn of_session(
    conn: &Conn,
    workspace: WorkspaceId,
    session: SessionId,
) -> Result<Vec<Approval>> {
    let query = asked!(workspace)
        .filter(approvals::session_id.eq(Db(session)))
        .order((approvals::requested_at, approvals::id));
    let rows: Vec<AskedRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(into_approval).collect())
}

/// One question.
pub(in super::super) async fn approval(
    conn: &Conn,
    workspace: WorkspaceId,
    approval: ApprovalId,
) -> Result<Approval> {
    let row = asked!(workspace).filter(approvals::id.eq(Db(approval)));
    let row: Option<AskedRow> = row.optional(conn).await?;
    row.map(into_approval).ok_or_else(|| StoreError::not_found("approval", &approval))
}

fn into_approval((row, workflow, node): AskedRow) -> Approval {
    row.into_approval(workflow, node)
}
