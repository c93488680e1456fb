//! The mutation ledger's states: what is known of an outside effect.

use sha2::{Digest, Sha256};

use crate::id::{EventId, WorkflowId};
use crate::text::{Text as _, text_enum};

text_enum! {
    /// What is known of a mutation. Applied, failed and captured are final.
    pub enum MutationStatus ("a mutation status") {
        /// Durable before the request leaves; no answer is recorded yet.
        InFlight = "in_flight",
        /// The effect happened.
        Applied = "applied",
        /// The effect did not happen.
        Failed = "failed",
        /// Unknown, and the tool can look it up.
        NeedsReconcile = "needs_reconcile",
        /// Unknown, and only a person can tell.
        Indeterminate = "indeterminate",
        /// Captured by a dry run: nothing left.
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

    /// Whether nobody knows yet whether the effect happened.
    #[must_use]
    pub const fn is_uncertain(self) -> bool {
        !matches!(self, Self::Applied | Self::Failed | Self::WouldSend)
    }
}

text_enum! {
    /// What a run's mutation came to. A run without one made no call, or it is not settled.
    pub enum Outcome ("a mutation outcome") {
        /// The effect happened: from here the run may only go forward.
        Success = "success",
        /// The effect did not happen.
        Failure = "failure",
        /// A person skipped it.
        Skipped = "skipped",
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

text_enum! {
    /// What a person says of a mutation in doubt.
    pub enum ResolutionKind ("a verdict") {
        /// It did not happen: its events are pending again, and a new run prepares from scratch.
        DidNotHappen = "did_not_happen",
        /// It happened: `next` goes on with the result that the person gives.
        Happened = "happened",
        /// Leave it: its events are skipped, and `next` runs once.
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

/// SHA-256, hexadecimal, of a JSON value whose object keys are sorted: equal for equal values, however they were written.
#[must_use]
pub fn digest(value: &serde_json::Value) -> String {
    format!("{:x}", Sha256::digest(canonical(value).to_string()))
}

/// SHA-256, hexadecimal, of a text.
#[must_use]
pub fn digest_text(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// An effect that a consumer wants: what makes one question the same as another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationKey<'a> {
    /// The workflow.
    pub workflow: WorkflowId,
    /// The consumer.
    pub handler: &'a str,
    /// The tool, `namespace.method`.
    pub tool: &'a str,
    /// The canonical digest of the call's input.
    pub digest: &'a str,
    /// The events that it is for.
    pub events: Vec<EventId>,
}

impl OperationKey<'_> {
    /// The operation's id: the same whenever the same consumer asks the same of the same tool because of the same events, so that
    /// asking again after a doubt is asking the same question. A script can neither choose nor see it.
    #[must_use]
    pub fn operation_id(&self) -> String {
        let mut events = self.events.clone();
        events.sort_unstable();
        let mut hash = Sha256::new();
        for part in [&self.workflow.to_text(), self.handler, self.tool, self.digest] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        for event in events {
            hash.update(event.to_text());
        }
        format!("op_{}", half(hash))
    }
}

/// What the provider is given to recognise a repetition: the same for one operation until a provider has definitely refused it,
/// because some answer a refused key for ever with the refusal.
#[must_use]
pub fn idempotency_key(operation_id: &str, n_refusals: usize) -> String {
    let hash = Sha256::new().chain_update(operation_id).chain_update(n_refusals.to_le_bytes());
    format!("key_{}", half(hash))
}

/// The first half of a hash, hexadecimal: 128 bits.
fn half(hash: Sha256) -> String {
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect()
        }
        serde_json::Value::Array(items) => items.iter().map(canonical).collect(),
        scalar @ (serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)) => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::Id as _;

    #[test]
    fn the_same_question_has_the_same_operation_and_any_other_another() {
        let now = crate::Timestamp::from_micros(0);
        let ids: [EventId; 2] = [EventId::mint(now), EventId::mint(now)];
        let asked = OperationKey {
            workflow: WorkflowId::mint(now),
            handler: "append",
            tool: "Files.append",
            digest: "d",
            events: ids.to_vec(),
        };
        let [one, other] = ids;

        let again = OperationKey { events: vec![other, one], ..asked.clone() };
        let others = [
            OperationKey { events: vec![one], ..asked.clone() },
            OperationKey { digest: "e", ..asked.clone() },
            OperationKey { handler: "appendF", tool: "iles.append", ..asked.clone() },
        ];

        assert_eq!(asked.operation_id(), again.operation_id());
        assert!(others.iter().all(|it| it.operation_id() != asked.operation_id()));
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
