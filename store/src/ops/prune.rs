//! Removes what is over and old, a bounded number of records in each transaction.
//!
//! A step looks at the next records of one kind that are old enough, youngest first, and removes those that nothing refers to any
//! more. What a workflow depends on cannot change meanwhile: its row is locked, and a workflow that somebody else has locked is
//! left for the next time. The same text tells what would be removed: then what would have gone before counts as gone.
//!
//! What stays of a removed event or input is its name, without which it would be taken for new when it is shown again.

mod events;
mod notes;
mod pins;
mod runs;

use std::collections::HashSet;
use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{RecordKind, Timestamp, WorkflowId};

use super::dialect::{self, RunQueryDsl};
use super::{BATCH, Operation, Tx};
use crate::error::Result;
use crate::params::{Prune, PruneCursor, Pruned};
use crate::rows::{At, Db};
use crate::schema::instance;

/// Whether one of many workers may begin to prune: only one in a while.
#[derive(Clone)]
pub(in super::super) struct BeginPruning {
    pub(in super::super) every: Duration,
}

impl Operation for BeginPruning {
    type Output = bool;

    async fn run(self, tx: &Tx<'_>) -> Result<bool> {
        let earlier = windlass_core::Age::Span(self.every).cutoff(tx.now).map(At);
        let is_due = instance::pruned_at.le(earlier.unwrap_or(At(tx.now)));
        // Also where the clock was wrong then.
        let is_due = is_due.or(instance::pruned_at.gt(At(tx.now)));
        let begun = diesel::update(instance::table.filter(is_due))
            .set(instance::pruned_at.eq(At(tx.now)))
            .execute(tx.conn)
            .await?;
        Ok(begun > 0)
    }
}

impl Operation for Prune {
    type Output = Pruned;

    async fn run(self, tx: &Tx<'_>) -> Result<Pruned> {
        step(tx, &self, Way::Remove).await
    }
}

/// Tells what would be removed.
#[derive(Clone)]
pub(in super::super) struct Prunable(pub(in super::super) Prune);

impl Operation for Prunable {
    type Output = Pruned;

    async fn run(self, tx: &Tx<'_>) -> Result<Pruned> {
        step(tx, &self.0, Way::Query).await
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Remove,
    Query,
}

/// A step, and from when on something is old.
struct Step<'a> {
    way: Way,
    params: &'a Prune,
    cutoff: At,
    gone: Gone,
}

/// What counts as gone though it is there: everything over that was so until then.
struct Gone {
    way: Way,
    events: At,
    notifications: At,
    mutations: At,
    runs: At,
}

impl Gone {
    fn new(params: &Prune, way: Way, now: Timestamp) -> Self {
        let until = |kind| {
            let cutoff = params.retention.of(kind).cutoff(now).filter(|_| way == Way::Query);
            At(cutoff.unwrap_or(Timestamp::from_micros(i64::MIN)))
        };
        Self {
            way,
            events: until(RecordKind::Events),
            notifications: until(RecordKind::Notifications),
            mutations: until(RecordKind::Mutations),
            runs: until(RecordKind::Runs),
        }
    }
}

async fn step(tx: &Tx<'_>, params: &Prune, way: Way) -> Result<Pruned> {
    let Some(cutoff) = params.retention.of(params.kind).cutoff(tx.now) else {
        return Ok(Pruned::default());
    };
    let step = Step { way, params, cutoff: At(cutoff), gone: Gone::new(params, way, tx.now) };
    match params.kind {
        RecordKind::Events => events::events(tx, &step).await,
        RecordKind::Notifications => notes::notifications(tx, &step).await,
        RecordKind::Mutations => runs::mutations(tx, &step).await,
        RecordKind::Runs => runs::runs(tx, &step).await,
        RecordKind::Inputs => events::inputs(tx, &step).await,
        RecordKind::Sessions => runs::sessions(tx, &step).await,
        RecordKind::Journal => notes::journal(tx, &step).await,
        RecordKind::Keys => events::keys(tx, &step).await,
    }
}

impl Step<'_> {
    /// From when on the walk goes down.
    fn from(&self) -> At {
        self.params.after.as_ref().map_or(self.cutoff, |place| self.cutoff.min(At(place.at)))
    }

    /// What the step came to that looked at `looked_at` records, the last of which stands there.
    fn pruned(&self, count: usize, looked_at: usize, last: Option<PruneCursor>) -> Pruned {
        let is_full = u32::try_from(looked_at).is_ok_and(|n| n >= self.params.limit);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        Pruned { count, next: last.filter(|_| is_full) }
    }

    /// Those of the workflows that nobody else changes until this transaction ends; to look, all.
    async fn lock(
        &self,
        tx: &Tx<'_>,
        workflows: impl Iterator<Item = Db<WorkflowId>>,
    ) -> Result<HashSet<Db<WorkflowId>>> {
        let wanted: HashSet<_> = workflows.collect();
        if self.way == Way::Query {
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

/// The next records of a table that are old enough, youngest first: id, instant, and what else is asked for.
macro_rules! old {
    ($tx:expr, $step:expr, $table:ident.$instant:ident where $filter:expr, $($column:expr),+) => {{
        let step: &super::Step<'_> = $step;
        let mut query = $table::table
            .filter($filter)
            .filter($table::$instant.le(step.from()))
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
pub(super) use old;

/// Where a walk stands after a record.
fn place<I: windlass_core::Text>(Db(id): &Db<I>, at: Option<At>) -> Option<PruneCursor> {
    at.map(|At(at)| PruneCursor { at, id: id.to_text() })
}
