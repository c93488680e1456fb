//! What a run of many histories really exercised.

use std::collections::BTreeMap;

/// How often each kind of fault and of answer occurred.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(crate) const EMPTY: Self = Self(BTreeMap::new());

    pub(crate) fn count(&mut self, kind: impl Into<String>) {
        *self.0.entry(kind.into()).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// Those of `kinds` that never occurred.
    pub(crate) fn missing<'a>(&self, kinds: &[&'a str]) -> Vec<&'a str> {
        kinds.iter().copied().filter(|kind| !self.0.contains_key(*kind)).collect()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(kind, count)| writeln!(f, "{count:>9}  {kind}"))
    }
}
