//! A store in memory that writes exactly what the core decides, and the outside world.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windlass_core::{
    Action, Backoff, Blame, Changes, ConsumerDue, DueView, EventPolicy, EventStatus, Failure,
    HandlerKind, Id, NextStep, OnFailure, PendingRetry, PendingRetryView, Phase, ProducerDue,
    Recourse, Reservations, ResolutionKind, RunId, RunState, SessionResult, Status, Step,
    StopContext, Suspects, Timestamp, Trial, WorkflowChange, WorkflowStatus, next_step,
};

use crate::invariants::command::Command;

/// Why a command was not legal.
pub(crate) type Refused = String;

const INTERVAL: Duration = Duration::from_secs(300);

/// As in the policy, but small enough to be reached.
const PARK_AFTER: u32 = 2;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) topic: usize,
    pub(crate) message_id: u32,
    pub(crate) status: EventStatus,
    pub(crate) owner: Option<RunId>,
    /// The runs that consumed it before it was replayed.
    pub(crate) past_owners: Vec<RunId>,
    pub(crate) attempt: u32,
    pub(crate) blamed: u32,
    pub(crate) suspected_in: Option<Trial>,
    pub(crate) passed: Option<Trial>,
    pub(crate) caused_by: BTreeSet<u32>,
    /// The run whose payload it has.
    pub(crate) published_by: RunId,
    pub(crate) created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) state: RunState,
    pub(crate) handler: usize,
    pub(crate) retry_of: Option<RunId>,
    pub(crate) reserved: bool,
    pub(crate) caused_by: BTreeSet<u32>,
    pub(crate) ledger_rows: u32,
    /// The only event that it sees, and how far it goes.
    pub(crate) trial: Option<((usize, u32), Trial)>,
    /// The events that its `prepare` was given before it failed.
    pub(crate) seen: Vec<(usize, u32)>,
}

impl Event {
    pub(crate) const fn key(&self) -> (usize, u32) {
        (self.topic, self.message_id)
    }

    /// Which time it is processed.
    pub(crate) const fn round(&self) -> usize {
        self.past_owners.len() + 1
    }

    /// Whether one of the runs has it, or had it in an earlier round.
    pub(crate) fn was_of(&self, runs: &[RunId]) -> bool {
        self.owner.iter().chain(&self.past_owners).any(|owner| runs.contains(owner))
    }
}

impl Run {
    /// Whether its `prepare` can be given the event.
    fn sees(&self, topic: usize, event: &Event) -> bool {
        let is_visible = self.trial.is_none_or(|(tried, _)| tried == event.key());
        is_visible && event.topic == topic && event.status == EventStatus::Pending
    }

    /// Whether a failure of it is about the event.
    pub(crate) fn is_about(&self, event: &Event) -> bool {
        if self.reserved {
            return event.owner == Some(self.id) && event.status == EventStatus::Reserved;
        }
        event.status == EventStatus::Pending && self.seen.contains(&event.key())
    }
}

/// Something that really happened outside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Effect {
    pub(crate) run: RunId,
    pub(crate) consumer: usize,
    /// Topic, message id and round.
    pub(crate) events: Vec<(usize, u32, usize)>,
    /// A person said, wrongly, that it did not happen, or skipped it.
    pub(crate) disowned: bool,
}

impl Effect {
    /// Whether the run, or a run that continues it, committed. An effect that a person denied need not.
    pub(crate) fn run_ended_committed(&self, world: &World) -> bool {
        let mut last = self.run;
        while let Some(next) = world.runs.iter().find(|run| run.retry_of == Some(last)) {
            last = next.id;
        }
        self.disowned || world.run(last).is_some_and(|run| run.state.status == Status::Committed)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Consumer {
    pub(crate) topic: usize,
    pub(crate) has_work: bool,
    pub(crate) wake_at: Option<Timestamp>,
    pub(crate) parked_in_a_row: u32,
    /// How often its state was written, and by how many commits.
    pub(crate) state_writes: u32,
}

/// One workflow: a producer feeds topic 0, consumer 0 reads it and feeds topic 1, consumer 1 reads that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) status: WorkflowStatus,
    pub(crate) error: Option<Failure>,
    pub(crate) maintenance: bool,
    pub(crate) pending_retry: Option<RunId>,
    pub(crate) transient_failures: u32,
    pub(crate) backoff_until: Option<Timestamp>,
    pub(crate) consumers: [Consumer; 2],
    pub(crate) next_poll_at: Timestamp,
    pub(crate) events: Vec<Event>,
    pub(crate) runs: Vec<Run>,
    pub(crate) open_session: bool,
    pub(crate) sessions: u32,
    pub(crate) effects: Vec<Effect>,
    pub(crate) commits: u32,
    published: u32,
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let consumer = |topic| Consumer {
            topic,
            has_work: false,
            wake_at: None,
            parked_in_a_row: 0,
            state_writes: 0,
        };
        Self {
            now,
            status: WorkflowStatus::Active,
            error: None,
            maintenance: false,
            pending_retry: None,
            transient_failures: 0,
            backoff_until: None,
            consumers: [consumer(0), consumer(1)],
            next_poll_at: now,
            events: Vec::new(),
            runs: Vec::new(),
            open_session: false,
            sessions: 0,
            effects: Vec::new(),
            commits: 0,
            published: 0,
        }
    }

    pub(crate) fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The run and those that it continues: events that a person skipped stay with the run that reserved them.
    pub(crate) fn chain(&self, id: RunId) -> Vec<RunId> {
        let mut chain = vec![id];
        while let Some(earlier) = chain.last().and_then(|id| self.run(*id)?.retry_of) {
            chain.push(earlier);
        }
        chain
    }

    pub(crate) fn open_run(&self) -> Option<&Run> {
        self.runs.iter().find(|run| run.state.status.is_open())
    }

    pub(crate) fn perform(&mut self, command: &Command) -> Result<(), Refused> {
        let mut after = self.clone();
        after.try_perform(command)?;
        *self = after;
        Ok(())
    }

    fn try_perform(&mut self, command: &Command) -> Result<(), Refused> {
        match command {
            Command::Wait { seconds } => self.now = self.now.after(Duration::from_secs(*seconds)),
            Command::Enqueue => self.schedule_next(),
            Command::Claim => self.claim()?,
            Command::Prepare { reserves, wakes } => self.prepare(*reserves, *wakes)?,
            Command::BeginMutation { happens } => self.begin_mutation(*happens)?,
            Command::Apply => {
                self.require(self.happened(self.active()?), "nothing happened")?;
                self.transition(RunState::apply_mutation)?;
            }
            Command::Fail { class } => {
                self.require(!self.happened(self.active()?), "it happened")?;
                let failure = Failure::new(*class, "refused");
                let facts = self.stop_facts()?;
                self.transition(|run| run.fail_mutation(&failure, facts.context()))?;
            }
            Command::Refuse => {
                self.require(!self.happened(self.active()?), "it happened")?;
                self.transition(RunState::refuse_mutation)?;
            }
            Command::Doubt { recourse } => {
                let failure = Failure::network("no answer");
                self.transition(|run| run.doubt_mutation(&failure, *recourse))?;
            }
            Command::Commit { publishes, repeats } => self.commit(*publishes, *repeats)?,
            Command::Stop { class, seen } => {
                let failure = Failure::new(*class, "stopped");
                self.look_at(*seen)?;
                let facts = self.stop_facts()?;
                self.transition(|run| run.stop(None, &failure, facts.context()))?;
            }
            Command::Crash { recourse } => self.transition(|run| run.crash(*recourse))?,
            Command::Resolve { verdict } => self.resolve(*verdict)?,
            Command::Reconcile => self.reconcile()?,
            Command::GiveUpLookup => {
                let run = self.doubtful()?;
                self.change(run, |state| state.give_up_lookup(&Failure::network("no answer")))?;
            }
            Command::Unpark { skip } => self.unpark(*skip)?,
            Command::Replay => self.replay()?,
            Command::Control { action } => self.control(*action)?,
        }
        Ok(())
    }

    fn claim(&mut self) -> Result<(), Refused> {
        let runnable =
            self.status == WorkflowStatus::Active && self.error.is_none() && !self.maintenance;
        self.require(runnable, "the workflow does not run")?;
        self.transition(RunState::claim)
    }

    fn prepare(&mut self, reserves: usize, wakes: bool) -> Result<(), Refused> {
        let run = self.active()?.clone();
        self.transition(RunState::prepared)?;
        let consumer = &mut self.consumers[run.handler];
        consumer.wake_at = wakes.then(|| self.now.after(Duration::from_secs(60)));
        let topic = consumer.topic;
        let reserves = if matches!(run.trial, Some((_, Trial::Prepare))) { 0 } else { reserves };
        let pending = |event: &&mut Event| run.sees(topic, event);
        let mut inputs = BTreeSet::new();
        for event in self.events.iter_mut().filter(pending).take(reserves) {
            event.status = EventStatus::Reserved;
            event.owner = Some(run.id);
            inputs.extend(&event.caused_by);
        }
        let run = self.run_mut(run.id);
        run.reserved = !inputs.is_empty();
        run.caused_by = inputs;
        Ok(())
    }

    fn begin_mutation(&mut self, happens: bool) -> Result<(), Refused> {
        let run = self.active()?.clone();
        let reserved: Vec<_> = self
            .events
            .iter()
            .filter(|e| e.owner == Some(run.id))
            .map(|e| (e.topic, e.message_id, e.round()))
            .collect();
        self.transition(|state| state.begin_mutation(reserved.len()))?;
        self.run_mut(run.id).ledger_rows += 1;
        if happens {
            self.effects.push(Effect {
                run: run.id,
                consumer: run.handler,
                events: reserved,
                disowned: false,
            });
        }
        Ok(())
    }

    fn commit(&mut self, publishes: usize, repeats: usize) -> Result<(), Refused> {
        let run = self.active()?.clone();
        self.transition(RunState::commit)?;
        self.commits += 1;
        if run.state.kind == HandlerKind::Producer {
            self.next_poll_at = self.now.after(INTERVAL);
            let overlap = u32::try_from(repeats).unwrap_or(0);
            let first = (self.published + 1).saturating_sub(overlap).max(1);
            self.published += u32::try_from(publishes).unwrap_or(0);
            for message_id in first..=self.published {
                self.publish(0, message_id, BTreeSet::from([message_id]), run.id);
            }
        } else {
            let consumer = &mut self.consumers[run.handler];
            consumer.state_writes += u32::from(!matches!(run.trial, Some((_, Trial::Prepare))));
            if let Some((tried, trial)) = run.trial {
                let mut events = self.events.iter_mut();
                let tried = events.find(|event| event.key() == tried);
                let event = tried.expect("events are never removed");
                event.suspected_in = None;
                event.passed = Some(trial);
            } else if !run.reserved {
                consumer.has_work = false;
            }
            if run.reserved || run.trial.is_some() {
                consumer.parked_in_a_row = 0;
            }
            if run.handler == 0 && run.reserved {
                for nth in 0..publishes {
                    // Stable message ids: what is published again makes no second event.
                    let first = *run.caused_by.iter().next().unwrap_or(&0);
                    self.publish(
                        1,
                        first * 10 + u32::try_from(nth).unwrap_or(0),
                        run.caused_by.clone(),
                        run.id,
                    );
                }
            }
        }
        self.schedule_next();
        Ok(())
    }

    fn publish(&mut self, topic: usize, message_id: u32, caused_by: BTreeSet<u32>, by: RunId) {
        let mut known = self.events.iter_mut();
        if let Some(known) = known.find(|it| (it.topic, it.message_id) == (topic, message_id)) {
            if known.status.accepts_new_payload() {
                known.caused_by = caused_by;
                known.published_by = by;
            }
            return;
        }
        let status = EventStatus::Pending;
        self.events.push(Event {
            topic,
            message_id,
            status,
            owner: None,
            past_owners: Vec::new(),
            attempt: 1,
            blamed: 0,
            suspected_in: None,
            passed: None,
            caused_by,
            published_by: by,
            created_at: self.now,
        });
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.topic == topic) {
            consumer.has_work = true;
        }
    }

    fn resolve(&mut self, verdict: ResolutionKind) -> Result<(), Refused> {
        let run = self.doubtful()?;
        let happened = self.run(run).is_some_and(|run| self.happened(run));
        // A person who gives a result has seen the effect.
        self.require(happened || verdict != ResolutionKind::Happened, "it did not happen")?;
        let disowns = matches!(verdict, ResolutionKind::DidNotHappen | ResolutionKind::Skip);
        for effect in self.effects.iter_mut().filter(|effect| effect.run == run) {
            effect.disowned |= disowns;
        }
        self.change(run, |state| state.resolve(verdict))
    }

    fn reconcile(&mut self) -> Result<(), Refused> {
        let run = self.doubtful()?;
        let happened = self.run(run).is_some_and(|run| self.happened(run));
        self.change(run, |state| state.reconcile(happened))
    }

    fn unpark(&mut self, skip: bool) -> Result<(), Refused> {
        let parked = self.events.iter_mut().find(|event| event.status == EventStatus::Parked);
        let event = parked.ok_or("nothing is parked")?;
        event.status = if skip { EventStatus::Skipped } else { EventStatus::Pending };
        event.blamed = 0;
        (event.suspected_in, event.passed) = (None, None);
        self.consumers[event.topic].has_work |= !skip;
        self.schedule_next();
        Ok(())
    }

    fn replay(&mut self) -> Result<(), Refused> {
        let mut events = self.events.iter_mut();
        let event = events.find(|event| event.status.instead_of_replay().is_none());
        let event = event.ok_or("nothing is consumed")?;
        event.status = EventStatus::Pending;
        event.past_owners.extend(event.owner.take());
        event.attempt += 1;
        event.blamed = 0;
        (event.suspected_in, event.passed) = (None, None);
        self.consumers[event.topic].has_work = true;
        self.schedule_next();
        Ok(())
    }

    fn control(&mut self, action: Action) -> Result<(), Refused> {
        let in_doubt = self.runs.iter().any(|run| run.state.is_uncertain());
        let lifts = matches!(action, Action::Resume | Action::Activate);
        self.require(!(action == Action::Resume && in_doubt), "an effect is in doubt")?;
        self.status = self.status.after(action, true).map_err(|refused| refused.to_string())?;
        if lifts {
            self.maintenance = false;
            for event in &mut self.events {
                (event.suspected_in, event.passed) = (None, None);
            }
            for consumer in &mut self.consumers {
                consumer.parked_in_a_row = 0;
            }
        }
        if action == Action::Resume {
            self.error = None;
            self.transient_failures = 0;
            self.backoff_until = None;
        }
        self.schedule_next();
        Ok(())
    }

    /// Answers for the person and lets time pass until nothing is left to do. `false`: that never ends.
    pub(crate) fn settle(&mut self) -> bool {
        for _ in 0..2_000 {
            self.answer_and_step();
            let busy = self.open_run().is_some() || self.pending_retry.is_some();
            let waiting = self.events.iter().any(|event| event.status.is_open());
            if !busy && !waiting {
                return true;
            }
            self.now = self.now.after(Duration::from_secs(1));
        }
        false
    }

    fn answer_and_step(&mut self) {
        // The producer publishes nothing more. A consumer that has left events runs again.
        self.next_poll_at = self.now.after(INTERVAL);
        for event in self.events.iter().filter(|event| event.status == EventStatus::Pending) {
            self.consumers[event.topic].has_work = true;
        }
        for command in [
            Command::Reconcile,
            Command::Unpark { skip: false },
            Command::Control { action: Action::Unarchive },
            Command::Control { action: Action::Resume },
            Command::Enqueue,
            Command::Claim,
            Command::Prepare { reserves: 2, wakes: false },
        ] {
            self.try_to(&command);
        }
        let happened = self.open_run().is_some_and(|run| self.happened(run));
        let doubt = Command::Doubt { recourse: Recourse::LookUp };
        let answer = if happened { Command::Apply } else { doubt };
        for command in [Command::BeginMutation { happens: true }, answer, Command::Apply] {
            self.try_to(&command);
        }
        self.try_to(&Command::Commit { publishes: 1, repeats: 1 });
    }

    /// Performs a command, if it is legal.
    pub(crate) fn try_to(&mut self, command: &Command) {
        let _fits = self.perform(command);
    }

    fn happened(&self, run: &Run) -> bool {
        self.effects.iter().any(|effect| effect.run == run.id)
    }

    fn active(&self) -> Result<&Run, Refused> {
        self.open_run()
            .filter(|run| run.state.status == Status::Active)
            .ok_or_else(|| "no active run".to_owned())
    }

    /// The `prepare` of the active run is given some events.
    fn look_at(&mut self, n_events: usize) -> Result<(), Refused> {
        let run = self.active()?.clone();
        let topic = self.consumers[run.handler].topic;
        let visible = self.events.iter().filter(|event| run.sees(topic, event));
        let seen: Vec<_> = visible.take(n_events).map(Event::key).collect();
        if run.state.phase == Phase::Preparing {
            self.run_mut(run.id).seen = seen;
        }
        Ok(())
    }

    /// What the stop of the active run depends on.
    fn stop_facts(&self) -> Result<StopFacts, Refused> {
        let run = self.active()?;
        let about: Vec<_> = self.events.iter().filter(|event| run.is_about(event)).collect();
        let trial = Trial::of(run.state.phase);
        Ok(StopFacts {
            transient_failures: self.transient_failures,
            events: about.len(),
            untried: about.iter().filter(|event| trial.is_due_after(event.passed)).count(),
            parked_in_a_row: self.consumers[run.handler].parked_in_a_row,
        })
    }

    fn doubtful(&self) -> Result<RunId, Refused> {
        let doubtful =
            self.runs.iter().find(|run| run.state.is_uncertain() && !run.state.status.is_open());
        doubtful.map(|run| run.id).ok_or_else(|| "nothing is in doubt".to_owned())
    }

    fn run_mut(&mut self, id: RunId) -> &mut Run {
        self.runs.iter_mut().find(|run| run.id == id).expect("runs are never removed")
    }

    fn require(&self, fits: bool, otherwise: &str) -> Result<(), Refused> {
        if fits { Ok(()) } else { Err(otherwise.to_owned()) }
    }

    /// A transition of the open run.
    fn transition<E: ToString>(
        &mut self,
        decide: impl Fn(RunState) -> Result<Changes, E>,
    ) -> Result<(), Refused> {
        let run = self.open_run().ok_or("no open run")?.id;
        self.change(run, decide)
    }

    fn change<E: ToString>(
        &mut self,
        id: RunId,
        decide: impl Fn(RunState) -> Result<Changes, E>,
    ) -> Result<(), Refused> {
        let state = self.run_mut(id).state;
        let changes = decide(state).map_err(|refused| refused.to_string())?;
        self.write(id, changes);
        Ok(())
    }

    fn write(&mut self, id: RunId, changes: Changes) {
        let Changes { run, reservations, pending_retry, workflow, session } = changes;
        self.run_mut(id).state = run;
        self.move_events(id, reservations);
        match pending_retry {
            PendingRetry::Keep => {}
            PendingRetry::Set => self.pending_retry = Some(id),
            PendingRetry::Clear => self.pending_retry = None,
        }
        match workflow {
            WorkflowChange::Keep => {}
            WorkflowChange::Unblock => self.error = None,
            WorkflowChange::BackOff(delay) => {
                self.transient_failures += 1;
                self.backoff_until = Some(self.now.after(delay));
            }
            WorkflowChange::Maintenance(_) => self.maintenance = true,
            WorkflowChange::LookUp(failure) | WorkflowChange::Block(failure) => {
                self.error = Some(failure);
            }
        }
        if session == Some(SessionResult::Failed) {
            self.open_session = false;
        }
        if !run.status.is_open() && run.status != Status::Committed {
            self.schedule_next();
        }
    }

    fn move_events(&mut self, run: RunId, to: Reservations) {
        if let Reservations::Release { blame } = to {
            self.put_blame(run, blame);
        }
        let mine = self
            .events
            .iter_mut()
            .filter(|e| e.owner == Some(run) && e.status == EventStatus::Reserved);
        for event in mine {
            match to {
                Reservations::Keep => {}
                Reservations::Consume => event.status = EventStatus::Consumed,
                Reservations::Skip => event.status = EventStatus::Skipped,
                Reservations::Release { blame } => {
                    event.blamed += u32::from(blame == Blame::Counted);
                    let is_parked = blame.parks() || event.blamed >= PARK_AFTER;
                    event.status =
                        if is_parked { EventStatus::Parked } else { EventStatus::Pending };
                    event.owner = None;
                    event.attempt += 1;
                    self.consumers[event.topic].has_work = true;
                }
            }
        }
    }

    /// Suspects the events that the run was about, or parks the one that `prepare` was given.
    fn put_blame(&mut self, run: RunId, blame: Blame) {
        let run = self.run(run).expect("runs are never removed").clone();
        let trial = Trial::of(run.state.phase);
        for event in self.events.iter_mut().filter(|event| run.is_about(event)) {
            if matches!(blame, Blame::OneOf(_)) && trial.is_due_after(event.passed) {
                event.suspected_in = Some(trial);
                self.consumers[event.topic].has_work = true;
            }
            if blame.parks() {
                event.suspected_in = None;
                if event.status == EventStatus::Pending {
                    event.status = EventStatus::Parked;
                }
            }
        }
        if blame.parks() {
            self.consumers[run.handler].parked_in_a_row += 1;
        }
    }

    fn due_view(&self) -> DueView {
        let oldest = |topic| {
            let pending =
                self.events.iter().filter(|e| e.topic == topic && e.status == EventStatus::Pending);
            pending.map(|event| event.created_at).min()
        };
        DueView {
            status: self.status,
            has_error: self.error.is_some(),
            is_contradicted: false,
            in_maintenance: self.maintenance,
            backoff_until: self.backoff_until,
            effects_paused_until: None,
            has_open_run: self.open_run().is_some(),
            pending_retry: self
                .pending_retry
                .and_then(|id| self.run(id))
                .map(|run| PendingRetryView { run: run.id, handler: run.handler.to_string() }),
            consumers: (0..2)
                .map(|idx| ConsumerDue {
                    name: idx.to_string(),
                    has_work: self.consumers[idx].has_work,
                    wake_at: self.consumers[idx].wake_at,
                    oldest_pending: oldest(idx),
                })
                .collect(),
            producers: vec![ProducerDue {
                name: "0".to_owned(),
                next_run_at: Some(self.next_poll_at),
            }],
        }
    }

    pub(crate) fn next_step(&self) -> NextStep {
        next_step(&self.due_view(), self.now)
    }

    fn schedule_next(&mut self) {
        match self.next_step() {
            NextStep::Run(step) => self.enqueue(&step),
            NextStep::At(_) | NextStep::Idle => {
                if self.open_session && self.open_run().is_none() {
                    self.open_session = false;
                    self.transient_failures = 0;
                    self.backoff_until = None;
                }
            }
        }
    }

    fn enqueue(&mut self, step: &Step) {
        let id = RunId::mint(self.now);
        let handler = step.handler.parse().expect("handlers are named by their index");
        let trial = self.next_trial(step, handler);
        let earlier = step.retry_of.and_then(|id| self.run(id)).cloned();
        let run = match earlier {
            None => Run {
                id,
                state: RunState::queued(step.kind),
                handler,
                retry_of: None,
                reserved: false,
                caused_by: BTreeSet::new(),
                ledger_rows: 0,
                trial,
                seen: Vec::new(),
            },
            Some(earlier) => {
                let state =
                    earlier.state.retry().expect("a pending retry is always past its effect");
                for event in self.events.iter_mut().filter(|e| e.owner == Some(earlier.id)) {
                    if event.status == EventStatus::Reserved {
                        event.owner = Some(id);
                    }
                }
                self.pending_retry = None;
                Run {
                    id,
                    state,
                    retry_of: Some(earlier.id),
                    ledger_rows: 0,
                    trial: None,
                    ..earlier
                }
            }
        };
        self.runs.push(run);
        if !self.open_session {
            self.open_session = true;
            self.sessions += 1;
        }
    }

    /// The suspected event that the next run of a consumer tries.
    fn next_trial(&self, step: &Step, handler: usize) -> Option<((usize, u32), Trial)> {
        let is_tried =
            |event: &&Event| event.topic == handler && event.status == EventStatus::Pending;
        if step.kind == HandlerKind::Producer {
            return None;
        }
        self.events
            .iter()
            .filter(is_tried)
            .find_map(|event| Some((event.key(), event.suspected_in?)))
    }

    /// Applied effects per consumer, event and round, without those that a person denied.
    pub(crate) fn effects_per_event(&self) -> BTreeMap<(usize, (usize, u32, usize)), usize> {
        let mut counts = BTreeMap::new();
        for effect in self.effects.iter().filter(|effect| !effect.disowned) {
            for event in &effect.events {
                *counts.entry((effect.consumer, *event)).or_default() += 1;
            }
        }
        counts
    }
}

/// What a stop depends on.
struct StopFacts {
    transient_failures: u32,
    events: usize,
    untried: usize,
    parked_in_a_row: u32,
}

impl StopFacts {
    fn context(&self) -> StopContext<'static> {
        const BACKOFF: &Backoff =
            &Backoff { base_ms: 10_000, cap_ms: 600_000, tries: 5, jitter_percent: 0 };
        const POLICY: &EventPolicy = &EventPolicy { park_after: PARK_AFTER, parked_in_a_row: 3 };
        StopContext {
            transient_failures: self.transient_failures,
            backoff: BACKOFF,
            jitter_seed: 0,
            recourse: Recourse::LookUp,
            suspects: Suspects {
                events: self.events,
                untried: self.untried,
                parked_in_a_row: self.parked_in_a_row,
                on_failure: OnFailure::Park,
                policy: POLICY,
            },
        }
    }
}
