//! Removes old records, a bounded number in each transaction.
//!
//! A step reads the next records of one kind that are old enough, newest first, and removes those that nothing refers to. Their
//! workflows are locked, so that no reference appears meanwhile; a workflow that another transaction has locked is skipped until
//! the next time. The same code counts what would be removed: then it treats records that earlier steps would remove as removed.
//!
//! A removed event or input leaves its key in `past_events` or `past_inputs`. Otherwise it would count as new when it is published
//! or registered again.

mod events;
mod journal;
mod notifications;
mod references;
mod runs;

use std::collections::HashSet;
use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{RecordKind, Timestamp, WorkflowId};

use super::dialect::{self, RunQueryDsl};
use super::{BATCH, Operation, Tx};
use crate::error::Result;
use crate::params::{Prune, PruneCursor, PruneStep};
use crate::rows::{At, Db};
use crate::schema::instance;

/// Lets one of all workers prune, once in `every`.
#[derive(Clone)]
pub(in super::super) struct BeginPruning {
    pub(in super::super) every: Duration,
}

impl Operation for BeginPruning {
    type Output = bool;

    async fn run(self, tx: &Tx<'_>) -> Result<bool> {
        let earlier = windlass_core::Age::Span(self.every).cutoff(tx.now).map(At);
        let is_due = instance::pruned_at.le(earlier.unwrap_or(At(tx.now)));
        // Also if the stored time is in the future, because a clock was wrong.
        let is_due = is_due.or(instance::pruned_at.gt(At(tx.now)));
        let begun = diesel::update(instance::table.filter(is_due))
            .set(instance::pruned_at.eq(At(tx.now)))
            .execute(tx.conn)
            .await?;
        Ok(begun > 0)
    }
}

impl Operation for Prune {
    type Output = PruneStep;

    async fn run(self, tx: &Tx<'_>) -> Result<PruneStep> {
        step(tx, &self, Mode::Remove).await
    }
}

/// Counts what would be removed.
#[derive(Clone)]
pub(in super::super) struct Prunable(pub(in super::super) Prune);

impl Operation for Prunable {
    type Output = PruneStep;

    async fn run(self, tx: &Tx<'_>) -> Result<PruneStep> {
        step(tx, &self.0, Mode::Count).await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Remove,
    /// Count what `Remove` would remove.
    Count,
}

/// One step of pruning.
struct Step<'a> {
    mode: Mode,
    params: &'a Prune,
    /// Records of the step's kind are old up to this time.
    cutoff: At,
    removed: RemovedUntil,
}

/// Up to when records of other kinds count as removed: when counting, those that earlier steps would have removed; when removing,
/// none.
struct RemovedUntil {
    mode: Mode,
    events: At,
    notifications: At,
    mutations: At,
    runs: At,
}

impl RemovedUntil {
    fn new(params: &Prune, mode: Mode, now: Timestamp) -> Self {
        let until = |kind| {
            let cutoff = params.retention.of(kind).cutoff(now).filter(|_| mode == Mode::Count);
            At(cutoff.unwrap_or(Timestamp::from_micros(i64::MIN)))
        };
        Self {
            mode,
            events: until(RecordKind::Events),
            notifications: until(RecordKind::Notifications),
            mutations: until(RecordKind::Mutations),
            runs: until(RecordKind::Runs),
        }
    }
}

async fn step(tx: &Tx<'_>, params: &Prune, mode: Mode) -> Result<PruneStep> {
    let Some(cutoff) = params.retention.of(params.kind).cutoff(tx.now) else {
        return Ok(PruneStep::default());
    };
    let removed = RemovedUntil::new(params, mode, tx.now);
    let step = Step { mode, params, cutoff: At(cutoff), removed };
    match params.kind {
        RecordKind::Events => events::events(tx, &step).await,
        RecordKind::Notifications => notifications::notifications(tx, &step).await,
        RecordKind::Mutations => runs::mutations(tx, &step).await,
        RecordKind::Runs => runs::runs(tx, &step).await,
        RecordKind::Inputs => events::inputs(tx, &step).await,
        RecordKind::Sessions => runs::sessions(tx, &step).await,
        RecordKind::Journal => journal::journal(tx, &step).await,
        RecordKind::Keys => events::keys(tx, &step).await,
    }
}

impl Step<'_> {
    /// The time of the newest record to read.
    fn newest(&self) -> At {
        self.params.after.as_ref().map_or(self.cutoff, |cursor| self.cutoff.min(At(cursor.at)))
    }

    /// The result of a step that read `n_read` records, the last of them at `last`.
    fn pruned(&self, count: usize, n_read: usize, last: Option<PruneCursor>) -> PruneStep {
        let is_full = u32::try_from(n_read).is_ok_and(|n| n >= self.params.limit);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        PruneStep { count, next: last.filter(|_| is_full) }
    }

    /// Locks the workflows until the transaction ends and returns those that were free; to count, returns all.
    async fn lock(
        &self,
        tx: &Tx<'_>,
        workflows: impl Iterator<Item = Db<WorkflowId>>,
    ) -> Result<HashSet<Db<WorkflowId>>> {
        let wanted: HashSet<_> = workflows.collect();
        if self.mode == Mode::Count {
            return Ok(wanted);
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let mut locked = HashSet::new();
        for batch in wanted.chunks(BATCH) {
            locked.extend(dialect::lock_free_workflows(tx.conn, batch).await?);
        }
        Ok(locked)
    }
}

/// The next old records of a table, newest first: id, time, and the columns that are asked for.
macro_rules! old_records {
    ($tx:expr, $step:expr, $table:ident.$instant:ident where $filter:expr, $($column:expr),+) => {{
        let step: &super::Step<'_> = $step;
        let mut query = $table::table
            .filter($filter)
            .filter($table::$instant.le(step.newest()))
            .order(($table::$instant.desc(), $table::id.desc()))
            .limit(i64::from(step.params.limit))
            .select(($table::id, $table::$instant, $($column),+))
            .into_boxed();
        if let Some(after) = &step.params.after {
            let is_earlier = $table::$instant.lt(At(after.at));
            query = query.filter(is_earlier.or($table::id.lt(after.id.clone())));
        }
        query.load($tx.conn).await?
    }};
}
pub(super) use old_records;

/// The cursor after a record.
fn cursor_after<I: windlass_core::Text>(Db(id): &Db<I>, at: Option<At>) -> Option<PruneCursor> {
    at.map(|At(at)| PruneCursor { at, id: id.to_text() })
}
