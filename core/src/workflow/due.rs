//! What a workflow does next, and when.

use crate::id::RunId;
use crate::policy::SessionLimits;
use crate::run::HandlerKind;
use crate::session::Trigger;
use crate::time::Timestamp;
use crate::workflow::controls::WorkflowStatus;

/// Everything that the decision depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueView {
    /// The status that a person gave the workflow.
    pub status: WorkflowStatus,
    /// Whether it waits for a person.
    pub has_error: bool,
    /// Whether it waits for a person because late evidence contradicts the ledger.
    pub is_contradicted: bool,
    /// Whether it waits for a repair.
    pub in_maintenance: bool,
    /// Until when it waits after network failures.
    pub backoff_until: Option<Timestamp>,
    /// Until when its consumers wait because it reached its limit of mutations per hour.
    pub effects_paused_until: Option<Timestamp>,
    /// Whether it has a queued or active run.
    pub has_open_run: bool,
    /// The run that must continue before any other run begins.
    pub pending_retry: Option<PendingRetryView>,
    /// Its consumers, in the order of declaration.
    pub consumers: Vec<ConsumerDue>,
    /// Its producers, in the order of declaration.
    pub producers: Vec<ProducerDue>,
}

/// A run that must continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRetryView {
    /// The run that stopped.
    pub run: RunId,
    /// Its consumer.
    pub handler: String,
}

/// What the decision depends on for a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerDue {
    /// Its name.
    pub name: String,
    /// Whether something happened since it last had nothing to do.
    pub has_work: bool,
    /// When it asked to be woken.
    pub wake_at: Option<Timestamp>,
    /// When the oldest pending event of its topics was published.
    pub oldest_pending: Option<Timestamp>,
}

/// What the decision depends on for a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerDue {
    /// Its name.
    pub name: String,
    /// When it is due.
    pub next_run_at: Option<Timestamp>,
}

/// A handler run to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Producer or consumer.
    pub kind: HandlerKind,
    /// Which.
    pub handler: String,
    /// The run that this one continues.
    pub retry_of: Option<RunId>,
    /// What a session that begins with this run is triggered by.
    pub trigger: Trigger,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Begin this run.
    Run(Step),
    /// Nothing before this instant.
    At(Timestamp),
    /// Nothing until something else happens.
    Idle,
}

/// Decides what a workflow does next.
///
/// A pending retry goes first, consumers go before producers, the consumer with the oldest pending event before other consumers, and
/// the producer that has been due longest before other producers.
#[must_use]
pub fn next_step(view: &DueView, now: Timestamp) -> NextStep {
    let is_stopped = view.has_error || view.is_contradicted || view.in_maintenance;
    if view.status != WorkflowStatus::Active || is_stopped || view.has_open_run {
        return NextStep::Idle;
    }
    if let Some(until) = view.backoff_until.filter(|until| *until > now) {
        return NextStep::At(until);
    }
    let step =
        retry_step(view).or_else(|| consumer_step(view, now)).or_else(|| producer_step(view, now));
    match (step, next_timer(view, now)) {
        (Some(step), _) => NextStep::Run(step),
        (None, Some(due)) => NextStep::At(due),
        (None, None) => NextStep::Idle,
    }
}

fn retry_step(view: &DueView) -> Option<Step> {
    let retry = view.pending_retry.as_ref()?;
    Some(Step {
        kind: HandlerKind::Consumer,
        handler: retry.handler.clone(),
        retry_of: Some(retry.run),
        trigger: Trigger::Retry,
    })
}

fn consumer_step(view: &DueView, now: Timestamp) -> Option<Step> {
    if view.pause(now).is_some() {
        return None;
    }
    let is_awake = |consumer: &&ConsumerDue| consumer.wake_at.is_some_and(|at| at <= now);
    let busy = view.consumers.iter().filter(|consumer| consumer.has_work);
    let (consumer, trigger) = busy
        .min_by_key(|consumer| consumer.oldest_pending.unwrap_or(Timestamp::from_micros(i64::MAX)))
        .map(|consumer| (consumer, Trigger::Event))
        .or_else(|| {
            let woken = view.consumers.iter().filter(is_awake);
            woken
                .min_by_key(|consumer| consumer.wake_at)
                .map(|consumer| (consumer, Trigger::Schedule))
        })?;
    Some(Step {
        kind: HandlerKind::Consumer,
        handler: consumer.name.clone(),
        retry_of: None,
        trigger,
    })
}

fn producer_step(view: &DueView, now: Timestamp) -> Option<Step> {
    let due =
        view.producers.iter().filter(|producer| producer.next_run_at.is_some_and(|at| at <= now));
    let producer = due.min_by_key(|producer| producer.next_run_at)?;
    Some(Step {
        kind: HandlerKind::Producer,
        handler: producer.name.clone(),
        retry_of: None,
        trigger: Trigger::Schedule,
    })
}

impl DueView {
    /// Until when consumers wait.
    fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        self.effects_paused_until.filter(|until| *until > now)
    }
}

fn next_timer(view: &DueView, now: Timestamp) -> Option<Timestamp> {
    let pause = view.pause(now);
    let wakes = view.consumers.iter().filter_map(|consumer| {
        let wakes = if consumer.has_work { pause } else { consumer.wake_at };
        wakes.map(|at| pause.map_or(at, |pause| at.max(pause)))
    });
    wakes.chain(view.producers.iter().filter_map(|producer| producer.next_run_at)).min()
}

/// The instant at which a consumer that returned `wakeAt` is woken: clamped to the limits, `None` where `text` is no instant.
#[must_use]
pub fn wake_at(text: &str, now: Timestamp, limits: &SessionLimits) -> Option<Timestamp> {
    let seconds = |s: u32| std::time::Duration::from_secs(u64::from(s));
    let (nearest, farthest) =
        (now.after(seconds(limits.wake_min_s)), now.after(seconds(limits.wake_max_s)));
    Timestamp::parse(text).map(|wanted| wanted.max(nearest).min(farthest))
}
