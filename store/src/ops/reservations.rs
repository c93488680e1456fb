//! Events that a run has for itself.

use diesel::prelude::*;
use windlass_core::{EventStatus, Reservations, RunId, WorkflowId};

use super::Tx;
use super::dialect::RunQueryDsl;
use super::publish::mark_work;
use crate::error::Result;
use crate::rows::{At, Db, RunRow};
use crate::schema::{events, topics};

/// What becomes of the events that `run` has reserved.
pub(super) async fn dispose(tx: &mut Tx<'_>, run: &RunRow, how: Reservations) -> Result<()> {
    match how {
        Reservations::Keep => Ok(()),
        Reservations::Release => release(tx, run.id, run.workflow_id.0).await,
        Reservations::Consume => finish(tx, run.id, EventStatus::Consumed).await,
        Reservations::Skip => finish(tx, run.id, EventStatus::Skipped).await,
    }
}

/// How many events the run has reserved.
pub(super) async fn count(tx: &mut Tx<'_>, run: Db<RunId>) -> Result<usize> {
    let count = events::table
        .filter(events::reserved_by_run_id.eq(run))
        .filter(events::status.eq(Db(EventStatus::Reserved)))
        .count();
    let count: i64 = count.get_result(tx.conn).await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The events belong to the run that continues this one.
pub(super) async fn transfer(tx: &mut Tx<'_>, from: Db<RunId>, to: Db<RunId>) -> Result<()> {
    diesel::update(events::table)
        .filter(events::reserved_by_run_id.eq(from))
        .filter(events::status.eq(Db(EventStatus::Reserved)))
        .set((events::reserved_by_run_id.eq(Some(to)), events::updated_at.eq(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Pending again, with one more attempt counted; whoever subscribes has work.
async fn release(tx: &mut Tx<'_>, run: Db<RunId>, workflow: WorkflowId) -> Result<()> {
    let reserved =
        events::reserved_by_run_id.eq(run).and(events::status.eq(Db(EventStatus::Reserved)));
    let topics =
        events::table.inner_join(topics::table).filter(reserved).select(topics::name).distinct();
    let topics: Vec<String> = topics.load(tx.conn).await?;
    diesel::update(events::table)
        .filter(reserved)
        .set((
            events::status.eq(Db(EventStatus::Pending)),
            events::reserved_by_run_id.eq(None::<Db<RunId>>),
            events::attempt_number.eq(events::attempt_number + 1),
            events::updated_at.eq(At(tx.now)),
        ))
        .execute(tx.conn)
        .await?;
    mark_work(tx, workflow, topics).await
}

/// Done, one way or the other. Who did it stays written.
async fn finish(tx: &mut Tx<'_>, run: Db<RunId>, status: EventStatus) -> Result<()> {
    diesel::update(events::table)
        .filter(events::reserved_by_run_id.eq(run))
        .filter(events::status.eq(Db(EventStatus::Reserved)))
        .set((events::status.eq(Db(status)), events::updated_at.eq(At(tx.now))))
        .execute(tx.conn)
        .await?;
    Ok(())
}
