//! Commits a run: everything that it did inside becomes true at once.

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{HandlerKind, IllegalTransition, InputId, Schedule};

use super::claim::follow_up;
use super::dialect::RunQueryDsl;
use super::held::{Held, hold};
use super::inputs::{leave_out_needless, register};
use super::next::go_on;
use super::outcome::Because;
use super::publish::{leave_out_past, publish};
use super::{Operation, Tx, logs, outcome, reservations, sessions};
use crate::error::Result;
use crate::model::Committed;
use crate::params::{CommitConsumer, CommitProducer, FollowUp, NewEvent};
use crate::rows::{At, Db, Json};
use crate::schema::{handler_runs, handler_state, run_inputs};

impl Operation for CommitProducer {
    type Output = Committed;

    async fn run(mut self, tx: &mut Tx<'_>) -> Result<Committed> {
        let mut held = hold(tx, self.claim).await?;
        require(&held, HandlerKind::Producer, "be committed as a producer's")?;
        let changes = held.state.commit()?;
        leave_out_past(tx, &held, &mut self.events).await?;
        let wanted = leave_out_needless(tx, &held, self.inputs, &self.events).await?;
        let mut registered = register(tx, &held, wanted).await?;
        registered.translate(tx, &held, &mut self.events).await?;
        publish(tx, &held, self.events).await?;
        save_state(tx, &held, self.state.as_ref()).await?;
        reschedule(tx, &held).await?;
        logs::append(tx, held.run.id, self.logs).await?;
        outcome::write(tx, &mut held, changes, &Because::default()).await?;
        finish(tx, held, self.follow_up).await
    }
}

impl Operation for CommitConsumer {
    type Output = Committed;

    async fn run(mut self, tx: &mut Tx<'_>) -> Result<Committed> {
        let mut held = hold(tx, self.claim).await?;
        require(&held, HandlerKind::Consumer, "be committed as a consumer's")?;
        let changes = held.state.commit()?;
        rest(tx, &held).await?;
        leave_out_past(tx, &held, &mut self.events).await?;
        inherit_causes(tx, &held, &mut self.events).await?;
        publish(tx, &held, self.events).await?;
        save_state(tx, &held, self.state.as_ref()).await?;
        logs::append(tx, held.run.id, self.logs).await?;
        outcome::write(tx, &mut held, changes, &Because::default()).await?;
        finish(tx, held, self.follow_up).await
    }
}

fn require(
    held: &Held,
    kind: HandlerKind,
    attempted: &'static str,
) -> Result<(), IllegalTransition> {
    if held.state.kind == kind {
        Ok(())
    } else {
        Err(IllegalTransition { attempted, state: held.state })
    }
}

async fn finish(tx: &mut Tx<'_>, held: Held, wanted: Option<FollowUp>) -> Result<Committed> {
    sessions::count_committed(tx, held.run.session_id).await?;
    let handler = (held.workflow.id, held.run.kind, &held.run.handler_name);
    diesel::update(handler_state::table.find(handler))
        .set(handler_state::last_run_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    // What is limited stands in line again.
    let wanted = wanted.filter(|_| !held.run.limited);
    let gone_on = go_on(tx, held.workflow).await?;
    Ok(Committed { follow_up: follow_up(tx, gone_on.enqueued, wanted).await? })
}

/// A handler that returned no state keeps the one it had.
async fn save_state(tx: &mut Tx<'_>, held: &Held, state: Option<&Value>) -> Result<()> {
    let Some(state) = state else { return Ok(()) };
    diesel::update(handler_runs::table.filter(handler_runs::id.eq(held.run.id)))
        .set(handler_runs::output_state.eq(Some(Json(state))))
        .execute(tx.conn)
        .await?;
    let handler = (held.workflow.id, held.run.kind, &held.run.handler_name);
    diesel::update(handler_state::table.find(handler))
        .set((
            handler_state::state.eq(Some(Json(state))),
            handler_state::updated_at.eq(At(tx.now)),
            handler_state::updated_by_run_id.eq(Some(held.run.id)),
        ))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// The producer is due again by its schedule, which counts from now: it has just finished.
async fn reschedule(tx: &mut Tx<'_>, held: &Held) -> Result<()> {
    if !held.is_current() {
        return Ok(());
    }
    let producer = (held.workflow.id, held.run.kind, &held.run.handler_name);
    let schedule = handler_state::table.find(producer).select(handler_state::schedule);
    let schedule: Option<Json<Schedule>> = schedule.first(tx.conn).await?;
    let next_run_at = schedule.and_then(|Json(schedule)| schedule.next_after(tx.now));
    diesel::update(handler_state::table.find(producer))
        .set(handler_state::next_run_at.eq(next_run_at.map(At)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// A consumer that looked and found nothing has no work until something happens. One that found something looks again: more may
/// wait. So does one whose run only continued another, which had found something.
async fn rest(tx: &mut Tx<'_>, held: &Held) -> Result<()> {
    let n_reserved = reservations::ids(tx, held.run.id).await?.len();
    if n_reserved > 0 || held.run.retry_of.is_some() || !held.is_current() {
        return Ok(());
    }
    let consumer = (held.workflow.id, held.run.kind, &held.run.handler_name);
    diesel::update(handler_state::table.find(consumer))
        .set(handler_state::has_work.eq(false))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// What `next` publishes was caused by everything that the run had reserved, whatever the script says.
async fn inherit_causes(tx: &mut Tx<'_>, held: &Held, events: &mut [NewEvent]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let causes =
        run_inputs::table.filter(run_inputs::run_id.eq(held.run.id)).select(run_inputs::input_id);
    let causes: Vec<Db<InputId>> = causes.load(tx.conn).await?;
    let causes: Vec<InputId> = causes.into_iter().map(|Db(input)| input).collect();
    for event in events {
        event.caused_by.clone_from(&causes);
    }
    Ok(())
}
