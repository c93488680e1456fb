//! The services outside: what they were asked, what they did, and which answers are lost.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Clock, Failure, FailureClass, LookupResult, ManualClock, MutationId, Timestamp,
};
use windlass_scheduler::ToolError;

use crate::rng::Rng;
use crate::tally::Tally;

/// A delayed service has executed its requests after this time.
pub(crate) const LATEST: Duration = Duration::from_secs(40);

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
}

impl ServiceKind {
    pub(crate) const ALL: [Self; 4] =
        [Self::Queryable, Self::Delayed, Self::Idempotent, Self::Opaque];

    /// Its name in scripts.
    pub(crate) const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Queryable => ("Bank", "book"),
            Self::Delayed => ("Board", "post"),
            Self::Idempotent => ("Shelf", "put"),
            Self::Opaque => ("Courier", "send"),
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
}

/// Something that a service did.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) request: Request,
    pub(crate) result: Value,
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
    tally: Tally,
}

impl World {
    const fn new(rng: Rng) -> Self {
        Self {
            rng,
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
    pub(crate) fn reset(&self, rng: Rng) {
        *self.lock() = World::new(rng);
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

    /// A request arrives, or is lost on its way.
    pub(crate) fn receive(&self, request: &Request) -> Result<Value, ToolError> {
        let mut world = self.lock();
        let outcome = world.outcome(request.kind);
        world.tally.count(format!("request {}", words(outcome)));
        match outcome {
            RequestOutcome::Refuse(class) => {
                // A service that knows its requests answers what it has done, whatever it thinks of it now.
                match world.known(request) {
                    Some(known) => Ok(known),
                    None => Err(ToolError::not_sent(Failure::new(class, "refused"))),
                }
            }
            RequestOutcome::Answer => Ok(world.apply(request)),
            RequestOutcome::LoseRequest => Err(lost()),
            RequestOutcome::LoseAnswer => {
                world.apply(request);
                Err(lost())
            }
            RequestOutcome::ApplyLate => {
                let after = 1 + world.rng.below(LATEST.as_secs() - 1);
                let at = self.clock.now().after(Duration::from_secs(after));
                world.coming.push((at, request.clone()));
                Err(lost())
            }
            RequestOutcome::UnreadableAnswer => {
                world.apply(request);
                let failure = Failure::internal("the answer cannot be read");
                Err(ToolError { failure, sent: windlass_core::Sent::Yes })
            }
        }
    }

    /// A worker looks up whether a request was executed.
    pub(crate) fn look_up(&self, request: &Request) -> LookupResult {
        let mut world = self.lock();
        if !world.is_faultless && world.rng.chance(35) {
            world.tally.count("lookup in vain");
            return LookupResult::Unknown(Failure::network("no answer"));
        }
        if request.kind == ServiceKind::Idempotent {
            let is_known = world.known(request).is_some();
            world.tally.count(if is_known { "sent again: known" } else { "sent again: applied" });
            return LookupResult::Applied(world.apply(request));
        }
        let by_key = |done: &&Application| done.request.key == request.key;
        match world.applied.iter().find(by_key).map(|done| done.result.clone()) {
            Some(result) => {
                world.tally.count("lookup found");
                LookupResult::Applied(result)
            }
            None => {
                world.tally.count("lookup absent");
                let is_late = request.kind == ServiceKind::Delayed;
                let counts_after = if is_late { LATEST } else { Duration::ZERO };
                LookupResult::Absent { counts_after }
            }
        }
    }

    /// Executes the delayed requests that are due.
    pub(crate) fn pass_time(&self) {
        let (mut world, now) = (self.lock(), self.clock.now());
        let (due, coming) =
            std::mem::take(&mut world.coming).into_iter().partition(|(at, _)| *at <= now);
        world.coming = coming;
        for (_, request) in due {
            world.apply(&request);
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
    fn known(&self, request: &Request) -> Option<Value> {
        let knows = request.kind == ServiceKind::Idempotent;
        let known = self.applied.iter().find(|done| done.request.key == request.key);
        known.filter(|_| knows).map(|done| done.result.clone())
    }

    fn apply(&mut self, request: &Request) -> Value {
        if let Some(result) = self.known(request) {
            return result;
        }
        for message in &request.messages {
            let is_known = self.applied.iter().any(|done| done.request.messages.contains(message));
            if is_known {
                self.repeated_effect
                    .get_or_insert(format!("`{message}` was done twice: {request:?}"));
            }
        }
        let result = json!({ "number": self.applied.len() + 1 });
        self.applied.push(Application { request: request.clone(), result: result.clone() });
        result
    }
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

fn lost() -> ToolError {
    ToolError::maybe_sent(Failure::network("the connection was lost"))
}
