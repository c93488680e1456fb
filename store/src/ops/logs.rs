//! Log lines of scripts and tools. Those of a short call are written with its checkpoint, those of a long one while it runs.

use diesel::prelude::*;

use super::dialect::RunQueryDsl;
use super::{Operation, Tx};
use crate::convert::to_i32;
use crate::error::{Result, StoreError};
use crate::literals::IsActive;
use crate::params::{AppendLogs, NewLog};
use crate::rows::{At, Db, LogRow, RunHead, storable};
use crate::schema::{handler_runs, run_logs, sessions};

/// It locks the session's row only, so that it waits for no other run of the workflow.
impl Operation for AppendLogs {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let Self { claim, lines } = self;
        let claimed = RunHead::query()
            .filter(handler_runs::id.eq(Db(claim.run)))
            .filter(handler_runs::workspace_id.eq(Db(claim.workspace)))
            .filter(handler_runs::fence.eq(claim.fence))
            .filter(IsActive);
        let claimed: Option<RunHead> = claimed.optional(tx.conn).await?;
        let run = claimed.ok_or(StoreError::ClaimLost { run: claim.run })?;
        append(tx, &run, lines).await
    }
}

/// Appends lines to the log of the run's session. The row of the session orders those who append at once, so that a line is never seen
/// before an earlier one.
pub(super) async fn append(tx: &Tx<'_>, run: &RunHead, lines: Vec<NewLog>) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let n_lines = to_i32(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    let last: i32 = diesel::update(sessions::table.filter(sessions::id.eq(run.session_id)))
        .set(sessions::log_seq.eq(sessions::log_seq + n_lines))
        .returning(sessions::log_seq)
        .get_result(tx.conn)
        .await?;
    let rows: Vec<LogRow> = (last - n_lines + 1..)
        .zip(lines)
        .map(|(seq, line)| LogRow {
            session_id: run.session_id,
            seq,
            handler_run_id: Some(run.id),
            level: Db(line.level),
            message: storable(line.message),
            created_at: At(tx.now),
        })
        .collect();
    insert_all!(tx, run_logs::table, rows);
    Ok(())
}
