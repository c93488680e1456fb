//! Judges a workflow's health: whether it works, waits or needs a person, why, and what to do.

mod badge;
mod doubt;
mod queue;

use std::time::Duration;

use serde::Serialize;
use windlass_core::{EventStatus, FailureClass, MutationStatus, Status, Timestamp, WorkflowStatus};
use windlass_store::{HandlerState, Input, Mutation, WorkflowOverview};

pub use self::badge::Badge;
use super::advice::{Advice, Fact, NextStep};
use super::deploy::UnreadTopic;
use crate::text::{TimeFormat, duration};

/// Whether a workflow works, waits or needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkflowHealth {
    /// In one word.
    pub badge: Badge,
    /// Why, in one sentence.
    pub why: String,
    /// What a person should know before acting.
    pub facts: Vec<Fact>,
    /// What can be done.
    pub advice: Vec<Advice>,
}

/// A mutation of which nobody knows whether it happened, and what caused it.
#[derive(Debug)]
pub struct MutationInDoubt {
    /// The mutation.
    pub mutation: Mutation,
    /// The inputs that caused it.
    pub inputs: Vec<Input>,
}

/// What the judgement depends on.
#[derive(Debug, Clone, Copy)]
pub struct HealthInputs<'a> {
    /// Everything that is known of the workflow.
    pub overview: &'a WorkflowOverview,
    /// Those of [`mutations_in_doubt`], each with what caused it.
    pub doubts: &'a [MutationInDoubt],
    /// Topics with events that no consumer of the version that runs takes.
    pub unread: &'a [UnreadTopic],
    /// How far the database knows of moments ahead of its clock; none if it does not.
    pub known_ahead: Option<Duration>,
    /// How instants are worded.
    pub times: TimeFormat,
}

/// Judges a workflow's health. What only a person can settle comes first, then what a person ordered, then the rest.
#[must_use]
pub fn judge_health(inputs: HealthInputs<'_>) -> WorkflowHealth {
    let mut health = inputs
        .in_doubt()
        .or_else(|| inputs.contradicted())
        .or_else(|| inputs.in_maintenance())
        .or_else(|| inputs.stopped_by_error())
        .or_else(|| inputs.stopped_by_person())
        .or_else(|| inputs.running())
        .or_else(|| inputs.backing_off())
        .or_else(|| inputs.effects_paused())
        .unwrap_or_else(|| inputs.waiting());
    health.facts.extend(inputs.parked_events());
    for topic in inputs.unread {
        health = inputs.tell_unread(health, topic);
    }
    health.facts.extend(inputs.clock_set_back());
    health
}

/// Mutations whose outcome nobody knows, without the one that a worker is just making.
pub fn mutations_in_doubt(overview: &WorkflowOverview) -> impl Iterator<Item = &Mutation> {
    let is_under_way = |mutation: &Mutation| {
        let active = overview.open_run.as_ref().filter(|run| run.status == Status::Active);
        active.is_some_and(|run| run.id == mutation.handler_run_id)
    };
    overview.in_doubt.iter().filter(move |mutation| {
        mutation.status != MutationStatus::InFlight || !is_under_way(mutation)
    })
}

impl WorkflowHealth {
    /// Whether nothing continues before a person has acted.
    #[must_use]
    pub const fn waits_for_person(&self) -> bool {
        matches!(self.badge, Badge::NeedsAttention | Badge::Fixing)
    }

    fn new(badge: Badge, why: impl Into<String>) -> Self {
        Self { badge, why: why.into(), facts: Vec::new(), advice: Vec::new() }
    }

    fn fact(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.facts.push(Fact { label, text: text.into(), listed_by: None });
        self
    }

    fn fact_if(self, label: &'static str, text: Option<String>) -> Self {
        match text {
            Some(text) => self.fact(label, text),
            None => self,
        }
    }

    fn advise(mut self, effect: impl Into<String>) -> Self {
        self.advice.push(Advice { step: None, effect: effect.into() });
        self
    }

    fn advise_step(mut self, step: NextStep, effect: impl Into<String>) -> Self {
        self.advice.push(Advice { step: Some(step), effect: effect.into() });
        self
    }
}

impl HealthInputs<'_> {
    fn name(&self) -> String {
        self.overview.workflow.name.clone()
    }

    fn resume(&self) -> NextStep {
        NextStep::Resume { workflow: self.name() }
    }

    fn run_once(&self) -> NextStep {
        NextStep::RunOnce { workflow: self.name() }
    }

    fn when(&self, instant: Timestamp) -> String {
        self.times.time_and_distance(instant)
    }

    /// What was learned late contradicts the ledger.
    fn contradicted(&self) -> Option<WorkflowHealth> {
        let mutation = self.overview.workflow.contradicted_mutation_id?;
        let why = "what was learned late of an effect contradicts the ledger: it may have happened twice, or not at all";
        let events = NextStep::ListEvents { workflow: self.name(), status: EventStatus::Parked };
        let health = WorkflowHealth::new(Badge::NeedsAttention, why)
            .fact("output", mutation.to_string())
            .advise("look at the target of that output, and put right what is wrong there")
            .advise_step(
                events,
                "lists the events that it was for: skip them, or put them back to have it done once more",
            );
        Some(health.advise_step(self.resume(), "then lets it go on"))
    }

    fn in_maintenance(&self) -> Option<WorkflowHealth> {
        let workflow = &self.overview.workflow;
        if !workflow.maintenance {
            return None;
        }
        let health = WorkflowHealth::new(Badge::Fixing, "its script failed and has to be repaired");
        let error = self.overview.stopped_by.as_ref().and_then(|run| run.error.clone());
        let health = health.fact_if("error", error.or_else(|| workflow.error.clone()));
        let health = self.failed_run(health).advise_step(
            NextStep::DeployFix { workflow: self.name() },
            "deploys a fixed version; what was reserved or already done is kept",
        );
        Some(health.advise_step(
            self.resume(),
            "tries the same version once more, where the cause was outside the script",
        ))
    }

    fn stopped_by_error(&self) -> Option<WorkflowHealth> {
        let workflow = &self.overview.workflow;
        let error = workflow.error.as_ref()?;
        let class = workflow.error_class.unwrap_or(FailureClass::Internal);
        let (cause, remedy) = cause_and_remedy(class);
        let health = WorkflowHealth::new(Badge::NeedsAttention, format!("{cause}: {error}"))
            .fact("class", class.to_string());
        let health = self.failed_run(health).advise(remedy);
        Some(health.advise_step(self.resume(), "then continues"))
    }

    /// Adds what is known of the run that stopped the workflow.
    fn failed_run(&self, health: WorkflowHealth) -> WorkflowHealth {
        let Some(run) = &self.overview.stopped_by else { return health };
        let at = run.error_at.as_ref();
        health
            .fact("handler", format!("{} {} in phase {}", run.kind, run.handler, run.phase))
            .fact_if("at", at.map(ToString::to_string))
            .fact_if("source", at.and_then(|at| Some(at.source_line.as_ref()?.trim().to_owned())))
            .fact("run", run.id.to_string())
            .fact_if("afterwards", self.pending_retry())
    }

    fn pending_retry(&self) -> Option<String> {
        let run = self.overview.workflow.pending_retry_run_id?;
        Some(format!("{run} continues after its effect, which is not repeated"))
    }

    fn stopped_by_person(&self) -> Option<WorkflowHealth> {
        let workflow = self.name();
        let (why, step, effect) = match self.overview.workflow.status {
            WorkflowStatus::Active => return None,
            WorkflowStatus::Draft => (
                "it has no script yet",
                NextStep::Deploy { workflow },
                "deploys one and lets it run",
            ),
            WorkflowStatus::Ready => (
                "it was never activated",
                NextStep::Activate { workflow },
                "lets its newest version run",
            ),
            WorkflowStatus::Paused => ("it is paused", self.resume(), "continues where it stopped"),
            WorkflowStatus::Archived => (
                "it is archived",
                NextStep::Unarchive { workflow },
                "takes it out of the archive; it is then paused",
            ),
        };
        let mut health = WorkflowHealth::new(Badge::Stopped, why);
        if self.overview.open_run.as_ref().is_some_and(|run| run.status == Status::Active) {
            health = health.fact("still", "the handler that is under way finishes");
        }
        Some(health.advise_step(step, effect))
    }

    fn backing_off(&self) -> Option<WorkflowHealth> {
        let workflow = &self.overview.workflow;
        let until = workflow.backoff_until.filter(|until| *until > self.times.now)?;
        let tries = workflow.transient_failures;
        let last = self.overview.last_session.as_ref().and_then(|session| session.error.clone());
        let why = format!(
            "the other side did not answer or asked to wait, {tries} time(s) in a row; it tries again by itself at {}",
            self.when(until)
        );
        Some(
            WorkflowHealth::new(Badge::Idle, why)
                .fact_if("error", last)
                .fact_if("afterwards", self.pending_retry())
                .advise_step(self.run_once(), "tries now"),
        )
    }

    fn effects_paused(&self) -> Option<WorkflowHealth> {
        let until = self.overview.effects_paused_until.filter(|until| *until > self.times.now)?;
        let why = format!(
            "it made as many effects as an hour may have; its consumers continue by themselves at {}",
            self.when(until)
        );
        Some(
            WorkflowHealth::new(Badge::Idle, why)
                .advise("see whether it is meant to do so much; `mutations_per_hour` in `[limits.effects]` sets how much")
                .advise_step(self.resume(), "continues now"),
        )
    }

    /// Events that were taken out of the queue because their runs failed.
    fn parked_events(&self) -> Option<Fact> {
        let n_parked: u32 = self.overview.events.values().map(|counts| counts.parked).sum();
        (n_parked > 0).then(|| Fact {
            label: "parked",
            text: format!("{n_parked} event(s) whose runs failed"),
            listed_by: Some(NextStep::ListEvents {
                workflow: self.name(),
                status: EventStatus::Parked,
            }),
        })
    }

    /// Events that no consumer will ever take, because the version that runs does not subscribe to their topic.
    fn tell_unread(&self, health: WorkflowHealth, unread: &UnreadTopic) -> WorkflowHealth {
        let UnreadTopic { topic, pending } = unread;
        let step = NextStep::SkipTopic { workflow: self.name(), topic: topic.clone() };
        health
            .fact(
                "unread",
                format!("{pending} event(s) of topic `{topic}`, to which no consumer subscribes"),
            )
            .advise_step(
                step,
                "skips them; or deploy a version with a consumer that subscribes to the topic",
            )
    }

    /// That the clock was set back, so that times may look wrong.
    fn clock_set_back(&self) -> Option<Fact> {
        let ahead = duration(self.known_ahead?);
        let text = format!(
            "it was set back: the database knows of moments up to {ahead} ahead of it; a worker lets nothing wait for them"
        );
        Some(Fact { label: "clock", text, listed_by: None })
    }

    fn waiting(&self) -> WorkflowHealth {
        let pending: u32 = self.overview.events.values().map(|counts| counts.pending).sum();
        let unread: u32 = self.unread.iter().map(|topic| topic.pending).sum();
        let pending = pending.saturating_sub(unread);
        let pending = (pending > 0).then(|| {
            format!("{pending} event(s) that its consumers leave for a later event or a later time")
        });
        if self.overview.workflow.kind.is_graph() {
            let step = NextStep::ShowPlan { workflow: self.name() };
            return WorkflowHealth::new(Badge::Idle, "its nodes decide what comes next")
                .advise_step(step, "shows how far each node is, and who has to act");
        }
        let Some(due) = self.overview.workflow.due_at else {
            let why = "nothing is due, and nothing is scheduled any more";
            return WorkflowHealth::new(Badge::Idle, why).fact_if("pending", pending);
        };
        if due <= self.times.now {
            return self.waits_for_worker(due, "it is due and waits for a worker".to_owned());
        }
        let reason = self.reason_due(due).map(|who| format!(" for {who}")).unwrap_or_default();
        WorkflowHealth::new(Badge::Idle, format!("it waits{reason} until {}", self.when(due)))
            .fact_if("pending", pending)
    }

    /// The schedule or wake-up that makes the workflow due at an instant.
    fn reason_due(&self, due: Timestamp) -> Option<String> {
        let is_due = |handler: &&HandlerState| {
            handler.next_run_at == Some(due) || handler.wake_at == Some(due)
        };
        let handler = self.overview.handlers.iter().find(is_due)?;
        let reason = match &handler.schedule {
            Some(schedule) if handler.next_run_at == Some(due) => {
                format!("the schedule ({schedule})")
            }
            _ => "the wake-up".to_owned(),
        };
        Some(format!("{reason} of `{}`", handler.name))
    }
}

/// What an effect is called: the script's title for it, else the tool.
#[must_use]
pub fn mutation_title(mutation: &Mutation) -> String {
    if mutation.ui_title.is_empty() {
        format!("{}.{}", mutation.tool_namespace, mutation.tool_method)
    } else {
        mutation.ui_title.clone()
    }
}

/// What a class of failure means, and how a person removes the cause.
const fn cause_and_remedy(class: FailureClass) -> (&'static str, &'static str) {
    match class {
        FailureClass::Auth => (
            "a service refuses these credentials",
            "renew them, or give them the rights that this needs",
        ),
        FailureClass::Permission => (
            "it is not allowed to do what it wants",
            "grant it: in the configuration (for example `[tools.files] roots`), with the script, or by accepting what a connector offers",
        ),
        FailureClass::Network => (
            "the other side did not answer or asked to wait, too often in a row",
            "see that the other side can be reached from here, and that it is not asked too often",
        ),
        FailureClass::Logic => ("its script failed", "repair the script and deploy it"),
        FailureClass::Internal => (
            "windlass or one of its tools failed",
            "see what the error says; where it is no fault of this machine, report it",
        ),
        FailureClass::ApiKey => ("a provider does not accept its key", "set a key that it accepts"),
        FailureClass::Balance => ("a provider wants to be paid first", "pay the provider"),
    }
}
