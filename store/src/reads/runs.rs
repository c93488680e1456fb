//! Handler runs, their sessions and their logs.

use diesel::dsl::exists;
use diesel::prelude::*;
use windlass_core::{RunId, SessionId, WorkflowId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::convert::to_u32;
use crate::error::{Result, StoreError};
use crate::keyset::{RunsBefore, SessionsBefore};
use crate::literals::IsOpenOfScript;
use crate::model::{LogEntry, Run, Session};
use crate::page::{Listed, Page, Position, RunCursor, SessionCursor};
use crate::params::{LogFilter, LogSource, RunFilter};
use crate::rows::{Db, LogRow, RunRow, RunValues, SessionRow};
use crate::schema::{handler_runs, run_logs, run_values, sessions};
use crate::tenant::in_workspace;

/// Runs with their values.
macro_rules! runs_with_values {
    () => {
        handler_runs::table.left_join(run_values::table).select((
            RunRow::as_select(),
            (
                run_values::prepare_result.nullable(),
                run_values::input_state.nullable(),
                run_values::output_state.nullable(),
            ),
        ))
    };
}

/// Runs, newest first.
pub(in super::super) async fn runs(
    conn: &Conn,
    filter: &RunFilter,
) -> Result<Listed<Run, RunCursor>> {
    let mut query = runs_with_values!()
        .filter(handler_runs::workflow_id.eq(Db(filter.workflow)))
        .filter(handler_runs::workspace_id.eq(Db(filter.workspace)))
        .order((handler_runs::created_at.desc(), handler_runs::id.desc()))
        .limit(filter.page.n_rows())
        .into_boxed();
    if let Some(session) = filter.session {
        query = query.filter(handler_runs::session_id.eq(Db(session)));
    }
    if let Some(after) = &filter.page.after {
        query = query.filter(RunsBefore::from(after));
    }
    let rows: Vec<(RunRow, RunValues)> = query.load(conn).await?;
    let position = |(row, _): &(RunRow, RunValues)| Position { at: row.created_at.0, id: row.id.0 };
    Ok(filter.page.of(rows, position, |(row, values)| row.into_run(values)))
}

/// One run.
pub(in super::super) async fn run(conn: &Conn, workspace: WorkspaceId, run: RunId) -> Result<Run> {
    find_run(conn, workspace, run).await?.ok_or_else(|| StoreError::not_found("run", &run))
}

/// One run, where it exists.
pub(super) async fn find_run(
    conn: &Conn,
    workspace: WorkspaceId,
    run: RunId,
) -> Result<Option<Run>> {
    let query = runs_with_values!()
        .filter(handler_runs::id.eq(Db(run)))
        .filter(handler_runs::workspace_id.eq(Db(workspace)));
    let row: Option<(RunRow, RunValues)> = query.optional(conn).await?;
    Ok(row.map(|(row, values)| row.into_run(values)))
}

/// A workflow's queued or active run.
pub(super) async fn open_run(conn: &Conn, workflow: WorkflowId) -> Result<Option<Run>> {
    let query = runs_with_values!()
        .filter(handler_runs::workflow_id.eq(Db(workflow)))
        .filter(IsOpenOfScript);
    let row: Option<(RunRow, RunValues)> = query.optional(conn).await?;
    Ok(row.map(|(row, values)| row.into_run(values)))
}

/// One session.
pub(in super::super) async fn session(
    conn: &Conn,
    workspace: WorkspaceId,
    session: SessionId,
) -> Result<Session> {
    let query = SessionRow::query()
        .filter(sessions::id.eq(Db(session)))
        .filter(in_workspace!(workspace, sessions::workflow_id));
    let row: Option<SessionRow> = query.optional(conn).await?;
    row.map(Session::from).ok_or_else(|| StoreError::not_found("session", &session))
}

/// A workflow's sessions, newest first.
pub(in super::super) async fn sessions(
    conn: &Conn,
    (workspace, workflow): (WorkspaceId, WorkflowId),
    page: Page<SessionCursor>,
) -> Result<Listed<Session, SessionCursor>> {
    let mut query = SessionRow::query()
        .filter(sessions::workflow_id.eq(Db(workflow)))
        .filter(in_workspace!(workspace, Db(workflow)))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .limit(page.n_rows())
        .into_boxed();
    if let Some(after) = &page.after {
        query = query.filter(SessionsBefore::from(after));
    }
    let rows: Vec<SessionRow> = query.load(conn).await?;
    let position = |row: &SessionRow| Position { at: row.created_at.0, id: row.id.0 };
    Ok(page.of(rows, position, Session::from))
}

/// A workflow's last session.
pub(super) async fn last_session(conn: &Conn, workflow: WorkflowId) -> Result<Option<Session>> {
    let query = SessionRow::query()
        .filter(sessions::workflow_id.eq(Db(workflow)))
        .order((sessions::created_at.desc(), sessions::id.desc()));
    let row: Option<SessionRow> = query.optional(conn).await?;
    Ok(row.map(Session::from))
}

/// Log lines of a run or a session, in order.
pub(in super::super) async fn logs(
    conn: &Conn,
    filter: LogFilter,
) -> Result<Listed<LogEntry, u32>> {
    let after = i32::try_from(filter.page.after.unwrap_or(0)).unwrap_or(i32::MAX);
    let lines = run_logs::table
        .left_join(handler_runs::table)
        .select((LogRow::as_select(), handler_runs::handler_name.nullable()))
        .filter(run_logs::seq.gt(after))
        .order(run_logs::seq)
        .limit(filter.page.n_rows());
    let rows: Vec<(LogRow, Option<String>)> = match filter.of {
        LogSource::Run(run) => {
            let of_run = run_logs::handler_run_id.eq(Some(Db(run)));
            let is_own = handler_runs::workspace_id.eq(Db(filter.workspace));
            lines.filter(of_run).filter(is_own).load(conn).await?
        }
        LogSource::Session(session) => {
            let its_session = sessions::table
                .filter(sessions::id.eq(Db(session)))
                .filter(in_workspace!(filter.workspace, sessions::workflow_id));
            let of_session = run_logs::session_id.eq(Db(session));
            lines.filter(of_session).filter(exists(its_session)).load(conn).await?
        }
    };
    Ok(filter.page.of(rows, |(row, _)| to_u32(row.seq), LogEntry::from))
}
