//! Recovering the runs of lost workers.

use windlass_core::WorkerId;
use windlass_store::{EndedLeases, RecoverRuns, RecoveredRun, Store, StoreError};

/// How many runs are recovered in one transaction.
const BATCH: u32 = 100;

/// Recovers the runs of `lost_workers` and those whose leases have ended, and returns how many there were. An effect that is in doubt
/// because of it is due to be looked up at once, or a person is asked.
pub(crate) async fn recover(
    store: &dyn Store,
    lost_workers: &[WorkerId],
    ended_leases: &EndedLeases,
) -> Result<usize, StoreError> {
    let mut n_recovered = 0;
    loop {
        let params = RecoverRuns {
            lost_workers: lost_workers.to_vec(),
            ended_leases: ended_leases.clone(),
            limit: BATCH,
        };
        let recovered = store.recover_runs(params).await?;
        for RecoveredRun { run, workflow_name, handler, status } in &recovered {
            tracing::warn!(workflow = %workflow_name, %handler, %run, %status, "recovered a run of a lost worker");
        }
        n_recovered += recovered.len();
        if recovered.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return Ok(n_recovered);
        }
    }
}
