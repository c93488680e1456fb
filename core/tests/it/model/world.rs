//! The world of the model: what it consists of, and what becomes of it.

use windlass_core::{
    Changes, Failure, HandlerKind, IllegalTransition, OnFailure, Outcome, Phase, Policy, Recourse,
    RunState, Status, StopContext, Suspects,
};

use crate::model::action::{Action, Guard, LeaseStep, Report, Step};

/// The length of a lease, in ticks of the database's clock.
const LEASE: u8 = 3;

/// How much of it is safe for a worker. The rest is a margin for clocks that run unevenly.
const SAFE: u8 = 2;

/// A request is executed within this number of ticks, or never.
const FLIGHT: u8 = 2;

/// How long a lease is still safe by the clock of its worker, which may lose one tick in that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SafeTime {
    ticks: u8,
    lost_one: bool,
}

impl SafeTime {
    const OVER: Self = Self { ticks: 0, lost_one: false };

    fn pass(&mut self, is_slow: bool) {
        if self.ticks > 0 && is_slow && !self.lost_one {
            self.lost_one = true;
        } else if self.ticks > 1 {
            self.ticks -= 1;
        } else {
            *self = Self::OVER;
        }
    }
}

/// A request of a worker for a run, or for a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct LeaseRequest {
    /// The safe time that the answer gives when it arrives.
    safe: SafeTime,
    was_renewed: bool,
}

/// A run as its worker knows it. The worker may have lost it without knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct KnownRun {
    run: RunState,
    /// Whether its claim is the newest. Fences are compared only for that, so the model needs no numbers.
    is_newest: bool,
    safe: SafeTime,
    has_sent: bool,
    /// The worker has handed it back. Its last steps may still be under way.
    is_leaving: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Worker {
    requested: Option<LeaseRequest>,
    claimed: Option<KnownRun>,
}

impl Worker {
    fn is_safe(&self) -> bool {
        self.claimed.is_some_and(|claimed| claimed.safe.ticks > 0)
    }

    /// Whether it continues its run.
    fn is_working(&self) -> bool {
        self.is_safe() && self.claimed.is_some_and(|claimed| !claimed.is_leaving)
    }
}

/// The open run of the workflow, or the last one. A run that stops before its end is followed by another at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Store {
    run: RunState,
    lease: u8,
    /// The process that claimed it has ended, and its lock with it.
    is_orphan: bool,
    /// How long a missing effect proves nothing.
    absence_in: u8,
    commits: u8,
}

/// Two workers, a store, and the outside, with one operation to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    store: Store,
    workers: [Worker; 2],
    /// The requests under way, by the ticks that they have left.
    on_their_way: [u8; FLIGHT as usize],
    effects: u8,
}

impl World {
    pub(crate) fn new() -> Self {
        let run = RunState::queued(HandlerKind::Consumer);
        let store = Store { run, lease: 0, is_orphan: false, absence_in: 0, commits: 0 };
        Self { store, workers: Default::default(), on_their_way: Default::default(), effects: 0 }
    }

    pub(crate) fn effects(&self) -> u8 {
        self.effects
    }

    pub(crate) fn commits(&self) -> u8 {
        self.store.commits
    }

    pub(crate) fn is_over(&self) -> bool {
        self.store.run.status == Status::Committed
    }

    /// Whether the effect is known to the store to have happened.
    pub(crate) fn is_known_to_have_happened(&self) -> bool {
        self.store.run.outcome == Some(Outcome::Success)
    }

    /// Whether the store goes on with a refusal of the request.
    pub(crate) fn goes_on_refused(&self) -> bool {
        self.store.run.outcome == Some(Outcome::Refused)
    }

    /// How many workers have a safe lease and continue the run.
    pub(crate) fn n_working(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_working()).count()
    }

    /// Whether `worker` has lost its run without knowing.
    pub(crate) fn has_lost_its_run(&self, worker: usize) -> bool {
        let claimed = self.workers[worker].claimed;
        claimed.is_some_and(|claimed| !claimed.is_newest || self.store.run.status != Status::Active)
    }

    pub(crate) fn has_same_store(&self, other: &Self) -> bool {
        self.store == other.store
    }

    /// The world after `action`; none where it cannot happen now.
    pub(crate) fn after(&self, action: Action, removed: Option<Guard>) -> Option<Self> {
        let mut next = self.clone();
        let is_kept = |guard| removed != Some(guard);
        let run = self.store.run;
        match action {
            Action::Tick { slow } => next.pass(slow),
            Action::Recover => {
                let may = self.store.lease == 0 || self.store.is_orphan || !is_kept(Guard::Expiry);
                only_if(run.status == Status::Active && may && is_kept(Guard::Rescue))?;
                next.store.write(&run.crash(Recourse::LookUp).ok()?, removed);
            }
            Action::LookUp => {
                let happened = self.effects > 0;
                only_if(happened || self.store.absence_in == 0)?;
                next.store.write(&run.reconcile(happened).ok()?, removed);
            }
            Action::Execute => {
                next.take_request()?;
                next.effects = next.effects.saturating_add(1).min(2);
            }
            Action::By(worker, step) => next.step(worker, step, removed)?,
        }
        (next != *self).then_some(next)
    }

    fn pass(&mut self, slow: Option<usize>) {
        self.store.lease = self.store.lease.saturating_sub(1);
        self.store.absence_in = self.store.absence_in.saturating_sub(1);
        self.on_their_way.rotate_left(1);
        self.on_their_way[usize::from(FLIGHT) - 1] = 0;
        for (at, worker) in self.workers.iter_mut().enumerate() {
            if let Some(claimed) = &mut worker.claimed {
                claimed.safe.pass(slow == Some(at));
            }
            if let Some(requested) = &mut worker.requested {
                requested.safe.pass(slow == Some(at));
            }
            worker.requested = worker.requested.filter(|requested| requested.safe.ticks > 0);
        }
    }

    /// Takes away the oldest request.
    fn take_request(&mut self) -> Option<()> {
        *self.on_their_way.iter_mut().find(|n| **n > 0)? -= 1;
        Some(())
    }

    fn step(&mut self, by: usize, step: Step, removed: Option<Guard>) -> Option<()> {
        let (worker, run) = (self.workers[by], self.store.run);
        match step {
            Step::Lease(step) => self.lease_step(by, step, removed)?,
            Step::Report(report) => self.report(by, report, removed)?,
            Step::Send => {
                let claimed = worker.claimed?;
                let may = match removed {
                    Some(Guard::LedgerFirst) => claimed.run.phase == Phase::Prepared,
                    _ => claimed.run.phase == Phase::Mutating,
                };
                let may_send = worker.is_safe() || removed == Some(Guard::LastCheck);
                only_if(may && may_send && !claimed.has_sent)?;
                self.on_their_way[usize::from(FLIGHT) - 1] += 1;
                self.workers[by].claimed = Some(KnownRun { has_sent: true, ..claimed });
            }
            Step::HandBack => {
                let claimed =
                    worker.claimed.filter(|claimed| claimed.is_newest && !claimed.is_leaving)?;
                only_if(!run.is_uncertain() || removed == Some(Guard::HandBack))?;
                self.store.write(&run.hand_back(Recourse::LookUp).ok()?, removed);
                let claimed = Some(KnownRun { is_leaving: true, ..claimed });
                self.workers[by] = Worker { requested: None, claimed };
            }
            Step::GiveUp => self.workers[by] = Worker::default(),
            Step::Crash => {
                let has_it = worker.claimed.is_some_and(|claimed| claimed.is_newest);
                self.store.is_orphan |= has_it && run.status == Status::Active;
                self.workers[by] = Worker::default();
            }
        }
        Some(())
    }

    /// The worker requests a lease and gets it.
    fn lease_step(&mut self, by: usize, step: LeaseStep, removed: Option<Guard>) -> Option<()> {
        let ticks = if removed == Some(Guard::Margin) { LEASE } else { SAFE };
        let fresh = SafeTime { ticks, lost_one: false };
        let safe_time_of = |requested: LeaseRequest| {
            if removed == Some(Guard::RequestTime) { fresh } else { requested.safe }
        };
        let Worker { requested, claimed } = self.workers[by];
        match (step, requested, claimed) {
            (LeaseStep::Request, _, claimed) => {
                let wants = match claimed {
                    None => self.store.run.status == Status::Queued,
                    Some(claimed) => !claimed.is_leaving,
                };
                only_if(wants)?;
                self.workers[by].requested = Some(LeaseRequest { safe: fresh, was_renewed: false });
            }
            (LeaseStep::Claim, Some(requested), None) => {
                let run = self.store.run.claim().ok()?.run;
                self.store = Store { run, lease: LEASE, ..self.store };
                for other in self.workers.iter_mut().filter_map(|worker| worker.claimed.as_mut()) {
                    other.is_newest = false;
                }
                let claimed = KnownRun {
                    run,
                    is_newest: true,
                    safe: safe_time_of(requested),
                    has_sent: false,
                    is_leaving: false,
                };
                self.workers[by] = Worker { requested: None, claimed: Some(claimed) };
            }
            (LeaseStep::Renew, Some(requested), Some(claimed)) if !requested.was_renewed => {
                only_if(claimed.is_newest && self.store.run.status == Status::Active)?;
                self.store.lease = LEASE;
                self.workers[by].requested = Some(LeaseRequest { was_renewed: true, ..requested });
            }
            (LeaseStep::ReceiveRenewal, Some(requested), Some(claimed))
                if requested.was_renewed =>
            {
                let claimed = KnownRun { safe: safe_time_of(requested), ..claimed };
                self.workers[by] = Worker { requested: None, claimed: Some(claimed) };
            }
            _ => return None,
        }
        Some(())
    }

    /// The worker writes its progress.
    fn report(&mut self, by: usize, report: Report, removed: Option<Guard>) -> Option<()> {
        let worker = self.workers[by];
        let claimed = worker.claimed?;
        let is_mutating = claimed.run.phase == Phase::Mutating;
        only_if(match report {
            Report::Prepared => claimed.run.phase == Phase::Preparing,
            Report::MutationBegun => claimed.run.phase == Phase::Prepared,
            Report::TooLate => is_mutating && !claimed.has_sent && !worker.is_safe(),
            Report::Applied => is_mutating && claimed.has_sent && self.effects > 0,
            Report::Refused | Report::RefusedAndGoesOn => {
                is_mutating && claimed.has_sent && self.take_request().is_some()
            }
            Report::Unanswered => is_mutating && claimed.has_sent,
            Report::Done => matches!(claimed.run.phase, Phase::Mutated | Phase::Emitting),
        })?;
        let from = match removed {
            // Without the fence the worker's own state counts.
            Some(Guard::Fence) => claimed.run,
            _ if claimed.is_newest && self.store.run.status == Status::Active => self.store.run,
            _ => {
                // The store refuses, and the worker gives the run up.
                self.workers[by] = Worker::default();
                return Some(());
            }
        };
        let changes = decide(from, report, removed).expect("a worker reports what its run allows");
        let run = changes.run;
        self.store.write(&changes, removed);
        self.workers[by] = if run.status == Status::Active {
            Worker { claimed: Some(KnownRun { run, ..claimed }), ..worker }
        } else {
            Worker::default()
        };
        Some(())
    }
}

/// What the core decides for a report.
fn decide(
    run: RunState,
    report: Report,
    removed: Option<Guard>,
) -> Result<Changes, IllegalTransition> {
    let failure = Failure::network("the model says so");
    match report {
        Report::Prepared => run.prepared(),
        Report::MutationBegun => run.begin_mutation(1),
        Report::Applied => run.apply_mutation(),
        Report::RefusedAndGoesOn => run.refuse_mutation(),
        Report::Unanswered if removed == Some(Guard::Doubt) => run.apply_mutation(),
        Report::Unanswered => run.doubt_mutation(&failure, Recourse::LookUp),
        Report::Done => run.commit(),
        Report::TooLate | Report::Refused => {
            let policy = Policy::default();
            let (transient_failures, jitter_seed, recourse) = (0, 0, Recourse::LookUp);
            let (events, untried, parked_in_a_row) = (1, 1, 0);
            let (on_failure, backoff) = (OnFailure::Park, &policy.transient);
            let policy = &policy.events;
            let suspects = Suspects { events, untried, parked_in_a_row, on_failure, policy };
            let context =
                StopContext { transient_failures, backoff, jitter_seed, recourse, suspects };
            run.fail_mutation(&failure, context)
        }
    }
}

impl Store {
    /// Writes what the core decided, and enqueues the next run.
    fn write(&mut self, changes: &Changes, removed: Option<Guard>) {
        self.run = changes.run;
        if self.run.status.is_open() {
            return;
        }
        (self.lease, self.is_orphan, self.absence_in) = (0, false, 0);
        if self.run.status == Status::Committed {
            self.commits = self.commits.saturating_add(1).min(2);
        } else if self.run.is_uncertain() {
            self.absence_in = if removed == Some(Guard::Absence) { 0 } else { FLIGHT };
        } else {
            let fresh = RunState::queued(self.run.kind);
            self.run = self.run.retry().unwrap_or(fresh);
        }
    }
}

fn only_if(it_can_happen: bool) -> Option<()> {
    it_can_happen.then_some(())
}
