//! The services outside: what they were asked, what they did, and which answers are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Age, Clock, Failure, FailureClass, LookupResult, ManualClock, MutationId, Timestamp,
};
use windlass_scheduler::ToolError;

use crate::database::WORKERS;
use crate::environment::Scenario;
use crate::rng::Rng;
use crate::tally::Tally;

/// A delayed service has executed its requests after this time.
pub(crate) const LATEST: Duration = Duration::from_secs(40);

/// For how long a forgetful service recognises keys.
const KEYS_KEPT: Duration = Duration::from_secs(45);

/// A tool that took longer between its last look at the lease and its step was frozen, or slow beyond all reason.
const LONG: Duration = Duration::from_secs(10);

/// How a service treats its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ServiceKind {
    /// It can be asked whether it executed a request.
    Queryable,
    /// It can be asked too, but it may execute a request some time after it received it.
    Delayed,
    /// It recognises a repeated request, so sending it again is the way to ask.
    Idempotent,
    /// It cannot be asked.
    Opaque,
    /// A folder of the worker's machine, where another worker may see another one.
    Local,
}

impl ServiceKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Queryable, Self::Delayed, Self::Idempotent, Self::Opaque, Self::Local];

    /// Its name in scripts.
    pub(crate) const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Queryable => ("Bank", "book"),
            Self::Delayed => ("Board", "post"),
            Self::Idempotent => ("Shelf", "put"),
            Self::Opaque => ("Courier", "send"),
            Self::Local => ("Folder", "keep"),
        }
    }
}

/// What a script asked of a service.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: ServiceKind,
    pub(crate) key: String,
    pub(crate) mutation: MutationId,
    /// What it is about.
    pub(crate) messages: Vec<String>,
    /// Where the worker that sends it does what is local.
    pub(crate) place: usize,
}

/// Something that a service did.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) request: Request,
    pub(crate) result: Value,
    /// When.
    at: Timestamp,
}

/// Whether something really happened. Only this module knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ActualOutcome {
    Happened(Value),
    /// It will happen.
    Coming,
    DidNotHappen,
}

/// What happens to one request.
#[derive(Debug, Clone, Copy)]
enum RequestOutcome {
    Answer,
    Refuse(FailureClass),
    LoseRequest,
    LoseAnswer,
    ApplyLate,
    /// Executed, and the answer cannot be read.
    UnreadableAnswer,
}

/// All services, and what happened there.
#[derive(Debug)]
pub(crate) struct Services {
    clock: Arc<ManualClock>,
    world: Mutex<World>,
}

#[derive(Debug)]
struct World {
    rng: Rng,
    is_faultless: bool,
    applied: Vec<Application>,
    coming: Vec<(Timestamp, Request)>,
    /// The effect that happened twice.
    repeated_effect: Option<String>,
    /// For how long services recognise keys; none if for ever.
    keys_kept: Option<Duration>,
    /// Keys that an idempotent service has refused. It answers them with the same refusal for ever.
    refused: BTreeMap<String, FailureClass>,
    /// The place that each worker sees.
    places: [usize; WORKERS],
    /// Requests that nothing can stop: their tool was frozen between its last look at the lease and its step, or nobody had seen the
    /// clock step when they were missed or sent again.
    out_of_reach: BTreeSet<MutationId>,
    /// Requests whose tool has passed its commit point since the oracle looked last.
    just_passed: BTreeSet<MutationId>,
    /// Requests that were on their way when the clock was set forward, as long as no worker has reported it: they seem older.
    aged_by_step: BTreeSet<MutationId>,
    /// Requests that were done when the clock was set back, as long as no worker has reported it: their keys seem younger.
    renewed_by_step: BTreeSet<MutationId>,
    tally: Tally,
}

impl World {
    fn new(mut rng: Rng) -> Self {
        let keys_kept = rng.chance(50).then_some(KEYS_KEPT);
        let places = std::array::from_fn(|_worker| usize::from(rng.chance(25)));
        Self {
            rng,
            keys_kept,
            places,
            refused: BTreeMap::new(),
            out_of_reach: BTreeSet::new(),
            just_passed: BTreeSet::new(),
            aged_by_step: BTreeSet::new(),
            renewed_by_step: BTreeSet::new(),
            is_faultless: false,
            applied: Vec::new(),
            coming: Vec::new(),
            repeated_effect: None,
            tally: Tally::EMPTY,
        }
    }
}

impl Services {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, world: Mutex::new(World::new(Rng::new(0))) }
    }

    /// Begins a history.
    pub(crate) fn reset(&self, rng: Rng, scenario: Scenario) {
        let mut world = World::new(rng);
        if scenario.has_backups() {
            world.keys_kept = None;
        }
        if world.keys_kept.is_some() {
            world.tally.count("history with services that forget keys");
        }
        *self.lock() = world;
    }

    /// From now on there are no faults.
    pub(crate) fn stop_faults(&self) {
        self.lock().is_faultless = true;
    }

    /// Whether a read fails this time.
    pub(crate) fn fails_to_read(&self) -> bool {
        let mut world = self.lock();
        let fails = !world.is_faultless && world.rng.chance(20);
        if fails {
            world.tally.count("read failed");
        }
        fails
    }

    /// A tool has passed its commit point: its worker says that the run is still its own.
    pub(crate) fn passed(&self, mutation: MutationId) {
        self.lock().just_passed.insert(mutation);
    }

    /// A tool was refused at its commit point, so nothing was sent.
    pub(crate) fn refused_at_commit_point(&self) {
        self.lock().tally.count("refused at the commit point");
    }

    /// The requests whose tools have passed their commit points since this was asked last.
    pub(crate) fn take_passed(&self) -> BTreeSet<MutationId> {
        std::mem::take(&mut self.lock().just_passed)
    }

    /// A request arrives, or is lost on its way.
    ///
    /// The worker had the right to send it at `looked_at`.
    pub(crate) fn receive(
        &self,
        request: &Request,
        looked_at: Timestamp,
    ) -> Result<Value, ToolError> {
        let now = self.now();
        let mut world = self.lock();
        if now.since(looked_at) > LONG {
            world.out_of_reach.insert(request.mutation);
            world.tally.count("frozen between its look and its step");
        }
        if let Some(class) = world.refused.get(&request.key).copied() {
            world.tally.count("request refused like the first time");
            return Err(refused(class));
        }
        let outcome = world.outcome(request.kind);
        world.tally.count(format!("request {}", words(outcome)));
        match outcome {
            RequestOutcome::Refuse(class) => {
                // A service that knows its requests answers what it has done, whatever it thinks of it now.
                if let Some(known) = world.known(request, now) {
                    return Ok(known);
                }
                if request.kind == ServiceKind::Idempotent {
                    world.refused.insert(request.key.clone(), class);
                }
                Err(refused(class))
            }
            RequestOutcome::Answer => Ok(world.apply(request, now)),
            RequestOutcome::LoseRequest => Err(lost()),
            RequestOutcome::LoseAnswer => {
                world.apply(request, now);
                Err(lost())
            }
            RequestOutcome::ApplyLate => {
                let after = 1 + world.rng.below(LATEST.as_secs() - 1);
                let at = now.after(Duration::from_secs(after));
                world.coming.push((at, request.clone()));
                Err(lost())
            }
            RequestOutcome::UnreadableAnswer => {
                world.apply(request, now);
                let failure = Failure::internal("the answer cannot be read");
                Err(ToolError { failure, sent: windlass_core::Sent::Yes })
            }
        }
    }

    /// A worker looks up whether a request was executed.
    pub(crate) fn look_up(&self, request: &Request) -> LookupResult {
        let now = self.now();
        let mut world = self.lock();
        if !world.is_faultless && world.rng.chance(35) {
            world.tally.count("lookup in vain");
            return LookupResult::Unknown(Failure::network("no answer"));
        }
        if world.refused.contains_key(&request.key) {
            world.tally.count("sent again: refused");
            return LookupResult::Absent { counts_after: Duration::ZERO };
        }
        if request.kind == ServiceKind::Idempotent {
            let is_known = world.known(request, now).is_some();
            world.tally.count(if is_known { "sent again: known" } else { "sent again: applied" });
            return LookupResult::Applied(world.apply(request, now));
        }
        let is_local = request.kind == ServiceKind::Local;
        let by_key = |done: &&Application| {
            done.request.key == request.key && (!is_local || done.request.place == request.place)
        };
        match world.applied.iter().find(by_key).map(|done| done.result.clone()) {
            Some(result) => {
                world.tally.count("lookup found");
                LookupResult::Applied(result)
            }
            None => {
                world.tally.count("lookup absent");
                if world.aged_by_step.contains(&request.mutation) {
                    world.out_of_reach.insert(request.mutation);
                    world.tally.count("missed before anybody saw the clock step");
                }
                let is_late = request.kind == ServiceKind::Delayed;
                let counts_after = if is_late { LATEST } else { Duration::ZERO };
                LookupResult::Absent { counts_after }
            }
        }
    }

    /// The clock that says how long ago a request was sent is set forward or back.
    pub(crate) fn clock_stepped(&self, step: ClockStep) {
        let world = &mut *self.lock();
        match step {
            ClockStep::Forward => {
                world.aged_by_step.extend(world.coming.iter().map(|(_, request)| request.mutation));
            }
            ClockStep::Back => {
                world
                    .renewed_by_step
                    .extend(world.applied.iter().map(|done| done.request.mutation));
            }
        }
    }

    /// A worker has reported that the clock was set.
    pub(crate) fn step_is_reported(&self) {
        let mut world = self.lock();
        world.aged_by_step.clear();
        world.renewed_by_step.clear();
    }

    /// Executes the delayed requests that are due.
    pub(crate) fn pass_time(&self) {
        let (mut world, now) = (self.lock(), self.clock.now());
        let (due, coming) =
            std::mem::take(&mut world.coming).into_iter().partition(|(at, _)| *at <= now);
        world.coming = coming;
        for (at, request) in due {
            world.apply(&request, at);
        }
    }

    pub(crate) fn actual(&self, messages: &[String]) -> ActualOutcome {
        let world = self.lock();
        let is_it = |request: &Request| request.messages == messages;
        if let Some(done) = world.applied.iter().find(|done| is_it(&done.request)) {
            return ActualOutcome::Happened(done.result.clone());
        }
        let is_coming = world.coming.iter().any(|(_, request)| is_it(request));
        if is_coming { ActualOutcome::Coming } else { ActualOutcome::DidNotHappen }
    }

    /// Whether nothing could stop a request: its tool was frozen between its last look at the lease and its step, or nobody had seen
    /// the clock step.
    pub(crate) fn is_out_of_reach(&self, mutation: MutationId) -> bool {
        self.lock().out_of_reach.contains(&mutation)
    }

    /// The true time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// For how long services recognise keys.
    pub(crate) fn keys_kept(&self) -> Age {
        self.lock().keys_kept.map_or(Age::Forever, Age::Span)
    }

    /// The place that a worker sees.
    pub(crate) fn place(&self, worker: usize) -> usize {
        self.lock().places[worker]
    }

    /// A worker sees another place from now on.
    pub(crate) fn move_place(&self, worker: usize) {
        let mut world = self.lock();
        world.places[worker] = 1 - world.places[worker];
        world.tally.count("a worker sees another place");
    }

    pub(crate) fn applied(&self) -> Vec<Application> {
        self.lock().applied.clone()
    }

    pub(crate) fn repeated_effect(&self) -> Option<String> {
        self.lock().repeated_effect.clone()
    }

    /// What was counted since this was asked last.
    pub(crate) fn tally(&self) -> Tally {
        std::mem::take(&mut self.lock().tally)
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl World {
    fn outcome(&mut self, kind: ServiceKind) -> RequestOutcome {
        const CLASSES: [FailureClass; 7] = [
            FailureClass::Network,
            FailureClass::Auth,
            FailureClass::Permission,
            FailureClass::Logic,
            FailureClass::Internal,
            FailureClass::ApiKey,
            FailureClass::Balance,
        ];
        if self.is_faultless {
            return RequestOutcome::Answer;
        }
        match self.rng.below(100) {
            0..40 => RequestOutcome::Answer,
            40..58 => {
                let is_network = self.rng.chance(40);
                let class = if is_network { None } else { self.rng.pick(&CLASSES).copied() };
                RequestOutcome::Refuse(class.unwrap_or(FailureClass::Network))
            }
            58..70 => RequestOutcome::LoseRequest,
            70..95 if kind == ServiceKind::Delayed => RequestOutcome::ApplyLate,
            70..95 => RequestOutcome::LoseAnswer,
            _ => RequestOutcome::UnreadableAnswer,
        }
    }

    /// The result of a request that its service recognises.
    fn known(&self, request: &Request, now: Timestamp) -> Option<Value> {
        let is_kept =
            |done: &&Application| self.keys_kept.is_none_or(|kept| now.since(done.at) <= kept);
        let with_key = self.applied.iter().find(|done| done.request.key == request.key);
        let known = with_key.filter(|_| request.kind == ServiceKind::Idempotent).filter(is_kept);
        known.map(|done| done.result.clone())
    }

    /// A key that its service has forgotten is used again, and nobody could see how old it is.
    fn note_forgotten_key(&mut self, request: &Request) {
        let is_same_key = |done: &&Application| done.request.key == request.key;
        let mut same = self.applied.iter().filter(is_same_key).map(|done| done.request.mutation);
        if same.any(|mutation| self.renewed_by_step.contains(&mutation)) {
            self.out_of_reach.insert(request.mutation);
            self.tally.count("sent again before anybody saw the clock step");
        }
    }

    fn apply(&mut self, request: &Request, now: Timestamp) -> Value {
        if let Some(result) = self.known(request, now) {
            self.tally.count("key recognised");
            return result;
        }
        self.note_forgotten_key(request);
        let done = self.applied.iter().filter(|done| {
            done.request.messages.iter().any(|message| request.messages.contains(message))
        });
        let requests: Vec<_> = done.map(|done| &done.request).chain([request]).collect();
        let is_out_of_reach = |it: &&Request| self.out_of_reach.contains(&it.mutation);
        if requests.len() > 1 {
            if requests.iter().any(is_out_of_reach) {
                self.tally.count("done twice, as nothing can prevent");
            } else {
                self.repeated_effect.get_or_insert(format!("done twice: {requests:?}"));
            }
        }
        let result = json!({ "number": self.applied.len() + 1 });
        let request = request.clone();
        self.applied.push(Application { request, result: result.clone(), at: now });
        result
    }
}

/// How a clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClockStep {
    Forward,
    Back,
}

fn words(outcome: RequestOutcome) -> String {
    match outcome {
        RequestOutcome::Answer => "applied and answered".to_owned(),
        RequestOutcome::Refuse(class) => format!("refused: {class}"),
        RequestOutcome::LoseRequest => "lost".to_owned(),
        RequestOutcome::LoseAnswer => "applied, answer lost".to_owned(),
        RequestOutcome::ApplyLate => "applied late, answer lost".to_owned(),
        RequestOutcome::UnreadableAnswer => "applied, answer unreadable".to_owned(),
    }
}

fn refused(class: FailureClass) -> ToolError {
    ToolError::not_sent(Failure::new(class, "refused"))
}

fn lost() -> ToolError {
    ToolError::maybe_sent(Failure::network("the connection was lost"))
}
