//! Commits a run: everything that it did becomes visible at once.

use diesel::dsl::exists;
use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{HandlerKind, IllegalTransition, InputId, RunId, Schedule};

use super::advance::CommittedRun;
use super::claim::claimed;
use super::dialect::{Conn, RunQueryDsl};
use super::inputs::{drop_unused_inputs, register};
use super::locked_run::{LockedRun, lock_claimed_run};
use super::outcome::TransitionContext;
use super::publish::{Publication, Topics, mark_work};
use super::{Staged, Tx, advance, blame, logs, outcome, replay};
use crate::cached::CacheStatement;
use crate::error::Result;
use crate::literals::IsReserved;
use crate::model::{Claim, Committed};
use crate::params::{CommitConsumer, CommitProducer, FollowUp, NewEvent, NewLog};
use crate::pipeline::pipeline;
use crate::rows::{At, Db, Json};
use crate::schema::{events, handler_runs, handler_state, run_inputs};

impl Staged for CommitProducer {
    type Output = Committed;
    type Preloaded = Option<Box<CommitPreload<Option<Schedule>>>>;

    async fn preload(&self, conn: &Conn) -> Result<Self::Preloaded> {
        let schedule = schedule(conn, self.claim.run);
        preload(conn, self.claim, &self.events, schedule).await
    }

    async fn execute(mut self, tx: &Tx<'_>, preloaded: Self::Preloaded) -> Result<Committed> {
        let Some(preloaded) = preloaded else {
            return replay::committed(tx, self.claim, self.follow_up).await;
        };
        let CommitPreload { locked, topics, extra: schedule } = *preloaded;
        require_kind(&locked, HandlerKind::Producer, "be committed as a producer's")?;
        topics.drop_pruned_events(&mut self.events);
        let wanted = drop_unused_inputs(tx, &locked, self.inputs, &self.events).await?;
        let mut registered = register(tx, &locked, wanted).await?;
        registered.translate(tx, &locked, &mut self.events).await?;
        let published = Publication::new(tx, &locked, &topics, self.events)?;
        // From now: the producer has just finished.
        let next_run_at = || schedule.and_then(|schedule| schedule.next_after(tx.now)).map(At);
        let due =
            if locked.is_current() { DueUpdate::NextRunAt(next_run_at()) } else { DueUpdate::Keep };
        let handler = HandlerUpdate { state: self.state, due };
        let effects = RunEffects { handler, published, logs: self.logs };
        commit(tx, locked, effects, self.follow_up).await
    }
}

impl Staged for CommitConsumer {
    type Output = Committed;
    type Preloaded = Option<Box<CommitPreload<Vec<InputId>>>>;

    async fn preload(&self, conn: &Conn) -> Result<Self::Preloaded> {
        let causes = async {
            if self.events.is_empty() {
                return Ok(Vec::new());
            }
            causes(conn, self.claim.run).await
        };
        preload(conn, self.claim, &self.events, causes).await
    }

    async fn execute(mut self, tx: &Tx<'_>, preloaded: Self::Preloaded) -> Result<Committed> {
        let Some(preloaded) = preloaded else {
            return replay::committed(tx, self.claim, self.follow_up).await;
        };
        let CommitPreload { locked, topics, extra: causes } = *preloaded;
        require_kind(&locked, HandlerKind::Consumer, "be committed as a consumer's")?;
        topics.drop_pruned_events(&mut self.events);
        for event in &mut self.events {
            event.caused_by.clone_from(&causes);
        }
        let published = Publication::new(tx, &locked, &topics, self.events)?;
        // A retry did not choose its events, so there may be more for the consumer to do.
        // A trial saw only one of them.
        let chose_events = locked.run.retry_of.is_none()
            && locked.run.trial_event_id.is_none()
            && locked.is_current();
        let due = if chose_events { DueUpdate::WorkUnlessEmpty } else { DueUpdate::Keep };
        let handler = HandlerUpdate { state: self.state, due };
        let effects = RunEffects { handler, published, logs: self.logs };
        commit(tx, locked, effects, self.follow_up).await
    }
}

/// What a commit reads first.
pub(in super::super) struct CommitPreload<T> {
    locked: LockedRun,
    /// The topics of the published events.
    topics: Topics,
    /// What this kind of run needs besides.
    extra: T,
}

/// Reads the run to commit and the topics of its events; returns nothing if the claim is lost.
async fn preload<T: Send>(
    conn: &Conn,
    claim: Claim,
    events: &[NewEvent],
    extra: impl Future<Output = Result<T>> + Send,
) -> Result<Option<Box<CommitPreload<T>>>> {
    let topics = Topics::of(conn, claim.workflow, events);
    let (locked, topics, extra) = pipeline!(lock_claimed_run(conn, claim), topics, extra)?;
    Ok(locked.map(|locked| Box::new(CommitPreload { locked, topics, extra })))
}

/// The schedule of the run's producer.
async fn schedule(conn: &Conn, run: RunId) -> Result<Option<Schedule>> {
    let its_own = handler_state::workflow_id
        .eq(handler_runs::workflow_id)
        .and(handler_state::kind.eq(handler_runs::kind))
        .and(handler_state::name.eq(handler_runs::handler_name));
    let schedule = handler_runs::table
        .inner_join(handler_state::table.on(its_own))
        .filter(handler_runs::id.eq(Db(run)))
        .select(handler_state::schedule);
    let schedule: Option<Option<Json<Schedule>>> = schedule.optional(conn).await?;
    Ok(schedule.flatten().map(|Json(schedule)| schedule))
}

/// The inputs of the run's reserved events: they caused whatever `next` publishes, whatever the script says.
async fn causes(conn: &Conn, run: RunId) -> Result<Vec<InputId>> {
    let causes =
        run_inputs::table.filter(run_inputs::run_id.eq(Db(run))).select(run_inputs::input_id);
    let causes: Vec<Db<InputId>> = causes.load(conn).await?;
    Ok(causes.into_iter().map(|Db(input)| input).collect())
}

pub(super) fn require_kind(
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

/// What a commit writes besides the run itself.
struct RunEffects {
    handler: HandlerUpdate,
    published: Publication,
    logs: Vec<NewLog>,
}

/// What a commit changes of the run's handler.
struct HandlerUpdate {
    /// The new state. A handler that returned none keeps its state.
    state: Option<Value>,
    due: DueUpdate,
}

/// How a commit changes when a handler is due.
enum DueUpdate {
    Keep,
    /// A producer is due again at this time.
    NextRunAt(Option<At>),
    /// A consumer that reserved no event has no work, until something happens.
    WorkUnlessEmpty,
}

/// Writes what the run did, and advances its workflow.
async fn commit(
    tx: &Tx<'_>,
    mut locked: LockedRun,
    RunEffects { handler, published, logs }: RunEffects,
    wanted: Option<FollowUp>,
) -> Result<Committed> {
    let changes = locked.state.commit()?;
    blame::note_success(tx, &mut locked).await?;
    let context =
        TransitionContext { state: handler.state.as_ref(), ..TransitionContext::default() };
    // In this order: the handler's update needs the run's reservations, and a consumer that published to itself has work again.
    let ((), (), handlers, (), (), ()) = pipeline!(
        update_handler(tx, &locked, &handler),
        mark_work(tx, locked.workflow.id.0, &published.changed),
        advance::handlers(tx, locked.workflow.id),
        published.write(tx),
        logs::append(tx, &locked.run, logs),
        outcome::write_rows(tx, &locked, &changes, &context),
    )?;
    outcome::apply_workflow_changes(tx, &mut locked, changes, &context).await?;
    // Where a limit applies, the next run has to be queued like those of others.
    let follow_up = wanted.filter(|_| !locked.run.limited);
    let committed = CommittedRun { session: locked.session, handlers, follow_up };
    let advanced = advance::advance_workflow_after_commit(tx, locked.workflow, committed).await?;
    let follow_up = match advanced.enqueued.filter(|_| follow_up.is_some()) {
        Some(run) => Some(claimed(tx, run, advanced.workflow.name).await?),
        None => None,
    };
    Ok(Committed { follow_up })
}

async fn update_handler(
    tx: &Tx<'_>,
    locked: &LockedRun,
    HandlerUpdate { state, due }: &HandlerUpdate,
) -> Result<()> {
    let state = state.as_ref().map(|state| {
        (
            handler_state::state.eq(Some(Json(state))),
            handler_state::updated_at.eq(At(tx.now)),
            handler_state::updated_by_run_id.eq(Some(locked.run.id)),
        )
    });
    let reserved =
        events::table.filter(events::reserved_by_run_id.eq(locked.run.id)).filter(IsReserved);
    let has_work = handler_state::has_work.and(exists(reserved));
    let (next_run_at, has_work) = match due {
        DueUpdate::Keep => (None, None),
        DueUpdate::NextRunAt(at) => (Some(handler_state::next_run_at.eq(*at)), None),
        DueUpdate::WorkUnlessEmpty => (None, Some(handler_state::has_work.eq(has_work))),
    };
    let handler = (locked.workflow.id, locked.run.kind, &locked.run.handler_name);
    diesel::update(handler_state::table.find(handler))
        .set((handler_state::last_run_at.eq(Some(At(tx.now))), state, next_run_at, has_work))
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}
