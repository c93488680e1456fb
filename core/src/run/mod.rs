//! The state machine of a handler run, as data and pure functions.
//!
//! Each function takes what is known of a run and answers with [`Changes`]: everything that has to be written in the
//! same transaction. What must never happen has no function, or is an [`IllegalTransition`].

mod changes;
mod phase;
mod status;

pub use changes::{Changes, PendingRetry, Reservations, WorkflowChange};
pub use phase::Phase;
pub use status::Status;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureClass};
use crate::mutation::{MutationStatus, Outcome, Recourse, ResolutionKind};
use crate::retry::Backoff;
use crate::session::SessionResult;
use crate::text::text_enum;

text_enum! {
    /// What a handler run executes.
    pub enum HandlerKind ("a handler kind") {
        /// A poll of the outside world.
        Producer = "producer",
        /// One batch of events.
        Consumer = "consumer",
        /// One attempt at a plan node.
        Node = "node",
        /// One attempt at a step of a stage recipe.
        Step = "step",
    }
}

/// What the state machine knows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunState {
    /// What it executes.
    pub kind: HandlerKind,
    /// How far it has come.
    pub phase: Phase,
    /// Whether it is under way, and why it stopped.
    pub status: Status,
    /// What its mutation came to.
    pub outcome: Option<Outcome>,
    /// The state of its ledger row, where it has one.
    pub mutation: Option<MutationStatus>,
}

/// A transition that the state machine does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a {kind} run in phase {phase} with status {status} cannot {attempted}",
    kind = state.kind, phase = state.phase, status = state.status
)]
pub struct IllegalTransition {
    /// What was attempted, for example `commit`.
    pub attempted: &'static str,
    /// The run as it was.
    pub state: RunState,
}

/// What the workflow went through before a stop, as far as the stop depends on it.
#[derive(Debug, Clone, Copy)]
pub struct StopContext<'a> {
    /// Network failures in a row so far.
    pub transient_failures: u32,
    /// How they are spaced.
    pub backoff: &'a Backoff,
    /// Where the delay falls within its jitter; each run has another.
    pub seed: u64,
    /// What can be done about the run's mutation, should it be in doubt.
    pub recourse: Recourse,
}

impl RunState {
    /// A run that waits for a worker.
    #[must_use]
    pub const fn queued(kind: HandlerKind) -> Self {
        Self { kind, phase: Phase::Pending, status: Status::Queued, outcome: None, mutation: None }
    }

    /// Whether the effect is known to have happened or was skipped: from there the run may only go forward.
    #[must_use]
    pub const fn is_post_mutation(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Success | Outcome::Skipped))
    }

    /// Whether nobody knows if the effect happened.
    #[must_use]
    pub const fn is_uncertain(&self) -> bool {
        matches!(self.mutation, Some(mutation) if mutation.is_uncertain())
    }

    /// A worker takes a queued run.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not queued.
    pub fn claim(self) -> Result<Changes, IllegalTransition> {
        self.require(self.status == Status::Queued, "be claimed")?;
        let phase = match (self.phase, self.kind) {
            (Phase::Pending, HandlerKind::Producer) => Phase::Executing,
            (Phase::Pending, _) => Phase::Preparing,
            (phase, _) => phase,
        };
        Ok(Changes::only(Self { phase, status: Status::Active, ..self }))
    }

    /// `prepare` returned; its result and its reservations are checkpointed.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not preparing.
    pub fn prepared(self) -> Result<Changes, IllegalTransition> {
        self.require_active(self.phase == Phase::Preparing, "be prepared")?;
        Ok(Changes::only(Self { phase: Phase::Prepared, ..self }))
    }

    /// `mutate` asked for a mutation: the ledger row is written, and only then may the request leave.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not prepared, has no reserved event or has a ledger row already.
    pub fn begin_mutation(self, n_reserved: usize) -> Result<Changes, IllegalTransition> {
        let legal = self.phase == Phase::Prepared && n_reserved > 0 && self.mutation.is_none();
        self.require_active(legal, "begin a mutation")?;
        Ok(Changes::only(Self {
            phase: Phase::Mutating,
            mutation: Some(MutationStatus::InFlight),
            ..self
        }))
    }

    /// The effect happened, says the tool's answer or its reconciliation while the run is active.
    ///
    /// # Errors
    /// [`IllegalTransition`] where no mutation of this run is open.
    pub fn apply_mutation(self) -> Result<Changes, IllegalTransition> {
        self.require_active(
            self.phase == Phase::Mutating && self.is_uncertain(),
            "apply its mutation",
        )?;
        Ok(Changes::only(self.settled(MutationStatus::Applied, Outcome::Success)))
    }

    /// A dry run captured the mutation instead of making it.
    ///
    /// # Errors
    /// [`IllegalTransition`] where no mutation of this run is open.
    pub fn capture_mutation(self) -> Result<Changes, IllegalTransition> {
        let is_open = self.mutation == Some(MutationStatus::InFlight);
        self.require_active(self.phase == Phase::Mutating && is_open, "capture its mutation")?;
        Ok(Changes::only(self.settled(MutationStatus::WouldSend, Outcome::Success)))
    }

    /// The effect definitely did not happen; the run stops, by the class of the failure.
    ///
    /// # Errors
    /// [`IllegalTransition`] where no mutation of this run is open.
    pub fn fail_mutation(
        self,
        failure: &Failure,
        context: StopContext<'_>,
    ) -> Result<Changes, IllegalTransition> {
        self.require_active(
            self.phase == Phase::Mutating && self.is_uncertain(),
            "fail its mutation",
        )?;
        self.settled(MutationStatus::Failed, Outcome::Failure).stop(None, failure, context)
    }

    /// Nobody knows whether the effect happened: everything is kept, and it is looked up or put before a person.
    ///
    /// # Errors
    /// [`IllegalTransition`] where no mutation of this run is open.
    pub fn doubt_mutation(
        self,
        failure: &Failure,
        recourse: Recourse,
    ) -> Result<Changes, IllegalTransition> {
        self.require_active(
            self.phase == Phase::Mutating && self.is_uncertain(),
            "doubt its mutation",
        )?;
        Ok(self.in_doubt(failure.clone(), recourse))
    }

    /// Everything of the run becomes true at once: events published, state saved, reserved events consumed.
    ///
    /// # Errors
    /// [`IllegalTransition`] where a phase is missing, the mutation failed or is open, or the run is committed already.
    pub fn commit(self) -> Result<Changes, IllegalTransition> {
        let ready = match self.kind {
            HandlerKind::Producer => self.phase == Phase::Executing,
            HandlerKind::Consumer | HandlerKind::Node | HandlerKind::Step
                if self.is_post_mutation() =>
            {
                matches!(self.phase, Phase::Mutated | Phase::Emitting)
            }
            HandlerKind::Consumer | HandlerKind::Node | HandlerKind::Step => {
                matches!(self.phase, Phase::Prepared | Phase::Emitting) && self.mutation.is_none()
            }
        };
        self.require_active(ready, "commit")?;
        let run = Self { phase: Phase::Committed, status: Status::Committed, ..self };
        let reservations = match self.kind {
            // It reserves nothing.
            HandlerKind::Producer => Reservations::Keep,
            HandlerKind::Consumer | HandlerKind::Node | HandlerKind::Step => Reservations::Consume,
        };
        Ok(Changes { reservations, ..Changes::only(run) })
    }

    /// The run stops because of `failure`, in the phase `entered` that it reached without a checkpoint of its own.
    ///
    /// A run whose mutation is open is never taken for failed: its outcome is in doubt.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not active, or `entered` lies behind.
    pub fn stop(
        self,
        entered: Option<Phase>,
        failure: &Failure,
        context: StopContext<'_>,
    ) -> Result<Changes, IllegalTransition> {
        let entered = entered.unwrap_or(self.phase);
        self.require_active(
            entered.order() >= self.phase.order() && entered != Phase::Committed,
            "stop",
        )?;
        if self.is_uncertain() {
            return Ok(self.in_doubt(failure.clone(), context.recourse));
        }
        let run = Self { phase: entered, status: failure.class.stopped_status(), ..self };
        let blames = matches!(failure.class, FailureClass::Logic | FailureClass::Internal);
        Ok(Changes {
            hold: hold_after(failure, context),
            session: Some(SessionResult::Failed),
            ..run.stopped(blames)
        })
    }

    /// The run's worker was lost.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not active.
    pub fn crash(self, recourse: Recourse) -> Result<Changes, IllegalTransition> {
        self.require_active(true, "crash")?;
        Ok(self.left(recourse, true))
    }

    /// The run's worker stops before it has ended, and says so.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not active.
    pub fn hand_back(self, recourse: Recourse) -> Result<Changes, IllegalTransition> {
        self.require_active(true, "be handed back")?;
        Ok(self.left(recourse, false))
    }

    /// A person settles the run's doubtful mutation.
    ///
    /// # Errors
    /// [`IllegalTransition`] where nothing is in doubt or the run is still under way.
    pub fn resolve(self, verdict: ResolutionKind) -> Result<Changes, IllegalTransition> {
        self.require(self.is_doubtful(), "be resolved")?;
        Ok(match verdict {
            ResolutionKind::DidNotHappen => self.found_absent(),
            ResolutionKind::Happened => self.found(),
            ResolutionKind::TryAgain => {
                Changes::only(Self { mutation: Some(MutationStatus::NeedsReconcile), ..self })
            }
            ResolutionKind::Skip => Changes {
                reservations: Reservations::Skip,
                pending_retry: PendingRetry::Set,
                hold: WorkflowChange::Unblock,
                ..Changes::only(self.settled(MutationStatus::Failed, Outcome::Skipped))
            },
        })
    }

    /// The tool looked the doubtful effect up after the run had stopped, and found or missed it.
    ///
    /// # Errors
    /// [`IllegalTransition`] where nothing is in doubt or the run is still under way.
    pub fn reconcile(self, happened: bool) -> Result<Changes, IllegalTransition> {
        self.require(self.is_doubtful(), "be reconciled")?;
        Ok(if happened { self.found() } else { self.found_absent() })
    }

    /// The tool could not look the effect up, however often it tried: a person is asked.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the effect is not being looked up.
    pub fn give_up_lookup(self, failure: &Failure) -> Result<Changes, IllegalTransition> {
        let is_looked_up = self.mutation == Some(MutationStatus::NeedsReconcile);
        self.require(self.is_doubtful() && is_looked_up, "give its lookup up")?;
        let run = Self { mutation: Some(MutationStatus::Indeterminate), ..self };
        Ok(Changes { hold: WorkflowChange::Block(failure.clone()), ..Changes::only(run) })
    }

    /// The run that continues this one after its effect, from `next`.
    ///
    /// # Errors
    /// [`IllegalTransition`] where this run has not stopped, or stopped before its effect: then a new run prepares
    /// from scratch instead.
    pub fn retry(self) -> Result<Self, IllegalTransition> {
        let stopped = !self.status.is_open() && self.status != Status::Committed;
        self.require(stopped && self.is_post_mutation(), "be retried")?;
        Ok(Self { phase: Phase::Emitting, status: Status::Queued, ..self })
    }

    fn is_doubtful(&self) -> bool {
        self.status == Status::PausedReconciliation && self.is_uncertain()
    }

    fn found(self) -> Changes {
        let run = self.settled(MutationStatus::Applied, Outcome::Success);
        Changes {
            pending_retry: PendingRetry::Set,
            hold: WorkflowChange::Unblock,
            ..Changes::only(run)
        }
    }

    fn found_absent(self) -> Changes {
        Changes {
            reservations: Reservations::Release { blames: false },
            pending_retry: PendingRetry::Clear,
            hold: WorkflowChange::Unblock,
            ..Changes::only(self.settled(MutationStatus::Failed, Outcome::Failure))
        }
    }

    const fn settled(self, mutation: MutationStatus, outcome: Outcome) -> Self {
        Self { phase: Phase::Mutated, outcome: Some(outcome), mutation: Some(mutation), ..self }
    }

    /// No worker has it any more, which may be its own fault or not.
    fn left(self, recourse: Recourse, blames: bool) -> Changes {
        if self.is_uncertain() {
            let message = "the worker was lost after the request may have left, before its answer was recorded";
            return self.in_doubt(Failure::internal(message), recourse);
        }
        let run = Self { status: Status::Crashed, ..self };
        Changes { session: Some(SessionResult::Failed), ..run.stopped(blames) }
    }

    /// Keeps or releases the events of a run that stopped with a known outcome, by the mutation boundary.
    fn stopped(self, blames: bool) -> Changes {
        if self.is_post_mutation() {
            Changes { pending_retry: PendingRetry::Set, ..Changes::only(self) }
        } else {
            Changes { reservations: Reservations::Release { blames }, ..Changes::only(self) }
        }
    }

    fn in_doubt(self, failure: Failure, recourse: Recourse) -> Changes {
        let (mutation, hold) = match recourse {
            Recourse::LookUp => (MutationStatus::NeedsReconcile, WorkflowChange::LookUp(failure)),
            Recourse::Ask => (MutationStatus::Indeterminate, WorkflowChange::Block(failure)),
        };
        let mutation = Some(mutation);
        Changes {
            pending_retry: PendingRetry::Set,
            hold,
            session: Some(SessionResult::Failed),
            ..Changes::only(Self { status: Status::PausedReconciliation, mutation, ..self })
        }
    }

    fn require_active(
        &self,
        legal: bool,
        attempted: &'static str,
    ) -> Result<(), IllegalTransition> {
        self.require(self.status == Status::Active && legal, attempted)
    }

    fn require(&self, legal: bool, attempted: &'static str) -> Result<(), IllegalTransition> {
        if legal { Ok(()) } else { Err(IllegalTransition { attempted, state: *self }) }
    }
}

fn hold_after(failure: &Failure, context: StopContext<'_>) -> WorkflowChange {
    match failure.class {
        FailureClass::Network => {
            let failures = context.transient_failures.saturating_add(1);
            match context.backoff.spread_delay(failures, context.seed) {
                Some(delay) => WorkflowChange::BackOff(delay),
                None => WorkflowChange::Block(failure.clone()),
            }
        }
        FailureClass::Logic => WorkflowChange::Maintenance(failure.clone()),
        FailureClass::Auth
        | FailureClass::Permission
        | FailureClass::Internal
        | FailureClass::ApiKey
        | FailureClass::Balance => WorkflowChange::Block(failure.clone()),
    }
}

#[cfg(test)]
mod tests;
