//! How a workflow stands, in a person's words: the badge, why it does not move, and what to do.

mod doubt;
mod queue;

use serde::Serialize;
use windlass_core::{FailureClass, MutationStatus, Status, Timestamp, WorkflowStatus};
use windlass_store::{HandlerState, Input, Mutation, WorkflowOverview};

use crate::invocation::{Echo, quoted};
use crate::output::View;

/// A workflow's state in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Badge {
    /// A run is under way.
    Running,
    /// All is well, and nothing is to be done now.
    Idle,
    /// It goes on only when a person has settled something.
    NeedsAttention,
    /// It goes on when its script is repaired.
    Fixing,
    /// A person stopped it, or never started it.
    Stopped,
}

impl std::fmt::Display for Badge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "Running",
            Self::Idle => "Idle",
            Self::NeedsAttention => "Needs attention",
            Self::Fixing => "Fixing",
            Self::Stopped => "Stopped",
        })
    }
}

/// How a workflow stands.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    /// In one word.
    pub(crate) badge: Badge,
    /// Why, in one sentence.
    pub(crate) why: String,
    /// What one has to know to act.
    pub(crate) facts: Vec<Fact>,
    /// What can be done.
    pub(crate) to_do: Vec<Advice>,
}

/// Something that one has to know.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) text: String,
}

/// Something that can be done.
#[derive(Debug, Serialize)]
pub(crate) struct Advice {
    /// The exact command, where one does it.
    pub(crate) command: Option<String>,
    /// What to do, or what the command will do.
    pub(crate) effect: String,
}

/// An effect in doubt, and what caused it.
#[derive(Debug)]
pub(crate) struct Doubt {
    pub(crate) mutation: Mutation,
    pub(crate) inputs: Vec<Input>,
}

/// What the judgement depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) overview: &'a WorkflowOverview,
    pub(crate) doubts: &'a [Doubt],
    pub(crate) echo: &'a Echo,
    pub(crate) view: View,
}

/// Judges how a workflow stands: what only a person can settle comes before what a person wanted, and that before the rest.
pub(crate) fn standing(look: Look<'_>) -> Standing {
    look.doubt()
        .or_else(|| look.maintenance())
        .or_else(|| look.error())
        .or_else(|| look.stopped())
        .or_else(|| look.running())
        .or_else(|| look.backing_off())
        .or_else(|| look.pausing())
        .unwrap_or_else(|| look.waiting())
        .fact_if("parked", look.parked())
}

/// Mutations whose outcome nobody knows, and that no worker is just making.
pub(crate) fn in_doubt(overview: &WorkflowOverview) -> impl Iterator<Item = &Mutation> {
    let is_open = |mutation: &Mutation| {
        let open = overview.open_run.as_ref().filter(|run| run.status == Status::Active);
        open.is_some_and(|run| run.id == mutation.handler_run_id)
    };
    overview
        .in_doubt
        .iter()
        .filter(move |mutation| mutation.status != MutationStatus::InFlight || !is_open(mutation))
}

impl Standing {
    fn new(badge: Badge, why: impl Into<String>) -> Self {
        Self { badge, why: why.into(), facts: Vec::new(), to_do: Vec::new() }
    }

    fn fact(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.facts.push(Fact { label, text: text.into() });
        self
    }

    fn fact_if(self, label: &'static str, text: Option<String>) -> Self {
        match text {
            Some(text) => self.fact(label, text),
            None => self,
        }
    }

    fn advise(mut self, effect: impl Into<String>) -> Self {
        self.to_do.push(Advice { command: None, effect: effect.into() });
        self
    }

    fn advise_command(mut self, command: String, effect: impl Into<String>) -> Self {
        self.to_do.push(Advice { command: Some(command), effect: effect.into() });
        self
    }
}

impl Look<'_> {
    /// A command about this workflow, as it can be pasted.
    fn command(&self, words: &str) -> String {
        self.echo.command(&format!("{words} {}", quoted(&self.overview.workflow.name)))
    }

    fn deploy_command(&self, options: &str) -> String {
        let name = quoted(&self.overview.workflow.name);
        self.echo.command(&format!("deploy FILE --name {name}{options}"))
    }

    fn when(&self, instant: Timestamp) -> String {
        format!("{} ({})", self.view.time(instant), self.view.distance(instant))
    }

    fn maintenance(&self) -> Option<Standing> {
        let workflow = &self.overview.workflow;
        if !workflow.maintenance {
            return None;
        }
        let standing = Standing::new(Badge::Fixing, "its script failed and has to be repaired");
        let error = self.overview.stopped_by.as_ref().and_then(|run| run.error.clone());
        let standing = standing.fact_if("error", error.or_else(|| workflow.error.clone()));
        let standing = self.failed_run(standing).advise_command(
            self.deploy_command(" --fix --activate"),
            "deploys a fixed version; what was reserved or already done is kept",
        );
        Some(standing.advise_command(
            self.command("resume"),
            "tries the same version once more, where the cause was outside the script",
        ))
    }

    fn error(&self) -> Option<Standing> {
        let workflow = &self.overview.workflow;
        let error = workflow.error.as_ref()?;
        let class = workflow.error_class.unwrap_or(FailureClass::Internal);
        let (cause, mend) = mend(class);
        let standing = Standing::new(Badge::NeedsAttention, format!("{cause}: {error}"))
            .fact("class", class.to_string());
        let standing = self.failed_run(standing).advise(mend);
        Some(standing.advise_command(self.command("resume"), "then lets it go on"))
    }

    /// What is known of the run that stopped the workflow.
    fn failed_run(&self, standing: Standing) -> Standing {
        let Some(run) = &self.overview.stopped_by else { return standing };
        let at = run.error_at.as_ref();
        standing
            .fact("handler", format!("{} {} in phase {}", run.kind, run.handler, run.phase))
            .fact_if("at", at.map(ToString::to_string))
            .fact_if("source", at.and_then(|at| Some(at.source_line.as_ref()?.trim().to_owned())))
            .fact("run", run.id.to_string())
            .fact_if("afterwards", self.pending_retry())
    }

    fn pending_retry(&self) -> Option<String> {
        let run = self.overview.workflow.pending_retry_run_id?;
        Some(format!("{run} goes on after its effect, which is not made again"))
    }

    fn stopped(&self) -> Option<Standing> {
        let (why, command, effect) = match self.overview.workflow.status {
            WorkflowStatus::Active => return None,
            WorkflowStatus::Draft => (
                "it has no script yet",
                self.deploy_command(" --activate"),
                "deploys one and lets it run",
            ),
            WorkflowStatus::Ready => {
                ("it was never activated", self.command("activate"), "lets its newest version run")
            }
            WorkflowStatus::Paused => {
                ("it is paused", self.command("resume"), "lets it go on where it was")
            }
            WorkflowStatus::Archived => {
                ("it is put away", self.command("unarchive"), "takes it back; it is paused then")
            }
        };
        let mut standing = Standing::new(Badge::Stopped, why);
        if self.overview.open_run.as_ref().is_some_and(|run| run.status == Status::Active) {
            standing = standing.fact("still", "the handler that is under way finishes");
        }
        Some(standing.advise_command(command, effect))
    }

    fn backing_off(&self) -> Option<Standing> {
        let workflow = &self.overview.workflow;
        let until = workflow.backoff_until.filter(|until| *until > self.view.now)?;
        let tries = workflow.transient_failures;
        let last = self.overview.last_session.as_ref().and_then(|session| session.error.clone());
        let why = format!(
            "the network failed {tries} time(s) in a row; it tries again by itself at {}",
            self.when(until)
        );
        Some(
            Standing::new(Badge::Idle, why)
                .fact_if("error", last)
                .fact_if("afterwards", self.pending_retry())
                .advise_command(self.command("run"), "tries now"),
        )
    }

    fn pausing(&self) -> Option<Standing> {
        let until = self.overview.effects_paused_until.filter(|until| *until > self.view.now)?;
        let why = format!(
            "it made as many effects as an hour may have; its consumers go on by themselves at {}",
            self.when(until)
        );
        Some(
            Standing::new(Badge::Idle, why)
                .advise("see whether it is meant to do so much; `mutations_per_hour` in `[limits.effects]` sets how much")
                .advise_command(self.command("resume"), "lets it go on now"),
        )
    }

    /// What was taken out of the way.
    fn parked(&self) -> Option<String> {
        let n_parked: u32 = self.overview.events.values().map(|counts| counts.parked).sum();
        let name = quoted(&self.overview.workflow.name);
        let list = self.echo.command(&format!("events {name} --status parked"));
        (n_parked > 0).then(|| {
            format!("{n_parked} event(s) whose runs went wrong too often; `{list}` lists them")
        })
    }

    fn waiting(&self) -> Standing {
        let pending: u32 = self.overview.events.values().map(|counts| counts.pending).sum();
        let left = (pending > 0).then(|| {
            format!("{pending} event(s) that its consumers leave for a later event or a later time")
        });
        let Some(due) = self.overview.workflow.due_at else {
            return Standing::new(Badge::Idle, "nothing is due, and nothing is scheduled any more")
                .fact_if("pending", left);
        };
        if due <= self.view.now {
            return self.due(due, "it is due and waits for a worker".to_owned());
        }
        let who = self.who_is_due(due).map(|who| format!(" for {who}")).unwrap_or_default();
        Standing::new(Badge::Idle, format!("it waits{who} until {}", self.when(due)))
            .fact_if("pending", left)
    }

    /// The handler that an instant belongs to.
    fn who_is_due(&self, due: Timestamp) -> Option<String> {
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

/// What an effect is called: the script's words, else the tool.
pub(crate) fn effect_title(mutation: &Mutation) -> String {
    if mutation.ui_title.is_empty() {
        format!("{}.{}", mutation.tool_namespace, mutation.tool_method)
    } else {
        mutation.ui_title.clone()
    }
}

/// What a class of failure means, and how it is mended.
const fn mend(class: FailureClass) -> (&'static str, &'static str) {
    match class {
        FailureClass::Auth => {
            ("a service does not accept the credentials", "renew the credentials of that service")
        }
        FailureClass::Permission => (
            "it is not allowed to do what it wants",
            "grant it, for example in `[tools.files] roots` or `[tools.http] allow` of the configuration",
        ),
        FailureClass::Network => (
            "the network failed too often in a row",
            "see that the other side can be reached from here",
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

#[cfg(test)]
mod tests;
