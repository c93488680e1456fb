//! The world of the model: what it consists of, and what becomes of it.

use windlass_core::{
    Changes, Failure, HandlerKind, IllegalTransition, Phase, Policy, Recourse, RunState, Status,
    StopContext,
};

use crate::model::action::{Action, Guard, Report, Step, Time};

/// The length of a lease, in ticks of the database's clock.
const LEASE: u8 = 3;

/// How much of it a worker trusts; the rest is for clocks that run unevenly.
const TRUSTED: u8 = 2;

/// A request that left is obeyed, and seen to be, before so many ticks have passed, or never.
const FLIGHT: u8 = 2;

/// How long something is trusted still, by the clock of a worker, which may lose one tick meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Trust {
    ticks: u8,
    lost_one: bool,
}

impl Trust {
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

/// A worker asks the store for a run, or for more time with the one it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Asked {
    /// What the answer is worth when it comes.
    trust: Trust,
    was_renewed: bool,
}

/// A run as the worker knows it that drives it, or believes that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct HeldRun {
    run: RunState,
    /// Whether nobody has claimed anything since. Fences are compared for nothing else, so the model needs no numbers.
    is_newest: bool,
    trust: Trust,
    has_sent: bool,
    /// It has said that it stops; its last steps may still be under way.
    leaves: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Worker {
    asked: Option<Asked>,
    held: Option<HeldRun>,
}

impl Worker {
    fn trusts(&self) -> bool {
        self.held.is_some_and(|held| held.trust.ticks > 0)
    }

    /// Whether it means to go on with its run.
    fn is_at_work(&self) -> bool {
        self.trusts() && self.held.is_some_and(|held| !held.leaves)
    }
}

/// The open run of the workflow, or its last one. A run that stops before its end is followed by another at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Store {
    run: RunState,
    lease: u8,
    /// The process that claimed it has ended, and its lock with it.
    is_orphan: bool,
    /// How long a missing effect proves nothing yet.
    absence_in: u8,
    commits: u8,
}

/// Two workers, a store, and the outside, with one operation to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    store: Store,
    workers: [Worker; 2],
    /// The requests on their way, by the ticks that they have left.
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
        self.store.run.is_post_mutation()
    }

    /// How many workers are sure of the run.
    pub(crate) fn n_at_work(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_at_work()).count()
    }

    /// Whether `worker` believes that it has the run, and has it no more.
    pub(crate) fn has_lost_its_run(&self, worker: usize) -> bool {
        let held = self.workers[worker].held;
        held.is_some_and(|held| !held.is_newest || self.store.run.status != Status::Active)
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
            Action::Obey => {
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
            if let Some(held) = &mut worker.held {
                held.trust.pass(slow == Some(at));
            }
            if let Some(asked) = &mut worker.asked {
                asked.trust.pass(slow == Some(at));
            }
            worker.asked = worker.asked.filter(|asked| asked.trust.ticks > 0);
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
            Step::Time(time) => self.keep_time(by, time, removed)?,
            Step::Report(report) => self.report(by, report, removed)?,
            Step::Send => {
                let held = worker.held?;
                let may = match removed {
                    Some(Guard::LedgerFirst) => held.run.phase == Phase::Prepared,
                    _ => held.run.phase == Phase::Mutating,
                };
                let dares = worker.trusts() || removed == Some(Guard::LastLook);
                only_if(may && dares && !held.has_sent)?;
                self.on_their_way[usize::from(FLIGHT) - 1] += 1;
                self.workers[by].held = Some(HeldRun { has_sent: true, ..held });
            }
            Step::Leave => {
                let held = worker.held.filter(|held| held.is_newest && !held.leaves)?;
                only_if(!run.is_uncertain() || removed == Some(Guard::HandBack))?;
                self.store.write(&run.hand_back(Recourse::LookUp).ok()?, removed);
                let held = Some(HeldRun { leaves: true, ..held });
                self.workers[by] = Worker { asked: None, held };
            }
            Step::GiveUp => self.workers[by] = Worker::default(),
            Step::Crash => {
                let has_it = worker.held.is_some_and(|held| held.is_newest);
                self.store.is_orphan |= has_it && run.status == Status::Active;
                self.workers[by] = Worker::default();
            }
        }
        Some(())
    }

    /// The worker asks the store for time, and is given it.
    fn keep_time(&mut self, by: usize, time: Time, removed: Option<Guard>) -> Option<()> {
        let ticks = if removed == Some(Guard::Margin) { LEASE } else { TRUSTED };
        let full = Trust { ticks, lost_one: false };
        let worth = |asked: Asked| if removed == Some(Guard::AskedAt) { full } else { asked.trust };
        let Worker { asked, held } = self.workers[by];
        match (time, asked, held) {
            (Time::Ask, _, held) => {
                let wants = match held {
                    None => self.store.run.status == Status::Queued,
                    Some(held) => !held.leaves,
                };
                only_if(wants)?;
                self.workers[by].asked = Some(Asked { trust: full, was_renewed: false });
            }
            (Time::Claim, Some(asked), None) => {
                let run = self.store.run.claim().ok()?.run;
                self.store = Store { run, lease: LEASE, ..self.store };
                for other in self.workers.iter_mut().filter_map(|worker| worker.held.as_mut()) {
                    other.is_newest = false;
                }
                let held = HeldRun {
                    run,
                    is_newest: true,
                    trust: worth(asked),
                    has_sent: false,
                    leaves: false,
                };
                self.workers[by] = Worker { asked: None, held: Some(held) };
            }
            (Time::Renew, Some(asked), Some(held)) if !asked.was_renewed => {
                only_if(held.is_newest && self.store.run.status == Status::Active)?;
                self.store.lease = LEASE;
                self.workers[by].asked = Some(Asked { was_renewed: true, ..asked });
            }
            (Time::Hear, Some(asked), Some(held)) if asked.was_renewed => {
                let held = HeldRun { trust: worth(asked), ..held };
                self.workers[by] = Worker { asked: None, held: Some(held) };
            }
            _ => return None,
        }
        Some(())
    }

    /// The worker writes how far it has come.
    fn report(&mut self, by: usize, report: Report, removed: Option<Guard>) -> Option<()> {
        let worker = self.workers[by];
        let held = worker.held?;
        let is_mutating = held.run.phase == Phase::Mutating;
        only_if(match report {
            Report::Prepared => held.run.phase == Phase::Preparing,
            Report::Begun => held.run.phase == Phase::Prepared,
            Report::TooLate => is_mutating && !held.has_sent && !worker.trusts(),
            Report::Applied => is_mutating && held.has_sent && self.effects > 0,
            Report::Refused => is_mutating && held.has_sent && self.take_request().is_some(),
            Report::Unanswered => is_mutating && held.has_sent,
            Report::Done => matches!(held.run.phase, Phase::Mutated | Phase::Emitting),
        })?;
        let from = match removed {
            // Whoever writes takes what it remembers for true.
            Some(Guard::Fence) => held.run,
            _ if held.is_newest && self.store.run.status == Status::Active => self.store.run,
            _ => {
                // It is refused, and drops the run.
                self.workers[by] = Worker::default();
                return Some(());
            }
        };
        let changes = decide(from, report, removed).expect("a worker reports what its run allows");
        let run = changes.run;
        self.store.write(&changes, removed);
        self.workers[by] = if run.status == Status::Active {
            Worker { held: Some(HeldRun { run, ..held }), ..worker }
        } else {
            Worker::default()
        };
        Some(())
    }
}

/// What the core makes of a report.
fn decide(
    run: RunState,
    report: Report,
    removed: Option<Guard>,
) -> Result<Changes, IllegalTransition> {
    let failure = Failure::network("the model says so");
    match report {
        Report::Prepared => run.prepared(),
        Report::Begun => run.begin_mutation(1),
        Report::Applied => run.apply_mutation(),
        Report::Unanswered if removed == Some(Guard::Doubt) => run.apply_mutation(),
        Report::Unanswered => run.doubt_mutation(&failure, Recourse::LookUp),
        Report::Done => run.commit(),
        Report::TooLate | Report::Refused => {
            let backoff = Policy::default().transient;
            let (transient_failures, jitter_seed, recourse) = (0, 0, Recourse::LookUp);
            let context =
                StopContext { transient_failures, backoff: &backoff, jitter_seed, recourse };
            run.fail_mutation(&failure, context)
        }
    }
}

impl Store {
    /// Writes what the core decided, and enqueues what follows.
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
