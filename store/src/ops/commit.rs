//! Commits a run: everything that it did inside becomes true at once.

use diesel::dsl::exists;
use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{HandlerKind, IllegalTransition, InputId, RunId, Schedule};

use super::claim::claimed;
use super::dialect::{Conn, RunQueryDsl};
use super::inputs::{drop_unused_inputs, register};
use super::locked_run::{LockedRun, lock_claimed_run};
use super::outcome::TransitionContext;
use super::publish::{Publication, Topics, mark_work};
use super::{Staged, Tx, advance, logs, outcome, replay};
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
    type Preloaded = Option<Box<CommitPreload<Option<Schedule>>>>;

    async fn preload(&self, conn: &Conn) -> Result<Self::Preloaded> {
        let schedule = schedule(conn, self.claim.run);
        begin(conn, self.claim, &self.events, schedule).await
    }

    async fn execute(mut self, tx: &Tx<'_>, begun: Self::Preloaded) -> Result<Committed> {
        let Some(begun) = begun else {
            return replay::committed(tx, self.claim, self.follow_up).await;
        };
        let CommitPreload { locked, topics, beside: schedule } = *begun;
        require(&locked, HandlerKind::Producer, "be committed as a producer's")?;
        topics.drop_pruned_events(&mut self.events);
        let wanted = drop_unused_inputs(tx, &locked, self.inputs, &self.events).await?;
        let mut registered = register(tx, &locked, wanted).await?;
        registered.translate(tx, &locked, &mut self.events).await?;
        let published = Publication::of(tx, &locked, &topics, self.events)?;
        // It counts from now: the producer has just finished.
        let next_run_at = || schedule.and_then(|schedule| schedule.next_after(tx.now)).map(At);
        let next_run_at = locked.is_current().then(next_run_at);
        let left = HandlerUpdate { state: self.state, next_run_at, looks: false };
        commit(tx, locked, (left, published, self.logs), self.follow_up).await
    }
}

impl Staged for CommitConsumer {
    type Output = Committed;
    type Preloaded = Option<Box<CommitPreload<Vec<InputId>>>>;

    async fn preload(&self, conn: &Conn) -> Result<Self::Preloaded> {
        let causes = causes(conn, self.claim.run, !self.events.is_empty());
        begin(conn, self.claim, &self.events, causes).await
    }

    async fn execute(mut self, tx: &Tx<'_>, begun: Self::Preloaded) -> Result<Committed> {
        let Some(begun) = begun else {
            return replay::committed(tx, self.claim, self.follow_up).await;
        };
        let CommitPreload { locked, topics, beside: causes } = *begun;
        require(&locked, HandlerKind::Consumer, "be committed as a consumer's")?;
        topics.drop_pruned_events(&mut self.events);
        for event in &mut self.events {
            event.caused_by.clone_from(&causes);
        }
        let published = Publication::of(tx, &locked, &topics, self.events)?;
        // One that only continues another looks again: that one had found something.
        let looks = locked.run.retry_of.is_none() && locked.is_current();
        let left = HandlerUpdate { state: self.state, next_run_at: None, looks };
        commit(tx, locked, (left, published, self.logs), self.follow_up).await
    }
}

/// What a commit begins with.
pub(in super::super) struct CommitPreload<T> {
    locked: LockedRun,
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
) -> Result<Option<Box<CommitPreload<T>>>> {
    let topics = Topics::of(conn, claim.workflow, events);
    let (locked, topics, beside) = joined!(lock_claimed_run(conn, claim), topics, beside)?;
    Ok(locked.map(|locked| Box::new(CommitPreload { locked, topics, beside })))
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
    locked: &LockedRun,
    kind: HandlerKind,
    attempted: &'static str,
) -> Result<(), IllegalTransition> {
    if locked.state.kind == kind {
        Ok(())
    } else {
        Err(IllegalTransition { attempted, state: locked.state })
    }
}

/// What a committed run leaves of its handler.
struct HandlerUpdate {
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
    mut locked: LockedRun,
    (left, published, logs): (HandlerUpdate, Publication, Vec<NewLog>),
    wanted: Option<FollowUp>,
) -> Result<Committed> {
    let changes = locked.state.commit()?;
    let context = TransitionContext { state: left.state.as_ref(), ..TransitionContext::default() };
    // What the run found is looked at while it still has it. A consumer may have published to itself: only then it has work.
    let ((), (), handlers, (), (), ()) = joined!(
        leave(tx, &locked, &left),
        mark_work(tx, locked.workflow.id.0, &published.changed),
        advance::handlers(tx, locked.workflow.id),
        published.write(tx),
        logs::append(tx, locked.run.id, logs),
        outcome::write_rows(tx, &locked, &changes, &context),
    )?;
    outcome::apply_workflow_changes(tx, &mut locked, changes, &context).await?;
    // What is limited stands in line again.
    let taker = wanted.filter(|_| !locked.run.limited);
    let advanced = advance::advance_workflow_after_commit(
        tx,
        locked.workflow,
        (locked.session, handlers),
        taker,
    )
    .await?;
    let follow_up = match advanced.enqueued.filter(|_| taker.is_some()) {
        Some(run) => Some(claimed(tx, run, advanced.workflow.name).await?),
        None => None,
    };
    Ok(Committed { follow_up })
}

async fn leave(tx: &Tx<'_>, locked: &LockedRun, left: &HandlerUpdate) -> Result<()> {
    let state = left.state.as_ref().map(|state| {
        (
            handler_state::state.eq(Some(Json(state))),
            handler_state::updated_at.eq(At(tx.now)),
            handler_state::updated_by_run_id.eq(Some(locked.run.id)),
        )
    });
    let reserved =
        events::table.filter(events::reserved_by_run_id.eq(locked.run.id)).filter(IsReserved);
    let has_more = handler_state::has_work.and(exists(reserved));
    let handler = (locked.workflow.id, locked.run.kind, &locked.run.handler_name);
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
