//! Commits a run: everything that it did inside becomes true at once.

use diesel::dsl::exists;
use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{HandlerKind, IllegalTransition, InputId, RunId, Schedule};

use super::claim::claimed;
use super::dialect::{Conn, RunQueryDsl};
use super::held::{Held, hold};
use super::inputs::{leave_out_needless, register};
use super::outcome::Because;
use super::publish::{Publication, Topics, mark_work};
use super::{Staged, Tx, again, logs, next, outcome};
use crate::error::Result;
use crate::joined::joined;
use crate::literals::IsReserved;
use crate::model::{Claim, Committed};
use crate::params::{CommitConsumer, CommitProducer, FollowUp, NewEvent, NewLog};
use crate::reused::Reuse;
use crate::rows::{At, Db, Json};
use crate::schema::{events, handler_runs, handler_state, run_inputs};

impl Staged for CommitProducer {
    type Output = Committed;
    type Seen = Option<Box<Begun<Option<Schedule>>>>;

    async fn look(&self, conn: &Conn) -> Result<Self::Seen> {
        let schedule = schedule(conn, self.claim.run);
        begin(conn, self.claim, &self.events, schedule).await
    }

    async fn act(mut self, tx: &Tx<'_>, begun: Self::Seen) -> Result<Committed> {
        let Some(begun) = begun else {
            return again::committed(tx, self.claim, self.follow_up).await;
        };
        let Begun { held, topics, beside: schedule } = *begun;
        require(&held, HandlerKind::Producer, "be committed as a producer's")?;
        topics.leave_out_past(&mut self.events);
        let wanted = leave_out_needless(tx, &held, self.inputs, &self.events).await?;
        let mut registered = register(tx, &held, wanted).await?;
        registered.translate(tx, &held, &mut self.events).await?;
        let published = Publication::of(tx, &held, &topics, self.events)?;
        // It counts from now: the producer has just finished.
        let next_run_at = || schedule.and_then(|schedule| schedule.next_after(tx.now)).map(At);
        let next_run_at = held.is_current().then(next_run_at);
        let left = Left { state: self.state, next_run_at, looks: false };
        commit(tx, held, (left, published, self.logs), self.follow_up).await
    }
}

impl Staged for CommitConsumer {
    type Output = Committed;
    type Seen = Option<Box<Begun<Vec<InputId>>>>;

    async fn look(&self, conn: &Conn) -> Result<Self::Seen> {
        let causes = causes(conn, self.claim.run, !self.events.is_empty());
        begin(conn, self.claim, &self.events, causes).await
    }

    async fn act(mut self, tx: &Tx<'_>, begun: Self::Seen) -> Result<Committed> {
        let Some(begun) = begun else {
            return again::committed(tx, self.claim, self.follow_up).await;
        };
        let Begun { held, topics, beside: causes } = *begun;
        require(&held, HandlerKind::Consumer, "be committed as a consumer's")?;
        topics.leave_out_past(&mut self.events);
        for event in &mut self.events {
            event.caused_by.clone_from(&causes);
        }
        let published = Publication::of(tx, &held, &topics, self.events)?;
        // One that only continues another looks again: that one had found something.
        let looks = held.run.retry_of.is_none() && held.is_current();
        let left = Left { state: self.state, next_run_at: None, looks };
        commit(tx, held, (left, published, self.logs), self.follow_up).await
    }
}

/// What a commit begins with.
pub(in super::super) struct Begun<T> {
    held: Held,
    /// Those of what it publishes.
    topics: Topics,
    /// What else was looked up.
    beside: T,
}

/// The run that is to be committed, and the topics of what it publishes; none where the claim is lost.
async fn begin<T: Send>(
    conn: &Conn,
    claim: Claim,
    events: &[NewEvent],
    beside: impl Future<Output = Result<T>> + Send,
) -> Result<Option<Box<Begun<T>>>> {
    let topics = Topics::of(conn, claim.workflow, events);
    let (held, topics, beside) = joined!(hold(conn, claim), topics, beside)?;
    Ok(held.map(|held| Box::new(Begun { held, topics, beside })))
}

/// The schedule of the producer whose run that is.
async fn schedule(conn: &Conn, run: RunId) -> Result<Option<Schedule>> {
    let its_own = handler_state::workflow_id
        .eq(handler_runs::workflow_id)
        .and(handler_state::kind.eq(handler_runs::kind))
        .and(handler_state::name.eq(handler_runs::handler_name));
    let schedule = handler_runs::table
        .inner_join(handler_state::table.on(its_own))
        .filter(handler_runs::id.eq(Db(run)))
        .select(handler_state::schedule);
    let schedule: Option<Option<Json<Schedule>>> = schedule.first(conn).await.optional()?;
    Ok(schedule.flatten().map(|Json(schedule)| schedule))
}

/// What `next` publishes was caused by everything that the run had reserved, whatever the script says.
async fn causes(conn: &Conn, run: RunId, publishes: bool) -> Result<Vec<InputId>> {
    if !publishes {
        return Ok(Vec::new());
    }
    let causes =
        run_inputs::table.filter(run_inputs::run_id.eq(Db(run))).select(run_inputs::input_id);
    let causes: Vec<Db<InputId>> = causes.load(conn).await?;
    Ok(causes.into_iter().map(|Db(input)| input).collect())
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

/// What a committed run leaves of its handler.
struct Left {
    /// The new state; a handler that returned none keeps the one it had.
    state: Option<Value>,
    /// When a producer is due again; none where that stays as it is.
    next_run_at: Option<Option<At>>,
    /// Whether a consumer looked for work: where it found none it has none, until something happens.
    looks: bool,
}

/// Writes what the run did and leaves, and goes on.
async fn commit(
    tx: &Tx<'_>,
    mut held: Held,
    (left, published, logs): (Left, Publication, Vec<NewLog>),
    wanted: Option<FollowUp>,
) -> Result<Committed> {
    let changes = held.state.commit()?;
    let because = Because { state: left.state.as_ref(), ..Because::default() };
    // What the run found is looked at while it still has it. A consumer may have published to itself: only then it has work.
    let ((), (), handlers, (), (), ()) = joined!(
        leave(tx, &held, &left),
        mark_work(tx, held.workflow.id.0, &published.changed),
        next::handlers(tx, held.workflow.id),
        published.write(tx),
        logs::append(tx, held.run.id, logs),
        outcome::write_rows(tx, &held, &changes, &because),
    )?;
    outcome::take_on(tx, &mut held, changes, &because).await?;
    // What is limited stands in line again.
    let taker = wanted.filter(|_| !held.run.limited);
    let gone_on = next::go_on_after(tx, held.workflow, (held.session, handlers), taker).await?;
    let follow_up = match gone_on.enqueued.filter(|_| taker.is_some()) {
        Some(run) => Some(claimed(tx, run, gone_on.workflow.name).await?),
        None => None,
    };
    Ok(Committed { follow_up })
}

async fn leave(tx: &Tx<'_>, held: &Held, left: &Left) -> Result<()> {
    let state = left.state.as_ref().map(|state| {
        (
            handler_state::state.eq(Some(Json(state))),
            handler_state::updated_at.eq(At(tx.now)),
            handler_state::updated_by_run_id.eq(Some(held.run.id)),
        )
    });
    let reserved =
        events::table.filter(events::reserved_by_run_id.eq(held.run.id)).filter(IsReserved);
    let has_more = handler_state::has_work.and(exists(reserved));
    let handler = (held.workflow.id, held.run.kind, &held.run.handler_name);
    diesel::update(handler_state::table.find(handler))
        .set((
            handler_state::last_run_at.eq(Some(At(tx.now))),
            state,
            left.next_run_at.map(|at| handler_state::next_run_at.eq(at)),
            left.looks.then(|| handler_state::has_work.eq(has_more)),
        ))
        .reused()
        .execute(tx.conn)
        .await?;
    Ok(())
}
