//! Removes finished and old records: a walk over each kind of them, in small steps.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_core::{RecordKind, Retention};
use windlass_store::{Prune, PruneStep, Store, StoreError};

/// How often old records are removed, by all workers together and by each of them.
pub(crate) const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How many records one transaction examines.
const STEP: u32 = 200;

/// How many records of each kind.
pub type RecordCounts = BTreeMap<RecordKind, u64>;

/// Removes finished and old records, and returns how many of each kind.
///
/// # Errors
/// Any error of the store. What was removed by then stays removed.
pub async fn prune(store: &dyn Store, retention: &Retention) -> Result<RecordCounts, StoreError> {
    let mut walk = Walk::new(retention);
    while let Some(step) = walk.next_step() {
        walk.advance(store.prune(step).await?);
    }
    Ok(walk.counts)
}

/// Counts how many records of each kind [`prune`] would remove.
///
/// # Errors
/// Any error of the store.
pub async fn prunable(
    store: &dyn Store,
    retention: &Retention,
) -> Result<RecordCounts, StoreError> {
    let mut walk = Walk::new(retention);
    while let Some(step) = walk.next_step() {
        walk.advance(store.prunable(step).await?);
    }
    Ok(walk.counts)
}

/// Whether there is anything to remove. It writes nothing.
async fn has_old(store: &dyn Store, retention: &Retention) -> Result<bool, StoreError> {
    let mut walk = Walk::new(retention);
    while let Some(step) = walk.next_step() {
        walk.advance(store.prunable(step).await?);
        if walk.counts.values().any(|count| *count > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A walk through all kinds of records, one after the other, and what it has counted.
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

    /// Continues after a step, with the same kind or with the next one.
    fn advance(&mut self, pruned: PruneStep) {
        let Some(step) = self.step.take() else { return };
        *self.counts.entry(step.kind).or_default() += pruned.count;
        let next_kind = || RecordKind::ALL.iter().copied().find(|kind| *kind > step.kind);
        self.step = match pruned.next {
            Some(next) => Some(Prune { after: Some(next), ..step }),
            None => next_kind().map(|kind| Prune { kind, after: None, ..step }),
        };
    }
}

/// Removes finished and old records, unless another worker did within the hour. Nothing else depends on it: an error is logged, and
/// the next hour tries again.
pub(crate) async fn prune_if_due(store: &dyn Store, retention: &Retention) {
    match try_prune(store, retention).await {
        Ok(counts) if counts.values().all(|count| *count == 0) => {}
        Ok(counts) => tracing::info!(?counts, "removed old records"),
        Err(error) => tracing::warn!(%error, "could not remove old records"),
    }
}

async fn try_prune(store: &dyn Store, retention: &Retention) -> Result<RecordCounts, StoreError> {
    if !has_old(store, retention).await? || !store.begin_pruning(INTERVAL).await? {
        return Ok(RecordCounts::new());
    }
    prune(store, retention).await
}
