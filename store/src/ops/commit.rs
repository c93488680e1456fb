//! Commits a run: everything that it did inside becomes true at once.

use std::ops::ControlFlow;

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{HandlerKind, IllegalTransition, InputId, Schedule};

use super::claim::claimed;
use super::dialect::RunQueryDsl;
use super::held::{Held, hold};
use super::inputs::{leave_out_needless, register};
use super::outcome::Because;
use super::publish::{Topics, mark_work, publish};
use super::{Operation, Tx, again, logs, next, outcome};
use crate::error::{Result, StoreError};
use crate::joined::joined;
use crate::model::{Claim, Committed};
use crate::params::{CommitConsumer, CommitProducer, FollowUp, NewEvent};
use crate::reused::Reuse;
use crate::rows::{At, Db, Json};
use crate::schema::{handler_state, run_inputs};

impl Operation for CommitProducer {
    type Output = Committed;

    async fn run(mut self, tx: &Tx<'_>) -> Result<Committed> {
        let begun = begin(tx, self.claim, &mut self.events, self.follow_up).await?;
        let (mut held, topics) = match begun {
            ControlFlow::Continue(begun) => begun,
            ControlFlow::Break(committed) => return Ok(committed),
        };
        require(&held, HandlerKind::Producer, "be committed as a producer's")?;
        let changes = held.state.commit()?;
        let wanted = leave_out_needless(tx, &held, self.inputs, &self.events).await?;
        let mut registered = register(tx, &held, wanted).await?;
        registered.translate(tx, &held, &mut self.events).await?;
        let state = self.state.as_ref();
        let because = Because { state, ..Because::default() };
        let (changed, (), _none, next_run_at) = joined!(
            publish(tx, &held, &topics, self.events),
            logs::append(tx, held.run.id, self.logs),
            outcome::write_rows(tx, &held, &changes, &because),
            next_run_at(tx, &held),
        )?;
        outcome::take_on(tx, &mut held, changes, &because).await?;
        let left = Left { state, next_run_at, has_no_work: false };
        finish(tx, held, (left, changed), self.follow_up).await
    }
}

impl Operation for CommitConsumer {
    type Output = Committed;

    async fn run(mut self, tx: &Tx<'_>) -> Result<Committed> {
        let begun = begin(tx, self.claim, &mut self.events, self.follow_up).await?;
        let (mut held, topics) = match begun {
            ControlFlow::Continue(begun) => begun,
            ControlFlow::Break(committed) => return Ok(committed),
        };
        require(&held, HandlerKind::Consumer, "be committed as a consumer's")?;
        let changes = held.state.commit()?;
        inherit_causes(tx, &held, &mut self.events).await?;
        let state = self.state.as_ref();
        let because = Because { state, ..Because::default() };
        let (changed, (), n_consumed) = joined!(
            publish(tx, &held, &topics, self.events),
            logs::append(tx, held.run.id, self.logs),
            outcome::write_rows(tx, &held, &changes, &because),
        )?;
        outcome::take_on(tx, &mut held, changes, &because).await?;
        // One that found something looks again: more may wait. So does one whose run only continued another, which had found
        // something.
        let has_no_work = n_consumed == 0 && held.run.retry_of.is_none() && held.is_current();
        let left = Left { state, next_run_at: None, has_no_work };
        finish(tx, held, (left, changed), self.follow_up).await
    }
}

/// The run that is to be committed, and the topics of what it publishes, from which what is over is left out; or what came of it
/// the first time, where only the answer was lost.
async fn begin(
    tx: &Tx<'_>,
    claim: Claim,
    events: &mut Vec<NewEvent>,
    wanted: Option<FollowUp>,
) -> Result<ControlFlow<Committed, (Held, Topics)>> {
    match joined!(hold(tx, claim), Topics::of(tx, claim.workflow, events)) {
        Ok((held, topics)) => {
            topics.leave_out_past(events);
            Ok(ControlFlow::Continue((held, topics)))
        }
        Err(StoreError::ClaimLost { run }) => {
            let committed = again::committed(tx, claim, wanted).await?;
            committed.map(ControlFlow::Break).ok_or(StoreError::ClaimLost { run })
        }
        Err(other) => Err(other),
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

/// Writes what the run leaves of its handler and who has work by what it `changed`, and goes on.
async fn finish(
    tx: &Tx<'_>,
    held: Held,
    (left, changed): (Left<'_>, Vec<String>),
    wanted: Option<FollowUp>,
) -> Result<Committed> {
    // In this order: a consumer may have published to itself, and what comes next is decided by both.
    let ((), (), handlers) = joined!(
        leave(tx, &held, left),
        mark_work(tx, held.workflow.id.0, changed),
        next::handlers(tx, held.workflow.id),
    )?;
    // What is limited stands in line again.
    let taker = wanted.filter(|_| !held.run.limited);
    let gone_on = next::go_on_after(tx, held.workflow, (held.session, handlers), taker).await?;
    let follow_up = match gone_on.enqueued.filter(|_| taker.is_some()) {
        Some(run) => Some(claimed(tx, run, gone_on.workflow.name).await?),
        None => None,
    };
    Ok(Committed { follow_up })
}

/// What a committed run leaves of its handler.
struct Left<'a> {
    /// The new state; a handler that returned none keeps the one it had.
    state: Option<&'a Value>,
    /// When a producer is due again; none where that stays as it is.
    next_run_at: Option<Option<At>>,
    /// Whether a consumer looked and found nothing: then it has no work until something happens.
    has_no_work: bool,
}

async fn leave(tx: &Tx<'_>, held: &Held, left: Left<'_>) -> Result<()> {
    let state = left.state.map(|state| {
        (
            handler_state::state.eq(Some(Json(state))),
            handler_state::updated_at.eq(At(tx.now)),
            handler_state::updated_by_run_id.eq(Some(held.run.id)),
        )
    });
    let handler = (held.workflow.id, held.run.kind, &held.run.handler_name);
    diesel::update(handler_state::table.find(handler))
        .set((
            handler_state::last_run_at.eq(Some(At(tx.now))),
            state,
            left.next_run_at.map(|at| handler_state::next_run_at.eq(at)),
            left.has_no_work.then(|| handler_state::has_work.eq(false)),
        ))
        .reused()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// When the producer is due again by its schedule, which counts from now: it has just finished.
async fn next_run_at(tx: &Tx<'_>, held: &Held) -> Result<Option<Option<At>>> {
    if !held.is_current() {
        return Ok(None);
    }
    let producer = (held.workflow.id, held.run.kind, &held.run.handler_name);
    let schedule = handler_state::table.find(producer).select(handler_state::schedule);
    let schedule: Option<Json<Schedule>> = schedule.first(tx.conn).await?;
    Ok(Some(schedule.and_then(|Json(schedule)| schedule.next_after(tx.now)).map(At)))
}

/// What `next` publishes was caused by everything that the run had reserved, whatever the script says.
async fn inherit_causes(tx: &Tx<'_>, held: &Held, events: &mut [NewEvent]) -> Result<()> {
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
