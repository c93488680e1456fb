//! The world outside: what it was asked, what it did, and what it lets nobody know.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Clock, Failure, FailureClass, LookupResult, ManualClock, MutationId, Timestamp,
};
use windlass_scheduler::ToolError;

use crate::rng::Rng;
use crate::tally::Tally;

/// After so long whoever applies late has applied.
pub(crate) const LATEST: Duration = Duration::from_secs(40);

/// What a service is like to its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nature {
    /// It can be asked whether it did something.
    Asked,
    /// The same, but it may obey a while after it took the request.
    Late,
    /// It recognises a request that it has had: sending it again is the way to ask.
    Resent,
    /// It tells nothing.
    Blind,
}

impl Nature {
    pub(crate) const ALL: [Self; 4] = [Self::Asked, Self::Late, Self::Resent, Self::Blind];

    /// What scripts call it.
    pub(crate) const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Asked => ("Bank", "book"),
            Self::Late => ("Board", "post"),
            Self::Resent => ("Shelf", "put"),
            Self::Blind => ("Courier", "send"),
        }
    }
}

/// What a script asked of a service.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) nature: Nature,
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

/// Whether something happened, as only this module knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Truth {
    Happened(Value),
    /// It will.
    Coming,
    DidNotHappen,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Answer,
    Refuse(FailureClass),
    LoseRequest,
    LoseAnswer,
    ApplyLate,
    /// Applied, and the answer cannot be read.
    Garble,
}

/// All services, and what happened there.
#[derive(Debug)]
pub(crate) struct Outside {
    clock: Arc<ManualClock>,
    world: Mutex<World>,
}

#[derive(Debug)]
struct World {
    rng: Rng,
    is_calm: bool,
    applied: Vec<Application>,
    coming: Vec<(Timestamp, Request)>,
    /// What happened twice.
    doubled: Option<String>,
    tally: Tally,
}

impl World {
    const fn new(rng: Rng) -> Self {
        Self {
            rng,
            is_calm: false,
            applied: Vec::new(),
            coming: Vec::new(),
            doubled: None,
            tally: Tally::EMPTY,
        }
    }
}

impl Outside {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, world: Mutex::new(World::new(Rng::new(0))) }
    }

    /// Begins a history.
    pub(crate) fn reset(&self, rng: Rng) {
        *self.lock() = World::new(rng);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm_down(&self) {
        self.lock().is_calm = true;
    }

    /// Whether a read fails this time.
    pub(crate) fn fails_to_read(&self) -> bool {
        let mut world = self.lock();
        let fails = !world.is_calm && world.rng.chance(20);
        if fails {
            world.tally.count("read failed");
        }
        fails
    }

    /// A request arrives, or is lost on its way.
    pub(crate) fn receive(&self, request: &Request) -> Result<Value, ToolError> {
        let mut world = self.lock();
        let fate = world.fate(request.nature);
        world.tally.count(format!("request {}", words(fate)));
        match fate {
            Fate::Refuse(class) => {
                // A service that knows its requests answers what it has done, whatever it thinks of it now.
                match world.known(request) {
                    Some(known) => Ok(known),
                    None => Err(ToolError::not_sent(Failure::new(class, "refused"))),
                }
            }
            Fate::Answer => Ok(world.apply(request)),
            Fate::LoseRequest => Err(lost()),
            Fate::LoseAnswer => {
                world.apply(request);
                Err(lost())
            }
            Fate::ApplyLate => {
                let after = 1 + world.rng.below(LATEST.as_secs() - 1);
                let at = self.clock.now().after(Duration::from_secs(after));
                world.coming.push((at, request.clone()));
                Err(lost())
            }
            Fate::Garble => {
                world.apply(request);
                let failure = Failure::internal("the answer cannot be read");
                Err(ToolError { failure, sent: windlass_core::Sent::Yes })
            }
        }
    }

    /// Somebody asks whether a request was obeyed.
    pub(crate) fn look_up(&self, request: &Request) -> LookupResult {
        let mut world = self.lock();
        if !world.is_calm && world.rng.chance(35) {
            world.tally.count("lookup in vain");
            return LookupResult::Unknown(Failure::network("no answer"));
        }
        if request.nature == Nature::Resent {
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
                let is_late = request.nature == Nature::Late;
                let counts_after = if is_late { LATEST } else { Duration::ZERO };
                LookupResult::Absent { counts_after }
            }
        }
    }

    /// What was to happen by now happens.
    pub(crate) fn pass_time(&self) {
        let (mut world, now) = (self.lock(), self.clock.now());
        let (due, coming) =
            std::mem::take(&mut world.coming).into_iter().partition(|(at, _)| *at <= now);
        world.coming = coming;
        for (_, request) in due {
            world.apply(&request);
        }
    }

    pub(crate) fn truth(&self, messages: &[String]) -> Truth {
        let world = self.lock();
        let is_it = |request: &Request| request.messages == messages;
        if let Some(done) = world.applied.iter().find(|done| is_it(&done.request)) {
            return Truth::Happened(done.result.clone());
        }
        let is_coming = world.coming.iter().any(|(_, request)| is_it(request));
        if is_coming { Truth::Coming } else { Truth::DidNotHappen }
    }

    pub(crate) fn applied(&self) -> Vec<Application> {
        self.lock().applied.clone()
    }

    pub(crate) fn doubled(&self) -> Option<String> {
        self.lock().doubled.clone()
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
    fn fate(&mut self, nature: Nature) -> Fate {
        const CLASSES: [FailureClass; 7] = [
            FailureClass::Network,
            FailureClass::Auth,
            FailureClass::Permission,
            FailureClass::Logic,
            FailureClass::Internal,
            FailureClass::ApiKey,
            FailureClass::Balance,
        ];
        if self.is_calm {
            return Fate::Answer;
        }
        match self.rng.below(100) {
            0..40 => Fate::Answer,
            40..58 => {
                let is_network = self.rng.chance(40);
                let class = if is_network { None } else { self.rng.pick(&CLASSES).copied() };
                Fate::Refuse(class.unwrap_or(FailureClass::Network))
            }
            58..70 => Fate::LoseRequest,
            70..95 if nature == Nature::Late => Fate::ApplyLate,
            70..95 => Fate::LoseAnswer,
            _ => Fate::Garble,
        }
    }

    /// The result of a request that its service recognises.
    fn known(&self, request: &Request) -> Option<Value> {
        let knows = request.nature == Nature::Resent;
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
                self.doubled.get_or_insert(format!("`{message}` was done twice: {request:?}"));
            }
        }
        let result = json!({ "number": self.applied.len() + 1 });
        self.applied.push(Application { request: request.clone(), result: result.clone() });
        result
    }
}

fn words(fate: Fate) -> String {
    match fate {
        Fate::Answer => "applied and answered".to_owned(),
        Fate::Refuse(class) => format!("refused: {class}"),
        Fate::LoseRequest => "lost".to_owned(),
        Fate::LoseAnswer => "applied, answer lost".to_owned(),
        Fate::ApplyLate => "applied late, answer lost".to_owned(),
        Fate::Garble => "applied, answer unreadable".to_owned(),
    }
}

fn lost() -> ToolError {
    ToolError::maybe_sent(Failure::network("the connection was lost"))
}
