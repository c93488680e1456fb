//! Taking over from workers that are lost.

use windlass_core::WorkerId;
use windlass_store::{RecoverRuns, StoreError};

use crate::drive::Driver;

/// How many runs are taken over in one transaction.
const BATCH: u32 = 100;

impl Driver {
    /// Takes over the runs whose lease has expired and those of `lost_workers`. An effect that is in doubt because of it is due to be
    /// looked up at once, or put before a person. Returns how many there were.
    pub(crate) async fn recover(&self, lost_workers: &[WorkerId]) -> Result<usize, StoreError> {
        let mut n_recovered = 0;
        loop {
            let params = RecoverRuns { lost_workers: lost_workers.to_vec(), limit: BATCH };
            let recovered = self.store.recover_runs(params).await?;
            for run in &recovered {
                tracing::warn!(run = %run.run, workflow = %run.workflow, status = %run.status, "recovered a run of a lost worker");
            }
            n_recovered += recovered.len();
            if recovered.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(n_recovered);
            }
        }
    }
}
