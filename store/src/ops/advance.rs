//! What a workflow does next: decided by the core, written here, at the end of every operation that changes a workflow.

use std::collections::HashMap;

use diesel::prelude::*;
use futures::future::Either;
use windlass_core::{
    ConsumerDue, DueView, HandlerKind, NextStep, PendingRetryView, ProducerDue, RunId, Step,
    Timestamp, TopicId, WorkflowId, next_step,
};

use super::dialect::{self, RunQueryDsl};
use super::queue::{self, Enqueued};
use super::sessions::{self, SessionProgress};
use super::{Operation, Tx, window};
use crate::error::Result;
use crate::joined::joined;
use crate::literals::{IsOpen, IsPending};
use crate::params::FollowUp;
use crate::reused::Reuse;
use crate::rows::{At, Db, SessionHead, WorkflowRow};
use crate::schema::{events, handler_runs, handler_state, subscriptions, topics, workflows};

/// Enqueues the next run of workflows that are due.
#[derive(Clone, Copy)]
pub(super) struct EnqueueDue {
    pub(super) limit: u32,
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

/// What a workflow came to.
pub(super) struct Advanced {
    /// As it is saved.
    pub(super) workflow: WorkflowRow,
    /// The run that was enqueued.
    pub(super) enqueued: Option<Enqueued>,
}

/// What is under way in a workflow.
struct Open {
    has_run: bool,
    session: Option<SessionHead>,
    /// How many runs of the session have just committed, which is not written yet.
    n_committed: i32,
}

/// Saves the workflow and decides what it does next: a run is enqueued in a session, or the open session is completed and the
/// workflow notes when it has to be looked at again.
pub(super) async fn advance_workflow(tx: &Tx<'_>, workflow: WorkflowRow) -> Result<Advanced> {
    let (has_run, session, handlers) = joined!(
        has_open_run(tx, workflow.id),
        sessions::find_open(tx, workflow.id),
        handlers(tx, workflow.id),
    )?;
    decide(tx, workflow, (Open { has_run, session, n_committed: 0 }, handlers), None).await
}

/// The same where the workflow's open run has just committed, in that session and leaving the handlers like that, and its worker
/// may go on with the next one.
pub(super) async fn advance_workflow_after_commit(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
    (session, handlers): (SessionHead, Vec<DueHandler>),
    taker: Option<FollowUp>,
) -> Result<Advanced> {
    let open = Open { has_run: false, session: Some(session), n_committed: 1 };
    decide(tx, workflow, (open, handlers), taker).await
}

async fn decide(
    tx: &Tx<'_>,
    mut workflow: WorkflowRow,
    (open, handlers): (Open, Vec<DueHandler>),
    taker: Option<FollowUp>,
) -> Result<Advanced> {
    let view = due_view(tx, &workflow, open.has_run, handlers).await?;
    let was_due_at = workflow.due_at;
    workflow.due_at = None;
    let enqueued = match next_step(&view, tx.now) {
        NextStep::Run(step) => Some(enqueue(tx, &mut workflow, &open, &step, taker).await?),
        NextStep::At(instant) => {
            workflow.due_at = Some(At(instant));
            end(tx, &mut workflow, &open).await?;
            None
        }
        NextStep::Idle if open.has_run => {
            save(tx, &mut workflow).await?;
            None
        }
        NextStep::Idle => {
            end(tx, &mut workflow, &open).await?;
            None
        }
    };
    tx.wake_if(enqueued.is_some() && taker.is_none());
    tx.wake_if(workflow.due_at.is_some() && workflow.due_at != was_due_at);
    Ok(Advanced { workflow, enqueued })
}

/// Enqueues the next run in the open session, while its budget lasts, or else in a new one.
async fn enqueue(
    tx: &Tx<'_>,
    workflow: &mut WorkflowRow,
    open: &Open,
    step: &Step,
    taker: Option<FollowUp>,
) -> Result<Enqueued> {
    let budget = super::stored(tx.policy.session.handler_runs);
    let goes_on =
        |session: &SessionHead| session.result.is_none() && session.begun_run_count < budget;
    let (id, session) = match open.session.filter(goes_on) {
        Some(SessionHead { id, .. }) => {
            let course =
                SessionProgress { n_committed: open.n_committed, n_begun: 1, is_done: false };
            (id, Either::Left(sessions::record_progress(tx, id, course)))
        }
        None => {
            let completed = complete(tx, workflow, open);
            let fresh = sessions::fresh(tx, workflow.id, step.trigger, 1);
            let id = fresh.id;
            let begun = async move {
                joined!(completed, sessions::insert(tx, &fresh))?;
                Ok(())
            };
            (id, Either::Right(begun))
        }
    };
    let mut enqueued = queue::next_run(tx, workflow, step, id, taker).await?;
    if step.retry_of.is_some() {
        workflow.pending_retry_run_id = None;
    }
    joined!(session, queue::insert(tx, &mut enqueued.run), save(tx, workflow))?;
    Ok(enqueued)
}

/// Ends the session, for now there is nothing to do.
async fn end(tx: &Tx<'_>, workflow: &mut WorkflowRow, open: &Open) -> Result<()> {
    let completed = complete(tx, workflow, open);
    joined!(completed, save(tx, workflow))?;
    Ok(())
}

/// Writes all of the row that may change: it was read under the lock that is still held.
async fn save(tx: &Tx<'_>, workflow: &mut WorkflowRow) -> Result<()> {
    workflow.updated_at = At(tx.now);
    diesel::update(workflows::table.filter(workflows::id.eq(workflow.id)))
        .set(&*workflow)
        .reused()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// Completes the session, unless it is over. One that ends well ends a row of network failures.
fn complete<'tx>(
    tx: &'tx Tx<'_>,
    workflow: &mut WorkflowRow,
    open: &Open,
) -> impl Future<Output = Result<()>> + use<'tx> {
    let is_done = open.session.is_some_and(|session| session.result.is_none());
    if is_done {
        workflow.transient_failures = 0;
        workflow.backoff_until = None;
    }
    let session = open.session.map(|session| session.id);
    let course = SessionProgress { n_committed: open.n_committed, n_begun: 0, is_done };
    async move {
        match session {
            Some(id) => sessions::record_progress(tx, id, course).await,
            None => Ok(()),
        }
    }
}

/// A handler as far as it may be due: kind, name, whether it has work, when it wakes, when it runs.
pub(super) type DueHandler = (Db<HandlerKind>, String, bool, Option<At>, Option<At>);

/// The handlers of the active version.
pub(super) async fn handlers(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<Vec<DueHandler>> {
    let handlers = handler_state::table
        .filter(handler_state::workflow_id.eq(workflow).and(handler_state::declared.eq(true)))
        .order(handler_state::name)
        .select((
            handler_state::kind,
            handler_state::name,
            handler_state::has_work,
            handler_state::wake_at,
            handler_state::next_run_at,
        ));
    Ok(handlers.load(tx.conn).await?)
}

async fn due_view(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    has_open_run: bool,
    handlers: Vec<DueHandler>,
) -> Result<DueView> {
    let mut oldest = oldest_pending(tx, workflow.id, &handlers).await?;
    let mut view = DueView {
        status: workflow.status.0,
        has_error: workflow.error.is_some(),
        in_maintenance: workflow.maintenance,
        backoff_until: workflow.backoff_until.map(|At(until)| until),
        effects_paused_until: window::paused_until(workflow, &tx.policy.effects),
        has_open_run,
        pending_retry: pending_retry(tx, workflow).await?,
        consumers: Vec::new(),
        producers: Vec::new(),
    };
    for (Db(kind), name, has_work, wake_at, next_run_at) in handlers {
        if kind == HandlerKind::Producer {
            let next_run_at = next_run_at.map(|At(next)| next);
            view.producers.push(ProducerDue { name, next_run_at });
        } else {
            let wake_at = wake_at.map(|At(wake)| wake);
            let oldest_pending = oldest.remove(&name);
            view.consumers.push(ConsumerDue { name, has_work, wake_at, oldest_pending });
        }
    }
    Ok(view)
}

async fn has_open_run(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<bool> {
    let open = handler_runs::table
        .filter(handler_runs::workflow_id.eq(workflow))
        .filter(IsOpen)
        .select(handler_runs::id);
    Ok(open.first::<Db<RunId>>(tx.conn).await.optional()?.is_some())
}

async fn pending_retry(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<Option<PendingRetryView>> {
    let Some(Db(run)) = workflow.pending_retry_run_id else { return Ok(None) };
    let handler = handler_runs::table.find(Db(run)).select(handler_runs::handler_name);
    let handler = handler.first(tx.conn).await?;
    Ok(Some(PendingRetryView { run, handler }))
}

/// When the oldest pending event of each consumer that has work was published. One look into an index per topic, however many
/// events wait; none where there is nothing to choose.
async fn oldest_pending(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
    handlers: &[DueHandler],
) -> Result<HashMap<String, Timestamp>> {
    let busy: Vec<&String> = handlers
        .iter()
        .filter(|(_, _, has_work, ..)| *has_work)
        .map(|(_, name, ..)| name)
        .collect();
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
        if let Some(At(first)) = first.first::<At>(tx.conn).await.optional()? {
            let known = oldest.entry(consumer).or_insert(first);
            *known = first.min(*known);
        }
    }
    Ok(oldest)
}
