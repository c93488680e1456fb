//! The transitions of a handler run.

use super::{
    Changes, HandlerKind, PendingRetry, Phase, Reservations, RunState, Status, WorkflowChange,
};
use crate::blame::{Blame, Suspects};
use crate::failure::{Failure, FailureClass};
use crate::mutation::{MutationStatus, Outcome, Recourse, ResolutionKind};
use crate::retry::Backoff;
use crate::session::SessionResult;

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

/// What a stop depends on besides the run and its failure.
#[derive(Debug, Clone, Copy)]
pub struct StopContext<'a> {
    /// Network failures in a row so far.
    pub transient_failures: u32,
    /// How long the workflow waits after them.
    pub backoff: &'a Backoff,
    /// Decides the jitter of the delay. Each run has its own.
    pub jitter_seed: u64,
    /// What can be done about the run's mutation if it is in doubt.
    pub recourse: Recourse,
    /// What a failure of class logic could be blamed on.
    pub suspects: Suspects<'a>,
}

impl RunState {
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

    /// `mutate` asked for a mutation. Its ledger row is written, and only then may the request be sent.
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

    /// The effect happened: the tool answered so, or found it while the run was still active.
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

    /// The effect definitely did not happen. The run stops with the status that the class of the failure says.
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

    /// The other side definitely refused the request, and the consumer goes on with that: the run continues at `next`.
    ///
    /// # Errors
    /// [`IllegalTransition`] where no mutation of this run is open.
    pub fn refuse_mutation(self) -> Result<Changes, IllegalTransition> {
        let is_open = self.mutation == Some(MutationStatus::InFlight);
        self.require_active(self.phase == Phase::Mutating && is_open, "have its mutation refused")?;
        Ok(Changes::only(self.settled(MutationStatus::Failed, Outcome::Refused)))
    }

    /// Nobody knows whether the effect happened. Everything is kept, and the effect is looked up or a person is asked.
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

    /// The run commits: its events are published, its state is saved and its reserved events are consumed, all at once.
    ///
    /// # Errors
    /// [`IllegalTransition`] where a phase is missing, the mutation failed or is open, or the run is committed already.
    pub fn commit(self) -> Result<Changes, IllegalTransition> {
        let ready = match self.kind {
            HandlerKind::Producer => self.phase == Phase::Executing,
            HandlerKind::Consumer | HandlerKind::Node if self.is_post_mutation() => {
                matches!(self.phase, Phase::Mutated | Phase::Emitting)
            }
            HandlerKind::Consumer | HandlerKind::Node => {
                matches!(self.phase, Phase::Prepared | Phase::Emitting) && self.mutation.is_none()
            }
        };
        self.require_active(ready, "commit")?;
        let run = Self { phase: Phase::Committed, status: Status::Committed, ..self };
        let reservations = match self.kind {
            // It reserves nothing.
            HandlerKind::Producer => Reservations::Keep,
            HandlerKind::Consumer | HandlerKind::Node => Reservations::Consume,
        };
        Ok(Changes { reservations, ..Changes::only(run) })
    }

    /// The run stops because of `failure`, in the phase `entered` that it reached without a checkpoint of its own.
    ///
    /// A run whose mutation is open never counts as failed: its outcome is in doubt.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not active, or `entered` is an earlier phase.
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
        let blame = run.blame(failure, context.suspects);
        let continues = matches!(blame, Blame::Event | Blame::OneOf(_));
        Ok(Changes {
            workflow: if continues {
                WorkflowChange::Keep
            } else {
                workflow_after_stop(failure, context)
            },
            session: (!continues).then_some(SessionResult::Failed),
            ..run.stopped(blame)
        })
    }

    /// The run's worker was lost.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not active.
    pub fn crash(self, recourse: Recourse) -> Result<Changes, IllegalTransition> {
        self.require_active(true, "crash")?;
        Ok(self.without_worker(recourse, Blame::Counted))
    }

    /// The run's worker shuts down and hands the run back before it has ended.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the run is not active.
    pub fn hand_back(self, recourse: Recourse) -> Result<Changes, IllegalTransition> {
        self.require_active(true, "be handed back")?;
        Ok(self.without_worker(recourse, Blame::Nothing))
    }

    /// Whether a person may still stop the run to skip its events: it is active, and nothing has happened outside.
    #[must_use]
    pub fn may_be_taken_back(&self) -> bool {
        self.status == Status::Active && !self.is_uncertain() && !self.is_post_mutation()
    }

    /// A person settles the run's doubtful mutation.
    ///
    /// # Errors
    /// [`IllegalTransition`] where nothing is in doubt or the run is still under way.
    pub fn resolve(self, resolution: ResolutionKind) -> Result<Changes, IllegalTransition> {
        self.require(self.is_doubtful(), "be resolved")?;
        Ok(match resolution {
            ResolutionKind::DidNotHappen => self.effect_absent(),
            ResolutionKind::Happened => self.effect_found(),
            ResolutionKind::TryAgain => {
                Changes::only(Self { mutation: Some(MutationStatus::NeedsReconcile), ..self })
            }
            ResolutionKind::Skip => Changes {
                reservations: Reservations::Skip,
                pending_retry: PendingRetry::Set,
                workflow: WorkflowChange::Unblock,
                ..Changes::only(self.settled(MutationStatus::Failed, Outcome::Skipped))
            },
        })
    }

    /// The tool looked the doubtful effect up after the run had stopped, and found it or did not.
    ///
    /// # Errors
    /// [`IllegalTransition`] where nothing is in doubt or the run is still under way.
    pub fn reconcile(self, happened: bool) -> Result<Changes, IllegalTransition> {
        self.require(self.is_doubtful(), "be reconciled")?;
        Ok(if happened { self.effect_found() } else { self.effect_absent() })
    }

    /// The tool could not look the effect up in any attempt. A person is asked.
    ///
    /// # Errors
    /// [`IllegalTransition`] where the effect is not being looked up.
    pub fn give_up_lookup(self, failure: &Failure) -> Result<Changes, IllegalTransition> {
        let is_looked_up = self.mutation == Some(MutationStatus::NeedsReconcile);
        self.require(self.is_doubtful() && is_looked_up, "give its lookup up")?;
        let run = Self { mutation: Some(MutationStatus::Indeterminate), ..self };
        Ok(Changes { workflow: WorkflowChange::Block(failure.clone()), ..Changes::only(run) })
    }

    /// The run that continues this one after its effect, at `next`.
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

    fn effect_found(self) -> Changes {
        let run = self.settled(MutationStatus::Applied, Outcome::Success);
        Changes {
            pending_retry: PendingRetry::Set,
            workflow: WorkflowChange::Unblock,
            ..Changes::only(run)
        }
    }

    fn effect_absent(self) -> Changes {
        Changes {
            reservations: Reservations::Release { blame: Blame::Nothing },
            pending_retry: PendingRetry::Clear,
            workflow: WorkflowChange::Unblock,
            ..Changes::only(self.settled(MutationStatus::Failed, Outcome::Failure))
        }
    }

    const fn settled(self, mutation: MutationStatus, outcome: Outcome) -> Self {
        Self { phase: Phase::Mutated, outcome: Some(outcome), mutation: Some(mutation), ..self }
    }

    /// What the failure of this stopped run is blamed on.
    fn blame(&self, failure: &Failure, suspects: Suspects<'_>) -> Blame {
        match failure.class {
            FailureClass::Logic
                if self.kind == HandlerKind::Consumer && !self.is_post_mutation() =>
            {
                suspects.blame(self.phase)
            }
            FailureClass::Logic => Blame::Script,
            FailureClass::Internal => Blame::Counted,
            FailureClass::Auth
            | FailureClass::Permission
            | FailureClass::Network
            | FailureClass::ApiKey
            | FailureClass::Balance => Blame::Nothing,
        }
    }

    /// No worker has the run any more.
    fn without_worker(self, recourse: Recourse, blame: Blame) -> Changes {
        if self.is_uncertain() {
            let message = "the worker was lost after the request may have left, before its answer was recorded";
            return self.in_doubt(Failure::internal(message), recourse);
        }
        let run = Self { status: Status::Crashed, ..self };
        Changes { session: Some(SessionResult::Failed), ..run.stopped(blame) }
    }

    /// The run stopped with a known outcome: after its mutation it keeps its events, before it they are released.
    fn stopped(self, blame: Blame) -> Changes {
        if self.is_post_mutation() {
            Changes { pending_retry: PendingRetry::Set, ..Changes::only(self) }
        } else {
            Changes { reservations: Reservations::Release { blame }, ..Changes::only(self) }
        }
    }

    fn in_doubt(self, failure: Failure, recourse: Recourse) -> Changes {
        let (mutation, workflow) = match recourse {
            Recourse::LookUp => (MutationStatus::NeedsReconcile, WorkflowChange::LookUp(failure)),
            Recourse::Ask => (MutationStatus::Indeterminate, WorkflowChange::Block(failure)),
        };
        let mutation = Some(mutation);
        Changes {
            pending_retry: PendingRetry::Set,
            workflow,
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

/// How the workflow changes when a run stops with a known outcome.
fn workflow_after_stop(failure: &Failure, context: StopContext<'_>) -> WorkflowChange {
    match failure.class {
        FailureClass::Network => {
            let failures = context.transient_failures.saturating_add(1);
            match context.backoff.delay_with_jitter(
                failures,
                failure.retry_after,
                context.jitter_seed,
            ) {
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
