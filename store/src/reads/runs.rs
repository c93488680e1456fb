//! Handler runs, their sessions and their logs.

use diesel::prelude::*;
use windlass_core::{RunId, SessionId, WorkflowId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::literals::IsOpen;
use crate::model::{LogEntry, Run, Session};
use crate::params::{LogFilter, RunFilter};
use crate::rows::{Db, LogRow, RunRow, SessionRow};
use crate::schema::{handler_runs, run_logs, sessions};

/// Runs, newest first.
pub(super) async fn runs(conn: &mut Conn, filter: &RunFilter) -> Result<Vec<Run>> {
    let mut query = RunRow::query()
        .filter(handler_runs::workflow_id.eq(Db(filter.workflow)))
        .order((handler_runs::created_at.desc(), handler_runs::id.desc()))
        .limit(i64::from(filter.limit))
        .into_boxed();
    if let Some(session) = filter.session {
        query = query.filter(handler_runs::session_id.eq(Db(session)));
    }
    let rows: Vec<RunRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(Run::from).collect())
}

/// One run.
pub(super) async fn run(conn: &mut Conn, run: RunId) -> Result<Run> {
    find_run(conn, run).await?.ok_or_else(|| StoreError::not_found("run", &run))
}

/// One run, where it exists.
pub(super) async fn find_run(conn: &mut Conn, run: RunId) -> Result<Option<Run>> {
    let query = RunRow::query().filter(handler_runs::id.eq(Db(run)));
    let row: Option<RunRow> = query.first(conn).await.optional()?;
    Ok(row.map(Run::from))
}

/// A workflow's queued or active run.
pub(super) async fn open_run(conn: &mut Conn, workflow: WorkflowId) -> Result<Option<Run>> {
    let query = RunRow::query().filter(handler_runs::workflow_id.eq(Db(workflow))).filter(IsOpen);
    let row: Option<RunRow> = query.first(conn).await.optional()?;
    Ok(row.map(Run::from))
}

/// One session.
pub(super) async fn session(conn: &mut Conn, session: SessionId) -> Result<Session> {
    let query = SessionRow::query().filter(sessions::id.eq(Db(session)));
    let row: Option<SessionRow> = query.first(conn).await.optional()?;
    row.map(Session::from).ok_or_else(|| StoreError::not_found("session", &session))
}

/// A workflow's last session.
pub(super) async fn last_session(conn: &mut Conn, workflow: WorkflowId) -> Result<Option<Session>> {
    let query = SessionRow::query()
        .filter(sessions::workflow_id.eq(Db(workflow)))
        .order((sessions::created_at.desc(), sessions::id.desc()));
    let row: Option<SessionRow> = query.first(conn).await.optional()?;
    Ok(row.map(Session::from))
}

/// Log lines of a run, in order.
pub(super) async fn logs(conn: &mut Conn, filter: LogFilter) -> Result<Vec<LogEntry>> {
    let after = i32::try_from(filter.after_seq).unwrap_or(i32::MAX);
    let query = LogRow::query()
        .filter(run_logs::run_id.eq(Db(filter.run)).and(run_logs::seq.gt(after)))
        .order(run_logs::seq);
    let rows: Vec<LogRow> = query.load(conn).await?;
    Ok(rows.into_iter().map(LogEntry::from).collect())
}
