//! One history: workers, time, faults and a person, in an order that a seed decides.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{
    Clock, Id, ManualClock, Prices, Timestamp, WorkerId, WorkflowStatus, WorkspaceId,
};
use windlass_scheduler::{EngineParts, MutationMode};
use windlass_store::{ClaimFilter, LayeredStore, SharedStore, WorkerInfo};

use crate::database::{Backup, WORKERS, policy};
use crate::environment::Environment;
use crate::gate::{Gate, Point, Release, Ticket};
use crate::oracle::{self, CheckResult, Oracle, WorkflowView};
use crate::person::{self, PersonAction};
use crate::plan::Plan;
use crate::rng::Rng;
use crate::services::ClockStep;
use crate::tally::Tally;
use crate::witness::Witnesses;
use crate::worker::Worker;

/// How many steps with faults there are.
const STEPS: usize = 160;
/// How often every worker may poll afterwards, until everything is finished.
const ROUNDS: usize = 80;
/// How far time moves at a time while a worker is awake: much less than it keeps of its lease for safety.
const TICK: Duration = Duration::from_secs(1);

/// A history as it was.
#[derive(Debug)]
pub(crate) struct History {
    /// What happened, line by line.
    pub(crate) trace: Vec<String>,
    /// The first broken invariant, if there is one.
    pub(crate) verdict: CheckResult,
    pub(crate) tally: Tally,
}

/// Whether leases are renewed while time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewals {
    Answered,
    /// The store does not answer.
    Lost,
}

/// A history that is being simulated.
pub(crate) struct Simulation<'a> {
    environment: &'a Environment,
    /// The true time.
    clock: Arc<ManualClock>,
    database_clock: Arc<ManualClock>,
    /// The store as each worker has it, without its gates.
    stores: Vec<SharedStore>,
    workspace: WorkspaceId,
    workers: [Option<Worker>; WORKERS],
    rng: Rng,
    plan: Plan,
    oracle: Oracle,
    backup: Option<Backup>,
    witnesses: Witnesses,
    trace: Vec<String>,
    tally: Tally,
}

impl<'a> Simulation<'a> {
    /// The state before the first step.
    pub(crate) async fn begin(environment: &'a mut Environment, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let stores = environment.reset(&mut rng).await;
        let environment = &*environment;
        let plan = Plan::draw(&mut rng, environment.scenario);
        let mut oracle = Oracle::default();
        let (workspace, workflows) = environment.deploy(&*stores[0], &mut rng).await;
        for workflow in workflows {
            oracle.wanted.insert(workflow, WorkflowStatus::Active);
        }
        Self {
            environment,
            clock: Arc::clone(&environment.clock),
            database_clock: Arc::clone(&environment.database_clock),
            stores,
            workspace,
            workers: [const { None }; WORKERS],
            rng,
            plan,
            oracle,
            backup: None,
            witnesses: Witnesses::default(),
            trace: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Runs the whole history.
    pub(crate) async fn run(mut self) -> History {
        let verdict = self.live().await;
        self.workers.iter_mut().filter_map(Option::take).for_each(Worker::crash);
        self.environment.gates.quiet(&self.environment.sandbox).await;
        let tally = self.tally.and(self.oracle.tally);
        let tally =
            tally.and(self.environment.gates.tally()).and(self.environment.services.tally());
        History { trace: self.trace, verdict, tally }
    }

    async fn live(&mut self) -> CheckResult {
        self.start_all();
        for _ in 0..STEPS {
            self.settle().await?;
            self.step().await?;
        }
        self.settle().await?;
        self.finish().await
    }

    fn start_all(&mut self) {
        for number in 0..WORKERS {
            if self.workers[number].is_none() {
                self.start(number);
            }
        }
    }

    fn start(&mut self, number: usize) {
        self.note(format!("start {number}"));
        self.witnesses.started(number);
        if self.rng.chance(15) {
            self.environment.services.move_place(number);
        }
        let gate = Gate { gates: Arc::clone(&self.environment.gates), worker: number };
        let inner = Arc::clone(&self.stores[number]);
        let parts = EngineParts {
            store: Arc::new(LayeredStore { inner, layer: gate.clone() }),
            sandbox: self.environment.sandbox.clone(),
            registry: Arc::clone(&self.environment.registries[number]),
            policy: policy(),
            prices: Prices::default(),
            worker: WorkerInfo {
                id: WorkerId::mint(self.clock.now()),
                host: "simulated".to_owned(),
                pid: 1,
                version: "0".to_owned(),
                slots: 1,
                filter: ClaimFilter::default(),
            },
            mutation_mode: MutationMode::Execute,
            workers_dir: None,
            observer: None,
        };
        self.workers[number] = Some(Worker::start(parts, gate));
    }

    /// Waits until the simulation is quiet, and checks the invariants if something was written.
    async fn settle(&mut self) -> CheckResult {
        self.environment.gates.quiet(&self.environment.sandbox).await;
        if let Some(error) = self.environment.gates.unexpected_error() {
            return Err(error);
        }
        for number in 0..WORKERS {
            if self.workers[number].as_ref().is_some_and(Worker::has_ended)
                && let Some(worker) = self.workers[number].take()
            {
                return Err(format!("worker {number} ended: {}", worker.end().await));
            }
        }
        let passed = self.environment.services.take_passed();
        if !passed.is_empty() {
            let views = self.views().await;
            check_each(&views, |view| oracle::check_passed(view, &passed))?;
        }
        if self.environment.gates.has_written() {
            self.check_all().await?;
        }
        Ok(())
    }

    async fn check_all(&mut self) -> CheckResult {
        let views = self.views().await;
        check_each(&views, |view| self.oracle.check(view, &self.environment.services))
    }

    async fn views(&self) -> Vec<WorkflowView> {
        WorkflowView::read_all(&*self.stores[0], self.workspace).await
    }

    /// Does one step.
    async fn step(&mut self) -> CheckResult {
        if self.plan.clock_steps && self.rng.chance(2) {
            self.step_clock();
            return Ok(());
        }
        if self.environment.scenario.has_backups() && self.rng.chance(3) {
            return self.back_up_or_restore().await;
        }
        let tickets = self.awake();
        let n_at_work = (0..WORKERS).filter(|worker| is_at_work(&tickets, *worker)).count();
        if n_at_work > 1 {
            self.tally.count("two workers at once");
        }
        if let Some(ticket) = self.plan.crash_at(&tickets) {
            self.crash(ticket);
            return Ok(());
        }
        if let Some(ticket) = self.plan.freeze_at(&tickets) {
            self.freeze(ticket);
            return Ok(());
        }
        if let Some(ticket) = self.plan.lose_at(&tickets) {
            self.note(format!("{} loses the answer {:?}", ticket.worker, ticket.point));
            self.tally.count(format!("answer lost {}", ticket.point));
            self.environment.gates.open(ticket, Release::AnswerLost);
            return Ok(());
        }
        if let Some(ticket) = self.plan.delay_at(&tickets) {
            self.note(format!("{} is slow {}", ticket.worker, ticket.point));
            self.tally.count("slow under a lease that is renewed");
            let duration = Duration::from_secs(10 + self.rng.below(60));
            return self.pass(duration, Renewals::Answered).await;
        }
        if n_at_work == 0 {
            return self.step_when_idle(&tickets).await;
        }
        let (looking, working): (Vec<Ticket>, Vec<Ticket>) =
            tickets.into_iter().partition(|ticket| ticket.point == Point::Poll);
        match self.rng.below(100) {
            0..87 => {
                let ticket = *self.rng.pick(&working).unwrap();
                self.release_until_busy(ticket).await?;
            }
            87..90 => {
                if let Some(ticket) = self.rng.pick(&looking).copied() {
                    self.release_until_busy(ticket).await?;
                }
            }
            90..93 => self.let_time_pass().await?,
            93..95 => self.let_person_intervene().await?,
            95..97 => {
                let ticket = *self.rng.pick(&working).unwrap();
                self.crash(ticket);
            }
            _ => self.start_all(),
        }
        Ok(())
    }

    /// Releases a worker, and usually again until it has found work: its polls change nothing.
    async fn release_until_busy(&mut self, ticket: Ticket) -> CheckResult {
        self.release(ticket);
        let is_same_worker = |next: &Ticket| next.worker == ticket.worker && is_polling(next);
        while self.rng.chance(90) {
            self.settle().await?;
            let next = self.awake().into_iter().find(is_same_worker);
            match next.filter(|next| !self.plan.has_fault_at(next.point)) {
                Some(next) => self.release(next),
                None => break,
            }
        }
        Ok(())
    }

    /// Does one step while no worker is at work.
    async fn step_when_idle(&mut self, looking: &[Ticket]) -> CheckResult {
        if looking.is_empty() || self.rng.chance(20) {
            self.start_all();
        }
        if self.rng.chance(35) {
            return self.let_person_intervene().await;
        }
        let is_due = self.until_due().await <= TICK;
        match self.rng.pick(looking).copied() {
            Some(ticket) if is_due => self.release_until_busy(ticket).await,
            _ => self.let_time_pass().await,
        }
    }

    /// The waiting workers that are not frozen.
    fn awake(&self) -> Vec<Ticket> {
        let is_awake = |ticket: &Ticket| {
            self.workers[ticket.worker].as_ref().is_some_and(|worker| !worker.is_frozen())
        };
        self.environment.gates.waiting().into_iter().filter(is_awake).collect()
    }

    fn release(&mut self, ticket: Ticket) {
        self.note(format!("{} continues {:?}", ticket.worker, ticket.point));
        if self.witnesses.released(ticket) {
            self.environment.services.step_is_reported();
        }
        self.environment.gates.open(ticket, Release::Normal);
    }

    fn crash(&mut self, ticket: Ticket) {
        self.note(format!("{} crashes {}", ticket.worker, ticket.point));
        self.tally.count(format!("crash {}", ticket.point));
        self.workers[ticket.worker].take().into_iter().for_each(Worker::crash);
    }

    /// Somebody sets the database's clock. What really passes is no time.
    fn step_clock(&mut self) {
        let by = Duration::from_secs(5 + self.rng.below(180));
        let now = self.database_clock.now();
        let (step, words, to) = if self.rng.chance(50) {
            (ClockStep::Forward, "forward", now.after(by))
        } else {
            (ClockStep::Back, "back", now.before(by))
        };
        self.witnesses.clock_stepped();
        self.environment.services.clock_stepped(step);
        self.note(format!("the clock steps {words} by {} s", by.as_secs()));
        self.tally.count(format!("clock stepped {words}"));
        self.database_clock.set(to);
    }

    /// Copies the database, or stops all workers and lets them begin anew with the copy.
    async fn back_up_or_restore(&mut self) -> CheckResult {
        let Some(backup) = self.backup.take() else {
            self.note("back up");
            self.backup = Some(self.environment.database.back_up());
            return Ok(());
        };
        self.note("restore the backup");
        self.tally.count("backup restored");
        self.workers.iter_mut().filter_map(Option::take).for_each(Worker::crash);
        self.environment.gates.quiet(&self.environment.sandbox).await;
        self.stores = self.environment.database.restore(&backup, &self.database_clock).await;
        let views = self.views().await;
        self.oracle.begin_anew(&views);
        self.start_all();
        Ok(())
    }

    fn freeze(&mut self, ticket: Ticket) {
        let lease = policy().lease.duration_ms / 1_000;
        // A tool that waits at its commit point is frozen so long that others can make its effect.
        let is_at_point = matches!(ticket.point, Point::Commit(_));
        let least = if is_at_point { lease + 10 } else { 0 };
        let seconds = least + self.rng.below(lease * 3 - least);
        self.note(format!("{} freezes {} for {seconds} s", ticket.worker, ticket.point));
        let length = if seconds > lease { "beyond its lease" } else { "for a while" };
        self.tally.count(format!("frozen {length}"));
        let until = self.clock.now().after(Duration::from_secs(seconds));
        if let Some(worker) = &mut self.workers[ticket.worker] {
            worker.freeze(until);
        }
    }

    fn thaw(&mut self, now: Timestamp) {
        for number in 0..WORKERS {
            let is_due = |worker: &Worker| worker.frozen_until.is_some_and(|until| until <= now);
            if !self.workers[number].as_ref().is_some_and(is_due) {
                continue;
            }
            self.note(format!("{number} thaws"));
            // Its tool goes on first, before the worker knows how late it is.
            let is_tool = |ticket: &Ticket| {
                ticket.worker == number && matches!(ticket.point, Point::Commit(_))
            };
            if let Some(tool) = self.environment.gates.waiting().into_iter().find(is_tool) {
                self.tally.count("commit point reached after a freeze");
                self.release(tool);
            }
            self.workers[number].iter_mut().for_each(Worker::thaw);
        }
    }

    /// Lets a little time pass while a worker is at work, otherwise until something is due.
    async fn let_time_pass(&mut self) -> CheckResult {
        let tickets = self.awake();
        let is_busy = (0..WORKERS).any(|worker| is_at_work(&tickets, worker));
        let duration = if is_busy {
            Duration::from_secs(1 + self.rng.below(6))
        } else {
            self.until_due().await
        };
        let is_answered = !self.rng.chance(15);
        let renewals = if is_answered { Renewals::Answered } else { Renewals::Lost };
        self.pass(duration, renewals).await
    }

    /// How long until something is due or a worker thaws.
    async fn until_due(&self) -> Duration {
        let now = self.clock.now();
        let thaws = self.workers.iter().flatten().filter_map(|worker| worker.frozen_until);
        let thaw = thaws.min().map(|until| until.since(now));
        let due = self.stores[0].agenda(&ClaimFilter::default()).await.unwrap().next();
        let longest = Duration::from_secs(60);
        let next = due.into_iter().chain(thaw).min().unwrap_or(longest);
        next.clamp(TICK, longest)
    }

    /// Moves both clocks together, in steps so short that no awake worker misses its heartbeat.
    async fn pass(&mut self, duration: Duration, renewals: Renewals) -> CheckResult {
        self.note(format!("{} s pass", duration.as_secs_f64()));
        let mut left = duration;
        while !left.is_zero() {
            let tickets = self.awake();
            let is_busy = (0..WORKERS).any(|worker| is_at_work(&tickets, worker));
            let step = if is_busy { left.min(TICK) } else { left };
            left -= step;
            self.clock.advance(step);
            self.database_clock.advance(step);
            tokio::time::advance(step).await;
            self.settle().await?;
            self.environment.services.pass_time();
            while let Some(renewal) = self.awake().into_iter().find(is_renewal)
                && renewals == Renewals::Answered
            {
                self.release(renewal);
                self.settle().await?;
            }
        }
        self.thaw(self.clock.now());
        Ok(())
    }

    async fn let_person_intervene(&mut self) -> CheckResult {
        let views = self.views().await;
        let view = self.rng.pick(&views).unwrap();
        let mut acts = person::required_actions(view, &self.environment.services);
        if acts.is_empty() || self.rng.chance(30) {
            let Environment { scenario, services, .. } = self.environment;
            acts = person::optional_actions(view, *scenario, services, &mut self.rng);
        }
        match self.rng.pick(&acts).cloned() {
            Some(act) => self.perform(act).await,
            None => Ok(()),
        }
    }

    async fn perform(&mut self, act: PersonAction) -> CheckResult {
        let kind = act.kind();
        let done = act.clone().perform(&*self.stores[0], self.workspace).await;
        if done.is_ok()
            && let PersonAction::Control(workflow, action) = act
            && let Some(wanted) = self.oracle.wanted.get_mut(&workflow)
        {
            *wanted = wanted.after(action, true).unwrap();
        }
        self.note(format!("{kind}: {}", if done.is_ok() { "done" } else { "refused" }));
        match done {
            Ok(()) => self.tally.count(kind),
            Err(_refused) => self.tally.count(format!("{kind}, refused")),
        }
        self.check_all().await
    }

    /// Ends the faults and lets everything finish.
    async fn finish(&mut self) -> CheckResult {
        self.note("no more faults");
        self.environment.services.stop_faults();
        self.thaw(Timestamp::from_micros(i64::MAX));
        self.start_all();
        let mut unfinished = String::new();
        for _ in 0..ROUNDS {
            self.work().await?;
            let views = self.views().await;
            let required_actions = views
                .iter()
                .flat_map(|view| person::required_actions(view, &self.environment.services));
            let required_actions: Vec<PersonAction> = required_actions.collect();
            if required_actions.is_empty() {
                let reasons = views
                    .iter()
                    .find_map(|view| oracle::unfinished_reason(view, &self.environment.shop));
                match reasons {
                    None => return self.check_end(&views).await,
                    Some(reason) => unfinished = reason,
                }
            }
            for action in required_actions {
                self.perform(action).await?;
            }
            let until_due = self.until_due().await;
            self.pass(until_due, Renewals::Answered).await?;
        }
        Err(format!("it does not finish: {unfinished}"))
    }

    /// Lets all workers finish, and the first one poll for work.
    async fn work(&mut self) -> CheckResult {
        let mut has_looked = false;
        loop {
            self.settle().await?;
            let tickets = self.awake();
            let next = tickets.iter().find(|ticket| ticket.point != Point::Poll);
            let look = tickets.iter().find(|ticket| ticket.worker == 0 && !has_looked);
            has_looked |= next.is_none();
            match next.or(look) {
                Some(ticket) => self.release(*ticket),
                None => return Ok(()),
            }
        }
    }

    async fn check_end(&self, views: &[WorkflowView]) -> CheckResult {
        for view in views {
            let handlers = self.stores[0].handlers(self.workspace, view.workflow.id).await.unwrap();
            oracle::check_end(view, &handlers, &self.environment.services)?;
        }
        Ok(())
    }

    fn note(&mut self, line: impl Into<String>) {
        self.trace.push(line.into());
    }
}

fn check_each(
    views: &[WorkflowView],
    mut check: impl FnMut(&WorkflowView) -> CheckResult,
) -> CheckResult {
    views.iter().try_for_each(|view| {
        check(view).map_err(|broken| format!("{}: {broken}", view.workflow.name))
    })
}

/// Whether a worker does anything but wait for work.
fn is_at_work(tickets: &[Ticket], worker: usize) -> bool {
    tickets.iter().any(|ticket| ticket.worker == worker && ticket.point != Point::Poll)
}

/// Whether a worker is about to ask for work.
fn is_polling(ticket: &Ticket) -> bool {
    const POLLING: [&str; 4] = ["recover_runs", "claim_lookups", "enqueue_due", "claim_runs"];
    matches!(ticket.point, Point::Before(operation) if POLLING.contains(&operation))
}

fn is_renewal(ticket: &Ticket) -> bool {
    matches!(ticket.point, Point::Before("heartbeat") | Point::After("heartbeat"))
}
