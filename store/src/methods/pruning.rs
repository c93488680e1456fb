//! How old records are removed.

use std::time::Duration;

use async_trait::async_trait;

use super::Backend;
use super::ops::prune::{BeginPruning, Prunable};
use crate::error::Result;
use crate::params::{Prune, PruneStep};
use crate::store::PruningStore;

#[async_trait]
impl PruningStore for Backend {
    async fn begin_pruning(&self, every: Duration) -> Result<bool> {
        self.write(BeginPruning { every }).await
    }

    async fn prune(&self, params: Prune) -> Result<PruneStep> {
        self.write(params).await
    }

    async fn prunable(&self, params: Prune) -> Result<PruneStep> {
        self.read(Prunable(params)).await
    }
}
