//! The events that a run has reserved.

use diesel::prelude::*;
use windlass_core::{
    EventId, EventInRound, EventName, EventStatus, Reservations, RunId, WorkflowId,
};

use super::blame::About;
use super::dialect::{Conn, RunQueryDsl};
use super::locked_run::LockedRun;
use super::publish::mark_work;
use super::{Tx, blame};
use crate::cached::CacheStatement;
use crate::error::Result;
use crate::literals::IsReserved;
use crate::rows::{At, Db};
use crate::schema::{events, topics};

/// Releases, consumes or skips the run's events. `about` is what a failure is about, and `error` is kept with events that are blamed.
pub(super) async fn settle(
    tx: &Tx<'_>,
    locked: &LockedRun,
    change: Reservations,
    about: &About,
    error: Option<&str>,
) -> Result<()> {
    let run = locked.run.id;
    match change {
        Reservations::Keep => Ok(()),
        Reservations::Release { blame } => {
            blame::put(tx, locked, blame, about, error).await?;
            release(tx, run, locked.workflow.id.0).await
        }
        Reservations::Consume => finish(tx, run, EventStatus::Consumed).await,
        Reservations::Skip => finish(tx, run, EventStatus::Skipped).await,
    }
}

/// The events that the run has reserved, with their names and rounds.
pub(super) async fn reserved(conn: &Conn, run: RunId) -> Result<Vec<(EventId, EventInRound)>> {
    let reserved = events::table
        .inner_join(topics::table)
        .filter(events::reserved_by_run_id.eq(Db(run)))
        .filter(IsReserved)
        .select((events::id, topics::name, events::message_id, events::round));
    let reserved: Vec<(Db<EventId>, String, String, i32)> = reserved.load(conn).await?;
    let named = reserved.into_iter().map(|(Db(event), topic, message_id, round)| {
        let name = EventName { topic, message_id };
        (event, EventInRound { name, round: u32::try_from(round).unwrap_or(1) })
    });
    Ok(named.collect())
}

/// Moves the reservations to a retry.
pub(super) async fn transfer(tx: &Tx<'_>, from: Db<RunId>, to: Db<RunId>) -> Result<()> {
    diesel::update(events::table)
        .filter(events::reserved_by_run_id.eq(from))
        .filter(IsReserved)
        .set((events::reserved_by_run_id.eq(Some(to)), events::updated_at.eq(At(tx.now))))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Makes the events pending again, with one more attempt counted; their subscribers have work.
async fn release(tx: &Tx<'_>, run: Db<RunId>, workflow: WorkflowId) -> Result<()> {
    let reserved = events::reserved_by_run_id.eq(run).and(IsReserved);
    let topics =
        events::table.inner_join(topics::table).filter(reserved).select(topics::name).distinct();
    let topics: Vec<String> = topics.load(tx.conn).await?;
    diesel::update(events::table.filter(reserved))
        .set((
            events::status.eq(Db(EventStatus::Pending)),
            events::reserved_by_run_id.eq(None::<Db<RunId>>),
            events::attempt_number.eq(events::attempt_number + 1),
            events::updated_at.eq(At(tx.now)),
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    mark_work(tx, workflow, &topics).await
}

/// Consumes or skips the events. They keep the run that reserved them.
async fn finish(tx: &Tx<'_>, run: Db<RunId>, status: EventStatus) -> Result<()> {
    diesel::update(events::table)
        .filter(events::reserved_by_run_id.eq(run))
        .filter(IsReserved)
        .set((events::status.eq(Db(status)), events::updated_at.eq(At(tx.now))))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}
