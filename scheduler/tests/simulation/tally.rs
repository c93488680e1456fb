//! What a run of many histories really exercised.

use std::collections::BTreeMap;

use crate::environment::Scenario;

/// What even some dozens of histories meet.
const COMMON: [&str; 14] = [
    "crash after begin_mutation",
    "crash after checkpoint_prepare",
    "crash after claim_runs",
    "frozen beyond its lease",
    "frozen for a while",
    "lookup absent",
    "lookup found",
    "lookup in vain",
    "person: did_not_happen",
    "person: resume",
    "request applied late, answer lost",
    "request applied, answer lost",
    "request lost",
    "two workers at once",
];

/// What some dozens of histories of plans meet.
const PLANS: [&str; 12] = [
    "answer lost after commit_node",
    "crash after begin_mutation",
    "crash after claim_runs",
    "crash after commit_node",
    "frozen beyond its lease",
    "lookup found",
    "person: agree",
    "person: did_not_happen",
    "person: refuse with edits",
    "person: replace a plan",
    "person: resume a plan",
    "two workers at once",
];

/// What some hundreds meet.
const RARE: [&str; 36] = [
    "a worker sees another place",
    "answer lost after apply_mutation",
    "answer lost after begin_mutation",
    "answer lost after checkpoint_prepare",
    "answer lost after commit_consumer",
    "answer lost after commit_producer",
    "answer lost after doubt_mutation",
    "answer lost after fail_mutation",
    "answer lost after stop_run",
    "clock stepped back",
    "clock stepped forward",
    "commit point reached after a freeze",
    "crash after commit_consumer",
    "crash after commit_producer",
    "crash after heartbeat",
    "crash after recover_runs",
    "crash before a request leaves",
    "crash before an answer arrives",
    "crash before begin_mutation",
    "crash before checkpoint_prepare",
    "crash before claim_runs",
    "crash before commit_consumer",
    "crash before commit_producer",
    "history with services that forget keys",
    "crash before heartbeat",
    "lookup given up",
    "person: happened",
    "person: pause",
    "person: start a session",
    "person: try_again",
    "read failed",
    "refused at the commit point",
    "request applied, answer unreadable",
    "request refused: network",
    "sent again: applied",
    "sent again: known",
];

/// What some thousands meet. A run seldom stops, since a failure parks its event, and a crash right after it is one of many. Evidence
/// seldom contradicts the ledger, since a late success outweighs a look-up that began before it.
const RAREST: [&str; 34] = [
    "crash after apply_mutation",
    "crash after claim_lookups",
    "crash after doubt_mutation",
    "crash after enqueue_due",
    "crash after fail_mutation",
    "crash after settle_lookup",
    "crash after stop_run",
    "crash before a lookup",
    "crash before a lookup is answered",
    "crash before apply_mutation",
    "crash before claim_lookups",
    "crash before doubt_mutation",
    "crash before enqueue_due",
    "crash before fail_mutation",
    "crash before recover_runs",
    "crash before settle_lookup",
    "crash before stop_run",
    "crash before the commit point",
    "event parked",
    "frozen between its look and its step",
    "late evidence",
    "late evidence contradicts the ledger",
    "lookup overtaken",
    "person: put_back",
    "person: skip",
    "request refused: api_key",
    "request refused: auth",
    "request refused: balance",
    "request refused: internal",
    "request refused: logic",
    "request refused: permission",
    "zombie refused: apply_mutation",
    "zombie refused: begin_mutation",
    "zombie refused: checkpoint_prepare",
];

/// What some dozens of histories with restored backups meet.
const RESTORED: [&str; 2] = ["backup restored", "key recognised"];

/// What only some hundreds of them meet.
const RESTORED_SELDOM: [&str; 1] = ["request refused like the first time"];

/// What so many histories have to meet; otherwise they prove less than they seem to.
pub(crate) fn expected(scenario: Scenario, n_histories: u64) -> Vec<&'static str> {
    let often = if n_histories >= 30 { &COMMON[..] } else { &[] };
    let seldom = if n_histories >= 150 { &RARE[..] } else { &[] };
    let rarest = if n_histories >= 5_000 { &RAREST[..] } else { &[] };
    match scenario {
        Scenario::Faults => [often, seldom, rarest].concat(),
        Scenario::Plans if n_histories >= 60 => PLANS.to_vec(),
        Scenario::RestoredBackups | Scenario::RestoredPlans if n_histories >= 300 => {
            [&RESTORED[..], &RESTORED_SELDOM[..]].concat()
        }
        Scenario::RestoredBackups | Scenario::RestoredPlans if n_histories >= 20 => {
            RESTORED.to_vec()
        }
        Scenario::RestoredBackups | Scenario::Plans | Scenario::RestoredPlans => Vec::new(),
    }
}

/// How often each kind of fault and of answer occurred.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(crate) const EMPTY: Self = Self(BTreeMap::new());

    pub(crate) fn count(&mut self, kind: impl Into<String>) {
        *self.0.entry(kind.into()).or_default() += 1;
    }

    /// Both together.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
        self
    }

    /// Those of `kinds` that never occurred.
    pub(crate) fn missing<'a>(&self, kinds: Vec<&'a str>) -> Vec<&'a str> {
        kinds.into_iter().filter(|kind| !self.0.contains_key(*kind)).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(kind, count)| writeln!(f, "{count:>9}  {kind}"))
    }
}
