//! How many runs a worker executes at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// The slots of a worker: one for each run that it executes. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct RunSlots {
    permits: Arc<Semaphore>,
    closing: CancellationToken,
}

impl RunSlots {
    /// So many slots.
    pub(crate) fn new(slots: u32) -> Self {
        let slots = usize::try_from(slots).unwrap_or(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(slots)), closing: CancellationToken::new() }
    }

    /// How many are free.
    pub(crate) fn free(&self) -> u32 {
        u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX)
    }

    /// Takes a slot, if one is free.
    pub(crate) fn try_take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// From now on no follow-up run may begin.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    /// Waits for [`close`](Self::close).
    pub(crate) async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Whether a worker may continue with the workflow's next run in the same slot. It may while other slots are free, because then
    /// no other workflow waits for this one.
    pub(crate) fn may_follow_up(&self) -> bool {
        self.free() > 0 && !self.closing.is_cancelled()
    }
}
