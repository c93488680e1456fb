//! Log lines of scripts, written with the run's checkpoints.

use diesel::dsl::max;
use diesel::prelude::*;
use windlass_core::RunId;

use super::Tx;
use super::dialect::RunQueryDsl;
use crate::error::Result;
use crate::params::NewLog;
use crate::rows::{At, Db, LogRow, storable};
use crate::schema::run_logs;

/// Appends lines to the run's log.
pub(super) async fn append(tx: &Tx<'_>, run: Db<RunId>, lines: Vec<NewLog>) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let last = run_logs::table.filter(run_logs::run_id.eq(run)).select(max(run_logs::seq));
    let last: Option<i32> = last.get_result(tx.conn).await?;
    let rows: Vec<LogRow> = (last.unwrap_or(0) + 1..)
        .zip(lines)
        .map(|(seq, line)| LogRow {
            run_id: run,
            seq,
            level: Db(line.level),
            message: storable(line.message),
            created_at: At(tx.now),
        })
        .collect();
    insert_all!(tx, run_logs::table, rows);
    Ok(())
}
