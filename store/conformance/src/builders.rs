//! Builders of what the tests pass to the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Actor, Backoff, Consumer, CredentialKind, EffectLimits, Failure, FailureClass, LogLevel,
    Manifest, OnFailure, OnRefusal, Policy, Producer, ResolutionKind, Schedule, Scope,
    SessionLimits, Timestamp, WorkerId, WorkspaceId, digest_text,
};
use windlass_store::{
    ClaimFilter, ClaimedRun, CommitConsumer, CommitProducer, CreateCredential, NewEvent, NewLog,
    Reservation, Resolution, WorkerInfo,
};

/// How many mutations a workflow of the tests may make in an hour.
pub(crate) const MUTATIONS_PER_HOUR: u32 = 20;

/// The limits that the tests count with: the defaults, but short sessions, even delays and few mutations.
#[must_use]
pub fn policy() -> Policy {
    let session = SessionLimits { handler_runs: 5, ..SessionLimits::default() };
    let transient = Backoff { jitter_percent: 0, ..Backoff::default() };
    let effects =
        EffectLimits { mutations_per_hour: MUTATIONS_PER_HOUR, ..EffectLimits::default() };
    Policy { session, transient, effects, ..Policy::default() }
}

/// What a person says, with a result where one belongs to it.
#[must_use]
pub fn resolution(verdict: ResolutionKind) -> Resolution {
    match verdict {
        ResolutionKind::DidNotHappen => Resolution::DidNotHappen,
        ResolutionKind::Happened => Resolution::Happened(json!({ "row": 7 })),
        ResolutionKind::Skip => Resolution::Skip,
        ResolutionKind::TryAgain => Resolution::TryAgain,
    }
}

/// A token of `ada` with that secret, which is good in a workspace for a day.
#[must_use]
pub fn token(workspace: WorkspaceId, secret: &str) -> CreateCredential {
    CreateCredential {
        kind: CredentialKind::Token,
        name: "laptop".to_owned(),
        actor: Actor::User("ada".to_owned()),
        workspace: Some(workspace),
        scopes: [Scope::Read, Scope::Settle].into_iter().collect(),
        digest: digest_text(secret),
        lifetime: Duration::from_secs(24 * 60 * 60),
        created_by: "user:admin".to_owned(),
    }
}

/// The instant at which every test begins.
#[must_use]
pub fn start() -> Timestamp {
    Timestamp::parse("2026-03-02T09:00:00Z").unwrap()
}

/// `poll` publishes to `mail`, `record` makes a `row` of each mail, `tell` looks at rows.
#[must_use]
pub fn pipeline() -> Manifest {
    manifest(
        &[("poll", "5m", &["mail"])],
        &[("record", &["mail"], &["row"]), ("tell", &["row"], &[])],
    )
}

/// One consumer that nothing ever wakes but a person.
#[must_use]
pub fn lone_consumer() -> Manifest {
    manifest(&[], &[("record", &["mail"], &[])])
}

type Topics<'a> = &'a [&'a str];

#[must_use]
pub fn manifest(
    producers: &[(&str, &str, Topics<'_>)],
    consumers: &[(&str, Topics<'_>, Topics<'_>)],
) -> Manifest {
    let set =
        |names: Topics<'_>| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let mut all = Manifest {
        inputs: BTreeMap::new(),
        topics: BTreeSet::new(),
        producers: BTreeMap::new(),
        consumers: BTreeMap::new(),
    };
    for (name, every, publishes) in producers {
        let schedule = Schedule::interval(every).unwrap();
        all.topics.extend(set(publishes));
        let producer = Producer { publishes: set(publishes), schedule };
        all.producers.insert((*name).to_owned(), producer);
    }
    for (name, subscribe, publishes) in consumers {
        let (subscribe, publishes) = (set(subscribe), set(publishes));
        all.topics.extend(subscribe.iter().chain(&publishes).cloned());
        let consumer = Consumer {
            subscribe,
            publishes,
            has_mutate: true,
            has_next: true,
            on_failure: OnFailure::Park,
            on_refusal: OnRefusal::Fail,
        };
        all.consumers.insert((*name).to_owned(), consumer);
    }
    all
}

/// An event for one topic.
#[must_use]
pub fn event(topic: &str, message_id: &str) -> NewEvent {
    event_with(topic, message_id, json!({ "id": message_id }))
}

#[must_use]
pub fn event_with(topic: &str, message_id: &str, payload: Value) -> NewEvent {
    NewEvent {
        topics: vec![topic.to_owned()],
        message_id: message_id.to_owned(),
        payload,
        caused_by: Vec::new(),
    }
}

#[must_use]
pub fn log(message: &str) -> NewLog {
    NewLog { level: LogLevel::Log, message: message.to_owned() }
}

#[must_use]
pub fn failure(class: FailureClass) -> Failure {
    Failure::new(class, format!("a failure of class {class}"))
}

#[must_use]
pub const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A producer's commit that changes nothing.
#[must_use]
pub const fn commit_of(run: &ClaimedRun) -> CommitProducer {
    CommitProducer {
        claim: run.claim,
        state: None,
        inputs: Vec::new(),
        events: Vec::new(),
        logs: Vec::new(),
        follow_up: None,
    }
}

/// A consumer's commit that changes nothing.
#[must_use]
pub const fn commit_consumer_of(run: &ClaimedRun) -> CommitConsumer {
    CommitConsumer {
        claim: run.claim,
        state: None,
        events: Vec::new(),
        logs: Vec::new(),
        follow_up: None,
    }
}

/// Events of one topic.
#[must_use]
pub fn reservation(topic: &str, ids: &[&str]) -> Reservation {
    Reservation { topic: topic.to_owned(), ids: ids.iter().map(|&id| id.to_owned()).collect() }
}

/// A worker that takes such runs.
#[must_use]
pub fn worker_info(id: WorkerId, filter: ClaimFilter) -> WorkerInfo {
    WorkerInfo {
        id,
        host: "laptop".to_owned(),
        pid: 4711,
        version: "1.2.3".to_owned(),
        slots: 8,
        filter,
    }
}
