//! Decides what a workflow does next, with `windlass-core`, and writes it: the last step of every operation that changes a
//! workflow.

use std::collections::HashMap;

use diesel::prelude::*;
use futures::FutureExt;
use windlass_core::{
    ConsumerDue, DueView, HandlerKind, NextStep, PendingRetryView, ProducerDue, RunId, SessionId,
    Step, Timestamp, TopicId, WorkflowId, next_step,
};

use super::dialect::{self, RunQueryDsl};
use super::queue::{self, Enqueued};
use super::sessions::{self, SessionProgress};
use super::{Operation, Tx, clock, graph};
use crate::cached::CacheStatement;
use crate::convert::to_i32;
use crate::effect_window;
use crate::error::Result;
use crate::literals::{IsOpenOfScript, IsPending};
use crate::params::FollowUp;
use crate::pipeline::pipeline;
use crate::rows::{At, Db, SessionHead, WorkflowRow};
use crate::schema::{events, handler_runs, handler_state, subscriptions, topics, workflows};

/// Enqueues the next run of workflows that are due.
#[derive(Clone, Copy)]
pub(in super::super) struct EnqueueDue {
    pub(in super::super) limit: u32,
}

impl Operation for EnqueueDue {
    type Output = usize;

    async fn run(self, tx: &Tx<'_>) -> Result<usize> {
        let due = dialect::lock_due_workflows(tx.conn, tx.now, self.limit).await?;
        let n_due = due.len();
        for workflow in due {
            advance_workflow(tx, workflow).await?;
        }
        Ok(n_due)
    }
}

/// An advanced workflow.
pub(super) struct Advanced {
    /// The workflow as saved.
    pub(super) workflow: WorkflowRow,
    /// The run that was enqueued.
    pub(super) enqueued: Option<Enqueued>,
}

/// A workflow's open run and session, and its handlers.
struct CurrentWork {
    has_open_run: bool,
    session: Option<SessionHead>,
    /// How many runs of the session have just committed; the session's row does not count them yet.
    n_committed: i32,
    handlers: Vec<DueHandler>,
}

/// Saves the workflow and decides what it does next: either enqueues a run in a session, or completes the open session and sets
/// when the workflow is due.
pub(super) async fn advance_workflow(tx: &Tx<'_>, workflow: WorkflowRow) -> Result<Advanced> {
    if workflow.kind.0.is_graph() {
        let workflow = graph::advance::advance_workflow(tx, workflow).await?;
        return Ok(Advanced { workflow, enqueued: None });
    }
    let (has_open_run, session, handlers) = pipeline!(
        has_open_run(tx, workflow.id),
        sessions::find_open(tx, workflow.id),
        handlers(tx, workflow.id),
    )?;
    let work = CurrentWork { has_open_run, session, n_committed: 0, handlers };
    take_next_step(tx, workflow, work, None).await
}

/// A run that has just committed.
pub(super) struct CommittedRun {
    /// Its session, whose row does not count the commit yet.
    pub(super) session: SessionHead,
    /// The workflow's handlers after the commit.
    pub(super) handlers: Vec<DueHandler>,
    /// How its worker claims the next run.
    pub(super) follow_up: Option<FollowUp>,
}

/// Does the same as [`advance_workflow`] after the workflow's open run has committed.
pub(super) async fn advance_workflow_after_commit(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
    CommittedRun { session, handlers, follow_up }: CommittedRun,
) -> Result<Advanced> {
    let work =
        CurrentWork { has_open_run: false, session: Some(session), n_committed: 1, handlers };
    take_next_step(tx, workflow, work, follow_up).await
}

async fn take_next_step(
    tx: &Tx<'_>,
    mut workflow: WorkflowRow,
    mut work: CurrentWork,
    follow_up: Option<FollowUp>,
) -> Result<Advanced> {
    if clock::forget_what_is_ahead(tx, &mut workflow).await? {
        work.handlers.iter_mut().for_each(|handler| handler.release(tx.now));
    }
    let view = due_view(tx, &workflow, &work).await?;
    let was_due_at = workflow.due_at;
    workflow.due_at = None;
    let enqueued = match next_step(&view, tx.now) {
        NextStep::Run(step) => Some(enqueue(tx, &mut workflow, &work, &step, follow_up).await?),
        NextStep::At(instant) => {
            workflow.due_at = Some(At(instant));
            complete_session(tx, &mut workflow, &work).await?;
            None
        }
        NextStep::Idle if work.has_open_run => {
            save(tx, &mut workflow).await?;
            None
        }
        NextStep::Idle => {
            complete_session(tx, &mut workflow, &work).await?;
            None
        }
    };
    tx.wake_if(enqueued.is_some() && follow_up.is_none());
    tx.wake_if(workflow.due_at.is_some() && workflow.due_at != was_due_at);
    Ok(Advanced { workflow, enqueued })
}

/// Enqueues the next run, in the open session if its budget allows, otherwise in a new one.
async fn enqueue(
    tx: &Tx<'_>,
    workflow: &mut WorkflowRow,
    work: &CurrentWork,
    step: &Step,
    follow_up: Option<FollowUp>,
) -> Result<Enqueued> {
    let budget = to_i32(tx.policy.session.handler_runs);
    let has_budget =
        |session: &SessionHead| session.result.is_none() && session.begun_run_count < budget;
    let (id, write_sessions) = match work.session.filter(has_budget) {
        Some(SessionHead { id, .. }) => {
            let progress = SessionProgress {
                n_committed: work.n_committed,
                n_begun: 1,
                ..SessionProgress::default()
            };
            (id, sessions::record_progress(tx, id, progress).boxed())
        }
        None => {
            let completed = completed(workflow, work);
            let session = sessions::fresh(tx, workflow.id, step.trigger, 1);
            let id = session.id;
            let write_both = async move {
                pipeline!(record(tx, completed), sessions::insert(tx, &session))?;
                Ok(())
            };
            (id, write_both.boxed())
        }
    };
    let mut enqueued = queue::next_run(tx, workflow, step, id, follow_up).await?;
    if step.retry_of.is_some() {
        workflow.pending_retry_run_id = None;
    }
    pipeline!(write_sessions, queue::insert(tx, &mut enqueued), save(tx, workflow))?;
    Ok(enqueued)
}

/// Completes the session because there is nothing to do now, and saves the workflow.
async fn complete_session(
    tx: &Tx<'_>,
    workflow: &mut WorkflowRow,
    work: &CurrentWork,
) -> Result<()> {
    let completed = completed(workflow, work);
    pipeline!(record(tx, completed), save(tx, workflow))?;
    Ok(())
}

/// Writes all columns that may change: the row was read under the lock that is still held.
async fn save(tx: &Tx<'_>, workflow: &mut WorkflowRow) -> Result<()> {
    workflow.updated_at = At(tx.now);
    diesel::update(workflows::table.filter(workflows::id.eq(workflow.id)))
        .set(&*workflow)
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// The progress of the session when it completes. A session that completes resets the workflow's back-off.
fn completed(
    workflow: &mut WorkflowRow,
    work: &CurrentWork,
) -> Option<(Db<SessionId>, SessionProgress)> {
    let session = work.session?;
    let is_done = session.result.is_none();
    if is_done {
        workflow.transient_failures = 0;
        workflow.backoff_until = None;
    }
    Some((session.id, SessionProgress { n_committed: work.n_committed, n_begun: 0, is_done }))
}

async fn record(tx: &Tx<'_>, completed: Option<(Db<SessionId>, SessionProgress)>) -> Result<()> {
    match completed {
        Some((session, progress)) => sessions::record_progress(tx, session, progress).await,
        None => Ok(()),
    }
}

/// What decides whether a handler is due.
#[derive(HasQuery)]
#[diesel(table_name = handler_state)]
pub(super) struct DueHandler {
    kind: Db<HandlerKind>,
    name: String,
    has_work: bool,
    wake_at: Option<At>,
    next_run_at: Option<At>,
}

impl DueHandler {
    /// Makes it due now, if it waits for a later moment.
    fn release(&mut self, now: Timestamp) {
        let now = At(now);
        self.next_run_at = self.next_run_at.map(|at| at.min(now));
        self.wake_at = self.wake_at.map(|at| at.min(now));
    }
}

/// The handlers of the active version.
pub(super) async fn handlers(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<Vec<DueHandler>> {
    let handlers = DueHandler::query()
        .filter(handler_state::workflow_id.eq(workflow).and(handler_state::declared.eq(true)))
        .order(handler_state::name);
    handlers.load(tx.conn).await
}

async fn due_view(tx: &Tx<'_>, workflow: &WorkflowRow, work: &CurrentWork) -> Result<DueView> {
    let mut oldest = oldest_pending(tx, workflow.id, &work.handlers).await?;
    let mut view = DueView {
        status: workflow.status.0,
        has_error: workflow.error.is_some(),
        is_contradicted: workflow.contradicted_mutation_id.is_some(),
        in_maintenance: workflow.maintenance,
        backoff_until: workflow.backoff_until.map(|At(until)| until),
        effects_paused_until: effect_window::paused_until(workflow, &tx.policy.effects),
        has_open_run: work.has_open_run,
        pending_retry: pending_retry(tx, workflow).await?,
        consumers: Vec::new(),
        producers: Vec::new(),
    };
    for handler in &work.handlers {
        let name = handler.name.clone();
        if handler.kind.0 == HandlerKind::Producer {
            let next_run_at = handler.next_run_at.map(|At(next)| next);
            view.producers.push(ProducerDue { name, next_run_at });
        } else {
            let has_work = handler.has_work;
            let wake_at = handler.wake_at.map(|At(wake)| wake);
            let oldest_pending = oldest.remove(&name);
            view.consumers.push(ConsumerDue { name, has_work, wake_at, oldest_pending });
        }
    }
    Ok(view)
}

async fn has_open_run(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<bool> {
    let open = handler_runs::table
        .filter(handler_runs::workflow_id.eq(workflow))
        .filter(IsOpenOfScript)
        .select(handler_runs::id);
    Ok(open.optional::<Db<RunId>>(tx.conn).await?.is_some())
}

async fn pending_retry(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<Option<PendingRetryView>> {
    let Some(Db(run)) = workflow.pending_retry_run_id else { return Ok(None) };
    let handler = handler_runs::table.find(Db(run)).select(handler_runs::handler_name);
    let handler = handler.first(tx.conn).await?;
    Ok(Some(PendingRetryView { run, handler }))
}

/// When the oldest pending event of each consumer with work was published. It reads one index entry per topic, however many
/// events are pending, and nothing if fewer than two consumers have work.
async fn oldest_pending(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
    handlers: &[DueHandler],
) -> Result<HashMap<String, Timestamp>> {
    let busy: Vec<&String> = handlers.iter().filter(|it| it.has_work).map(|it| &it.name).collect();
    let mut oldest = HashMap::new();
    if busy.len() < 2 {
        return Ok(oldest);
    }
    let subscribed = subscriptions::table
        .inner_join(topics::table.on(topics::name.eq(subscriptions::topic)))
        .filter(subscriptions::workflow_id.eq(workflow).and(topics::workflow_id.eq(workflow)))
        .select((subscriptions::consumer, topics::id));
    let subscribed: Vec<(String, Db<TopicId>)> = subscribed.load(tx.conn).await?;
    for (consumer, topic) in subscribed.into_iter().filter(|(name, _)| busy.contains(&name)) {
        let first = events::table
            .filter(events::topic_id.eq(topic))
            .filter(IsPending)
            .order((events::created_at, events::id))
            .select(events::created_at);
        if let Some(At(first)) = first.optional::<At>(tx.conn).await? {
            let known = oldest.entry(consumer).or_insert(first);
            *known = first.min(*known);
        }
    }
    Ok(oldest)
}
