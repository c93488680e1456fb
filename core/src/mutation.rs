//! The mutation ledger's states: what is known of an outside effect.

use sha2::{Digest, Sha256};

use crate::text::text_enum;

text_enum! {
    /// What is known of a mutation. Applied and failed are final.
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
    }
}

impl MutationStatus {
    /// Whether `self → next` may happen.
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        match self {
            Self::InFlight => !matches!(next, Self::InFlight),
            Self::NeedsReconcile => !matches!(next, Self::InFlight),
            Self::Indeterminate => {
                matches!(next, Self::Applied | Self::Failed | Self::NeedsReconcile)
            }
            Self::Applied | Self::Failed => false,
        }
    }

    /// Whether nobody knows yet whether the effect happened.
    #[must_use]
    pub const fn is_uncertain(self) -> bool {
        !matches!(self, Self::Applied | Self::Failed)
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
        /// A person skipped it.
        UserSkip = "user_skip",
        /// The tool looked it up.
        Reconciliation = "reconciliation",
    }
}

text_enum! {
    /// What a person says of a mutation in doubt.
    pub enum Verdict ("a verdict") {
        /// It did not happen: its events are pending again, and a new run prepares from scratch.
        DidNotHappen = "did_not_happen",
        /// Leave it: its events are skipped, and `next` runs once.
        Skip = "skip",
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

    #[test]
    fn the_digest_does_not_depend_on_the_order_of_keys() {
        let one = json!({"a": 1, "b": [{"x": 1, "y": 2}]});
        let other = json!({"b": [{"y": 2, "x": 1}], "a": 1});

        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&json!({"a": 1, "b": [{"x": 2, "y": 1}]})));
    }
}
