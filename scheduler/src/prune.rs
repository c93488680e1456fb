//! Removing what is over and old: a walk over each kind of records, in small steps.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_core::{RecordKind, Retention};
use windlass_store::{Inspect, Prune, Pruned, Store, StoreError};

use crate::drive::Driver;

/// How often old records are looked for, by all workers together and by each of them.
pub(crate) const EVERY: Duration = Duration::from_secs(60 * 60);

/// How many records are looked at in one transaction.
const STEP: u32 = 200;

/// How many records of each kind.
pub type RecordCounts = BTreeMap<RecordKind, u64>;

/// Removes what is over and old; returns how much of each kind.
///
/// # Errors
/// Whatever the store says; what was removed by then stays removed.
pub async fn prune(store: &dyn Store, retention: &Retention) -> Result<RecordCounts, StoreError> {
    let mut walk = Walk::new(retention);
    while let Some(step) = walk.next_step() {
        walk.took(store.prune(step).await?);
    }
    Ok(walk.counts)
}

/// Tells how much of each kind [`prune`] would remove.
///
/// # Errors
/// Whatever the store says.
pub async fn prunable(
    store: &dyn Inspect,
    retention: &Retention,
) -> Result<RecordCounts, StoreError> {
    let mut walk = Walk::new(retention);
    while let Some(step) = walk.next_step() {
        walk.took(store.prunable(step).await?);
    }
    Ok(walk.counts)
}

/// Whether there is anything to remove; nothing is written to know it.
async fn has_old(store: &dyn Inspect, retention: &Retention) -> Result<bool, StoreError> {
    let mut walk = Walk::new(retention);
    while let Some(step) = walk.next_step() {
        walk.took(store.prunable(step).await?);
        if walk.counts.values().any(|count| *count > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The way through all kinds of records, one after the other, and what was found on it.
struct Walk {
    step: Option<Prune>,
    counts: RecordCounts,
}

impl Walk {
    fn new(retention: &Retention) -> Self {
        let retention = retention.clone();
        let first = Prune { kind: RecordKind::Events, retention, after: None, limit: STEP };
        Self { step: Some(first), counts: RecordCounts::new() }
    }

    fn next_step(&self) -> Option<Prune> {
        self.step.clone()
    }

    /// Goes on after a step: further down the same kind, or to the beginning of the next one.
    fn took(&mut self, pruned: Pruned) {
        let Some(step) = self.step.take() else { return };
        *self.counts.entry(step.kind).or_default() += pruned.count;
        let next_kind = || RecordKind::ALL.iter().copied().find(|kind| *kind > step.kind);
        self.step = match pruned.next {
            Some(next) => Some(Prune { after: Some(next), ..step }),
            None => next_kind().map(|kind| Prune { kind, after: None, ..step }),
        };
    }
}

impl Driver {
    /// Removes what is over and old, unless another worker did within the hour. Nothing else depends on it: an error is told, and
    /// the next hour tries again.
    pub(crate) async fn prune(&self) {
        let removed = tokio::select! {
            () = self.stopping.cancelled() => return,
            removed = self.try_prune() => removed,
        };
        match removed {
            Ok(counts) if counts.values().all(|count| *count == 0) => {}
            Ok(counts) => tracing::info!(?counts, "removed old records"),
            Err(error) => tracing::warn!(%error, "could not remove old records"),
        }
    }

    async fn try_prune(&self) -> Result<RecordCounts, StoreError> {
        let retention = &self.policy.retention;
        if !has_old(&*self.store, retention).await? || !self.store.begin_pruning(EVERY).await? {
            return Ok(RecordCounts::new());
        }
        prune(&*self.store, retention).await
    }
}
