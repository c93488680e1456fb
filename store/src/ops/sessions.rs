//! Sessions. A session of a script is inserted with its first run and is never open without an open run. One of a graph ends by its
//! graph.

use diesel::prelude::*;
use windlass_core::{SessionId, SessionKind, SessionResult, Trigger, WorkflowId};

use super::Tx;
use super::cause::Cause;
use super::dialect::RunQueryDsl;
use crate::cached::CacheStatement;
use crate::error::Result;
use crate::literals::IsOpenSession;
use crate::rows::{At, Db, SessionHead, SessionRow};
use crate::schema::sessions;

/// The workflow's open session.
pub(super) async fn find_open(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
) -> Result<Option<SessionHead>> {
    let open =
        SessionHead::query().filter(sessions::workflow_id.eq(workflow)).filter(IsOpenSession);
    open.optional(tx.conn).await
}

/// A new session of a script in which `n_begun` runs begin.
pub(super) fn fresh(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
    trigger: Trigger,
    n_begun: i32,
) -> SessionRow {
    of_kind(tx, workflow, (SessionKind::Workflow, trigger), n_begun)
}

/// A new session of a kind.
pub(super) fn of_kind(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
    (kind, trigger): (SessionKind, Trigger),
    n_begun: i32,
) -> SessionRow {
    SessionRow {
        id: Db(tx.mint()),
        workflow_id: workflow,
        kind: Db(kind),
        trigger: Db(trigger),
        result: None,
        error: None,
        error_class: None,
        begun_run_count: n_begun,
        handler_run_count: 0,
        cost: 0,
        created_at: At(tx.now),
        ended_at: None,
        log_seq: 0,
    }
}

/// Inserts a session.
pub(super) async fn insert(tx: &Tx<'_>, session: &SessionRow) -> Result<()> {
    diesel::insert_into(sessions::table).values(session).execute(tx.conn).await?;
    Ok(())
}

/// Makes a session manual if its first run is still queued. A retry's session stays a retry's.
pub(super) async fn make_manual(tx: &Tx<'_>, session: SessionHead) -> Result<Db<SessionId>> {
    let waits = sessions::id.eq(session.id).and(sessions::trigger.ne(Db(Trigger::Retry)));
    diesel::update(sessions::table.filter(waits.and(sessions::begun_run_count.le(1))))
        .set(sessions::trigger.eq(Db(Trigger::Manual)))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(session.id)
}

/// What one transaction changes of a session.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SessionProgress {
    /// How many of its runs committed.
    pub(super) n_committed: i32,
    /// How many more began.
    pub(super) n_begun: i32,
    /// Whether it is completed.
    pub(super) is_done: bool,
}

/// Writes the progress of a session. If it has failed already, runs may still commit in it.
pub(super) async fn record_progress(
    tx: &Tx<'_>,
    session: Db<SessionId>,
    SessionProgress { n_committed, n_begun, is_done }: SessionProgress,
) -> Result<()> {
    let end = is_done.then(|| {
        (
            sessions::result.eq(Some(Db(SessionResult::Completed))),
            sessions::ended_at.eq(Some(At(tx.now))),
        )
    });
    diesel::update(sessions::table.filter(sessions::id.eq(session)))
        .set((
            sessions::handler_run_count.eq(sessions::handler_run_count + n_committed),
            sessions::begun_run_count.eq(sessions::begun_run_count + n_begun),
            end,
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Ends the session, if it is open, because one of its runs stopped.
pub(super) async fn fail(tx: &Tx<'_>, session: Db<SessionId>, cause: Option<&Cause>) -> Result<()> {
    diesel::update(sessions::table)
        .filter(sessions::id.eq(session).and(sessions::result.is_null()))
        .set((
            sessions::result.eq(Some(Db(SessionResult::Failed))),
            sessions::error.eq(cause.map(|cause| &cause.message)),
            sessions::error_class.eq(cause.and_then(|cause| cause.class).map(Db)),
            sessions::ended_at.eq(Some(At(tx.now))),
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Withdraws a queued run from its session, and deletes the session if it was its only run.
pub(super) async fn withdraw_run(tx: &Tx<'_>, session: Db<SessionId>) -> Result<()> {
    let is_empty = sessions::id.eq(session).and(sessions::begun_run_count.le(1));
    let n_deleted = diesel::delete(sessions::table.filter(is_empty)).execute(tx.conn).await?;
    if n_deleted > 0 {
        return Ok(());
    }
    record_progress(
        tx,
        session,
        SessionProgress { n_begun: -1, is_done: true, ..SessionProgress::default() },
    )
    .await
}
