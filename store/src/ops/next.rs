//! What a workflow does next: decided by the core, written here, at the end of every operation that changes a workflow.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_core::{
    ConsumerDue, DueView, HandlerKind, NextStep, PendingRetryView, ProducerDue, RunId, SessionId,
    Step, Timestamp, TopicId, WorkflowId, next_step,
};

use super::dialect::{self, RunQueryDsl};
use super::queue::{self, Enqueued};
use super::sessions::{self, Course};
use super::{Operation, Tx, window};
use crate::error::Result;
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

    async fn run(self, tx: &mut Tx<'_>) -> Result<usize> {
        let due = dialect::lock_due_workflows(tx.conn, tx.now, self.limit).await?;
        let n_due = due.len();
        for workflow in due {
            go_on(tx, workflow).await?;
        }
        Ok(n_due)
    }
}

/// What a workflow came to.
pub(super) struct GoneOn {
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
pub(super) async fn go_on(tx: &mut Tx<'_>, workflow: WorkflowRow) -> Result<GoneOn> {
    let has_run = has_open_run(tx, workflow.id).await?;
    let session = sessions::find_open(tx, workflow.id).await?;
    decide(tx, workflow, Open { has_run, session, n_committed: 0 }, None).await
}

/// The same where the workflow's open run has just committed, in that session, and its worker may go on with the next one.
pub(super) async fn go_on_after(
    tx: &mut Tx<'_>,
    workflow: WorkflowRow,
    session: SessionHead,
    taker: Option<FollowUp>,
) -> Result<GoneOn> {
    let open = Open { has_run: false, session: Some(session), n_committed: 1 };
    decide(tx, workflow, open, taker).await
}

async fn decide(
    tx: &mut Tx<'_>,
    mut workflow: WorkflowRow,
    open: Open,
    taker: Option<FollowUp>,
) -> Result<GoneOn> {
    let view = due_view(tx, &workflow, open.has_run).await?;
    let step = next_step(&view, tx.now);
    let was_due_at = workflow.due_at;
    let mut enqueued = None;
    workflow.due_at = None;
    match step {
        NextStep::Run(step) => {
            let session = session_for(tx, &mut workflow, &open, &step).await?;
            enqueued = Some(queue::enqueue(tx, &mut workflow, &step, session, taker).await?);
            tx.wakes |= taker.is_none();
        }
        NextStep::At(instant) => {
            workflow.due_at = Some(At(instant));
            complete(tx, &mut workflow, &open).await?;
        }
        NextStep::Idle if open.has_run => {}
        NextStep::Idle => complete(tx, &mut workflow, &open).await?,
    }
    tx.wakes |= workflow.due_at.is_some() && workflow.due_at != was_due_at;
    save(tx, &mut workflow).await?;
    Ok(GoneOn { workflow, enqueued })
}

/// Writes all of the row that may change: it was read under the lock that is still held.
async fn save(tx: &mut Tx<'_>, workflow: &mut WorkflowRow) -> Result<()> {
    workflow.updated_at = At(tx.now);
    diesel::update(workflows::table.filter(workflows::id.eq(workflow.id)))
        .set(&*workflow)
        .reused()
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// The open session, while its budget lasts, or else a new one, with one more run begun.
async fn session_for(
    tx: &mut Tx<'_>,
    workflow: &mut WorkflowRow,
    open: &Open,
    step: &Step,
) -> Result<Db<SessionId>> {
    let budget = super::stored(tx.policy.session.handler_runs);
    match open.session {
        Some(SessionHead { id, begun_run_count, result: None }) if begun_run_count < budget => {
            let n_committed = open.n_committed;
            let course = Course { n_committed, n_begun: 1, is_done: false };
            sessions::go_on(tx, id, course).await?;
            Ok(id)
        }
        _ => {
            complete(tx, workflow, open).await?;
            sessions::open(tx, workflow.id, step.trigger, 1).await
        }
    }
}

/// A session that ends well ends a row of network failures.
async fn complete(tx: &mut Tx<'_>, workflow: &mut WorkflowRow, open: &Open) -> Result<()> {
    let Some(SessionHead { id, result, .. }) = open.session else { return Ok(()) };
    let is_done = result.is_none();
    if is_done {
        workflow.transient_failures = 0;
        workflow.backoff_until = None;
    }
    let course = Course { n_committed: open.n_committed, n_begun: 0, is_done };
    sessions::go_on(tx, id, course).await
}

/// A handler as far as it may be due: kind, name, whether it has work, when it wakes, when it runs.
type DueHandler = (Db<HandlerKind>, String, bool, Option<At>, Option<At>);

async fn due_view(tx: &mut Tx<'_>, workflow: &WorkflowRow, has_open_run: bool) -> Result<DueView> {
    let handlers = handler_state::table
        .filter(handler_state::workflow_id.eq(workflow.id).and(handler_state::declared.eq(true)))
        .order(handler_state::name)
        .select((
            handler_state::kind,
            handler_state::name,
            handler_state::has_work,
            handler_state::wake_at,
            handler_state::next_run_at,
        ));
    let handlers: Vec<DueHandler> = handlers.load(tx.conn).await?;
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

async fn has_open_run(tx: &mut Tx<'_>, workflow: Db<WorkflowId>) -> Result<bool> {
    let open = handler_runs::table
        .filter(handler_runs::workflow_id.eq(workflow))
        .filter(IsOpen)
        .select(handler_runs::id);
    Ok(open.first::<Db<RunId>>(tx.conn).await.optional()?.is_some())
}

async fn pending_retry(
    tx: &mut Tx<'_>,
    workflow: &WorkflowRow,
) -> Result<Option<PendingRetryView>> {
    let Some(Db(run)) = workflow.pending_retry_run_id else { return Ok(None) };
    let handler = handler_runs::table.find(Db(run)).select(handler_runs::handler_name);
    let handler = handler.first(tx.conn).await?;
    Ok(Some(PendingRetryView { run, handler }))
}

/// When the oldest pending event of each consumer that has work was published. One look into an index per topic, however many
/// events wait; none where there is nothing to choose.
async fn oldest_pending(
    tx: &mut Tx<'_>,
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
