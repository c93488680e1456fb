//! The states of the mutation ledger: what is known of an effect on the outside world.

use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::id::NodeRunId;
use crate::text::{Text, text_enum};

text_enum! {
    /// What is known of a mutation. Applied, failed and captured are final.
    pub enum MutationStatus ("a mutation status") {
        /// Written before the request is sent. No answer is recorded yet.
        InFlight = "in_flight",
        /// The effect happened.
        Applied = "applied",
        /// The effect did not happen.
        Failed = "failed",
        /// Unknown, and the tool can look it up.
        NeedsReconcile = "needs_reconcile",
        /// Unknown, and only a person can tell.
        Indeterminate = "indeterminate",
        /// Captured by a dry run: no request was sent.
        WouldSend = "would_send",
    }
}

impl MutationStatus {
    /// Whether `self → next` may happen.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        match self {
            Self::InFlight => !matches!(next, Self::InFlight),
            Self::NeedsReconcile => !matches!(next, Self::InFlight | Self::WouldSend),
            Self::Indeterminate => {
                matches!(next, Self::Applied | Self::Failed | Self::NeedsReconcile)
            }
            Self::Applied | Self::Failed | Self::WouldSend => false,
        }
    }

    /// Whether it is still unknown if the effect happened.
    #[must_use]
    pub const fn is_uncertain(self) -> bool {
        !matches!(self, Self::Applied | Self::Failed | Self::WouldSend)
    }
}

text_enum! {
    /// The outcome of a run's mutation. A run without an outcome made no call, or the call is not settled.
    pub enum Outcome ("a mutation outcome") {
        /// The effect happened. From then on the run may only continue.
        Success = "success",
        /// The effect did not happen.
        Failure = "failure",
        /// A person skipped it.
        Skipped = "skipped",
        /// The other side refused it, and the consumer goes on with that. From then on the run may only continue.
        Refused = "refused",
    }
}

text_enum! {
    /// Who settled a mutation that was in doubt.
    pub enum ResolvedBy ("who settles a mutation") {
        /// A person said that it did not happen.
        UserDidNotHappen = "user_assert_failed",
        /// A person said that it happened, and gave its result.
        UserHappened = "user_assert_applied",
        /// A person skipped it.
        UserSkip = "user_skip",
        /// The tool looked it up.
        Reconciliation = "reconciliation",
    }
}

/// How a worker knows that a request had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEffect {
    /// It did not leave, so the other side does not know its key.
    Unsent,
    /// The other side refused it.
    Refused,
    /// Its answer was lost, and its tool looked the effect up and did not find it.
    LookedUp,
}

impl NoEffect {
    /// Who settled the mutation; none where it was never in doubt.
    #[must_use]
    pub const fn resolved_by(self) -> Option<ResolvedBy> {
        match self {
            Self::Unsent | Self::Refused => None,
            Self::LookedUp => Some(ResolvedBy::Reconciliation),
        }
    }
}

text_enum! {
    /// How a person settles a mutation in doubt.
    pub enum ResolutionKind ("a resolution") {
        /// It did not happen: its events are pending again, and a new run prepares from scratch.
        DidNotHappen = "did_not_happen",
        /// It happened: `next` continues with the result that the person gives.
        Happened = "happened",
        /// Skip it: its events are skipped, and `next` runs once.
        Skip = "skip",
        /// Look it up again, from the first attempt.
        TryAgain = "try_again",
    }
}

text_enum! {
    /// What can still be done about an effect in doubt.
    pub enum Recourse ("a recourse") {
        /// The tool can look it up.
        LookUp = "look_up",
        /// Only a person can tell.
        Ask = "ask",
    }
}

/// What is learned of an effect after it was settled: from a worker that had lost the run, or from a look-up that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LateEvidence {
    /// It happened.
    Happened,
    /// The request was not sent, or was refused.
    DidNotHappen,
    /// It is not known.
    Unknown,
}

impl LateEvidence {
    /// Whether it contradicts the ledger. Then the effect may happen twice, or may never happen, and only a person can put that right.
    ///
    /// That a request did not have its effect contradicts only a person's word: a look-up may have sent another request. And who skips
    /// a mutation says nothing of whether it happened.
    #[must_use]
    pub fn contradicts(
        self,
        status: MutationStatus,
        settled_by: Option<ResolvedBy>,
        recourse: Recourse,
    ) -> bool {
        match (self, status) {
            (Self::Happened, MutationStatus::Failed) => settled_by != Some(ResolvedBy::UserSkip),
            (Self::DidNotHappen, MutationStatus::Applied) => {
                settled_by == Some(ResolvedBy::UserHappened) && recourse == Recourse::Ask
            }
            _ => false,
        }
    }
}

/// The result of looking up whether an effect happened.
#[derive(Debug, Clone, PartialEq)]
pub enum LookupResult {
    /// The effect is there. The result is as close to the original answer as possible.
    Applied(Value),
    /// The effect is not there.
    Absent {
        /// How long after the request that proves that it did not happen. Before, it may just not be visible yet.
        counts_after: Duration,
    },
    /// It could not be looked up this time.
    Unknown(Failure),
    /// It cannot be looked up any more. A person is asked at once.
    Impossible(Failure),
}

/// SHA-256, hexadecimal, of a JSON value whose object keys are sorted: equal for equal values, however they were written.
#[must_use]
pub fn digest(value: &Value) -> String {
    format!("{:x}", Sha256::digest(canonical(value).to_string()))
}

/// SHA-256, hexadecimal, of a text.
#[must_use]
pub fn digest_text(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// What identifies an operation: two calls with equal keys are the same operation.
///
/// It consists of names that people and scripts give, and of no id that was minted here. After a backup is restored, a producer that
/// publishes the same message again makes another event, but for the same operation with the same key.
///
/// A ledger row keeps the operation and the key that it was written with. So a row that an older program wrote, whose operation was
/// made of ids, is looked up with its own key; only if a person says that it did not happen does the next attempt have another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationKey<'a> {
    /// The workspace's name.
    pub workspace: &'a str,
    /// The workflow's name, unique in the workspace.
    pub workflow: &'a str,
    /// The consumer.
    pub handler: &'a str,
    /// The tool, `namespace.method`.
    pub tool: &'a str,
    /// The canonical digest of the call's input.
    pub digest: &'a str,
    /// The events that it is for.
    pub events: Vec<EventInRound>,
}

/// An event, and which time it is processed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventInRound {
    /// What it is called.
    pub name: EventName,
    /// 1 until a person replays the event; each replay begins another round.
    pub round: u32,
}

/// What an event is called in its workflow. No two events of a workflow have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventName {
    /// Its topic.
    pub topic: String,
    /// The script's id for it, unique in the topic.
    pub message_id: String,
}

impl OperationKey<'_> {
    /// The operation's id. It is the same whenever the same consumer makes the same call for the same events, so that a call that
    /// is repeated after a doubt is recognised. A script can neither choose nor see it.
    ///
    /// In another round of an event it is another operation. As long as no event was replayed, the rounds are no part of it: it is
    /// then what programs made of it that knew no rounds.
    #[must_use]
    pub fn operation_id(&self) -> String {
        let mut events: Vec<&EventInRound> = self.events.iter().collect();
        events.sort_unstable();
        let call = [self.workspace, self.workflow, self.handler, self.tool, self.digest];
        let rounds: Vec<_> = events.iter().map(|event| event.round.to_string()).collect();
        let was_replayed = events.iter().any(|event| event.round > 1);
        // One more part makes their number even, which it is in no first round.
        let rounds = was_replayed.then(|| rounds.join(","));
        let names = events.iter().flat_map(|event| [&*event.name.topic, &*event.name.message_id]);
        let mut hash = Sha256::new();
        // With its length before it, no part can be taken for the end of another.
        for part in call.into_iter().chain(names).chain(rounds.as_deref()) {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        format!("op_{}", first_128_bits(hash))
    }
}

/// The id of the operation that a node of a graph asks for in a round: the same until it is to have its effect once more.
///
/// The parameters are no part of it. Whatever the input of the node becomes, its effect happens once in a round.
#[must_use]
pub fn operation_of_node(node_run: NodeRunId, effect_round: u32) -> String {
    let hash =
        Sha256::new().chain_update(node_run.to_text()).chain_update(effect_round.to_le_bytes());
    format!("op_{}", first_128_bits(hash))
}

/// The key by which a provider recognises a repeated request.
///
/// It stays the same for one operation until the provider has definitely refused the request, because some providers answer a
/// refused key with the same refusal for ever. A request that did not leave is not refused: were its key changed, a restored backup
/// would bring back the key before it, which the provider would not recognise.
#[must_use]
pub fn idempotency_key(operation_id: &str, n_refusals: usize) -> String {
    let hash = Sha256::new().chain_update(operation_id).chain_update(n_refusals.to_le_bytes());
    format!("key_{}", first_128_bits(hash))
}

/// The first 128 bits of a hash, in hexadecimal.
fn first_128_bits(hash: Sha256) -> String {
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            scalar.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_call_is_the_same_operation_and_any_other_is_another() {
        let name = |topic: &str, message_id: &str| EventInRound {
            name: EventName { topic: topic.to_owned(), message_id: message_id.to_owned() },
            round: 1,
        };
        let (one, other) = (name("mail", "m1"), name("mail", "m2"));
        let call = OperationKey {
            workspace: "default",
            workflow: "receipts",
            handler: "append",
            tool: "Files.append",
            digest: "d",
            events: vec![one.clone(), other.clone()],
        };

        let again = OperationKey { events: vec![other, one.clone()], ..call.clone() };
        let others = [
            OperationKey { workspace: "team", ..call.clone() },
            OperationKey { workflow: "receipts2", ..call.clone() },
            OperationKey { events: vec![one.clone()], ..call.clone() },
            OperationKey { events: vec![one.clone(), name("row", "m2")], ..call.clone() },
            OperationKey { events: vec![one, name("mailm", "2")], ..call.clone() },
            OperationKey { digest: "e", ..call.clone() },
            OperationKey { handler: "appendF", tool: "iles.append", ..call.clone() },
        ];

        assert_eq!(call.operation_id(), again.operation_id());
        assert!(others.iter().all(|it| it.operation_id() != call.operation_id()));
    }

    #[test]
    fn an_operation_never_changes_its_id() {
        let name = EventName { topic: "mail".to_owned(), message_id: "m1".to_owned() };
        let events = vec![EventInRound { name, round: 1 }];
        let call = OperationKey {
            workspace: "default",
            workflow: "receipts",
            handler: "append",
            tool: "Files.append",
            digest: "d",
            events,
        };

        // A service that has seen the key of this operation has to recognise it for years, whichever version of the program asks.
        expect_test::expect!["op_c3f6578a23f4b2a7ddac5392f11bf640"].assert_eq(&call.operation_id());
    }

    /// What programs that knew no rounds made of a call.
    fn id_without_rounds(events: &[EventInRound]) -> String {
        let mut names: Vec<_> = events.iter().map(|event| &event.name).collect();
        names.sort_unstable();
        let names = names.iter().flat_map(|name| [&*name.topic, &*name.message_id]);
        let mut hash = Sha256::new();
        for part in ["w", "f", "c", "t", "d"].into_iter().chain(names) {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        format!("op_{}", first_128_bits(hash))
    }

    /// Up to three events of few names, each with its round.
    fn events_in_rounds() -> impl Strategy<Value = BTreeMap<EventName, u32>> {
        let name = ("[ab1,]{1,2}", "[ab1,]{0,2}")
            .prop_map(|(topic, message_id)| EventName { topic, message_id });
        proptest::collection::btree_map(name, 1..12_u32, 0..4)
    }

    proptest! {
        #[test]
        fn another_round_of_an_event_is_another_operation(
            [one, other] in [events_in_rounds(), events_in_rounds()],
        ) {
            let with = |events: &BTreeMap<EventName, u32>| -> Vec<EventInRound> {
                let events = events.iter().map(|(name, round)| (name.clone(), *round));
                events.map(|(name, round)| EventInRound { name, round }).collect()
            };
            let id = |events: &BTreeMap<EventName, u32>| {
                let (workspace, workflow, handler, tool, digest) = ("w", "f", "c", "t", "d");
                let events = with(events);
                OperationKey { workspace, workflow, handler, tool, digest, events }.operation_id()
            };
            let first: BTreeMap<_, _> = one.keys().map(|name| (name.clone(), 1)).collect();

            prop_assert_eq!(id(&one) == id(&other), one == other);
            prop_assert_eq!(id(&one) == id(&first), one == first);
            prop_assert_eq!(id(&first), id_without_rounds(&with(&one)));
        }
    }

    #[test]
    fn late_evidence_contradicts_what_it_shows_to_be_wrong() {
        use LateEvidence::{DidNotHappen, Happened, Unknown};
        let by = |who, status| {
            [Happened, DidNotHappen, Unknown].map(|it| it.contradicts(status, who, Recourse::Ask))
        };
        let (failed, applied) = (MutationStatus::Failed, MutationStatus::Applied);

        for who in [None, Some(ResolvedBy::UserDidNotHappen), Some(ResolvedBy::Reconciliation)] {
            assert_eq!(by(who, failed), [true, false, false], "{who:?}");
        }
        assert_eq!(by(Some(ResolvedBy::UserSkip), failed), [false; 3], "nobody said so");
        assert_eq!(by(Some(ResolvedBy::UserHappened), applied), [false, true, false]);
        assert_eq!(by(Some(ResolvedBy::Reconciliation), applied), [false; 3]);
        assert_eq!(by(None, MutationStatus::Indeterminate), [false; 3], "it is not settled yet");
        let by_look_up = (applied, Some(ResolvedBy::UserHappened), Recourse::LookUp);
        assert!(!DidNotHappen.contradicts(by_look_up.0, by_look_up.1, by_look_up.2));
    }

    #[test]
    fn a_key_changes_with_a_refusal_only() {
        assert_eq!(idempotency_key("op_1", 0), idempotency_key("op_1", 0));
        assert_ne!(idempotency_key("op_1", 0), idempotency_key("op_1", 1));
        assert_ne!(idempotency_key("op_1", 0), idempotency_key("op_2", 0));
    }

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_keys() {
        let one = json!({"a": 1, "b": [{"x": 1, "y": 2}]});
        let other = json!({"b": [{"y": 2, "x": 1}], "a": 1});

        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&json!({"a": 1, "b": [{"x": 2, "y": 1}]})));
    }
}
