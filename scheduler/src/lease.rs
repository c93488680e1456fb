//! The leases of the runs that this worker holds.
//!
//! A lease is renewed at a third of its length. A run whose renewal is refused was taken over, and is given up at once. Where
//! the store does not answer at all, every run is given up before its lease could have ended, for from then on others may take
//! it: local time decides only when to stop trusting a lease, never that one is still good.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windlass_core::RunId;
use windlass_store::{Claim, RenewLeases, SharedStore};

/// The runs that this worker holds.
#[derive(Debug, Default)]
pub(crate) struct Held {
    runs: Mutex<HashMap<RunId, HeldRun>>,
    /// Rings when there is a first run to renew.
    first: Notify,
}

#[derive(Debug)]
struct HeldRun {
    claim: Claim,
    trusted_until: Instant,
    give_up: CancellationToken,
}

/// A run is held as long as this lives.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Arc<Held>,
    run: RunId,
    /// Cancelled when the run has to be given up.
    pub(crate) give_up: CancellationToken,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.lock().remove(&self.run);
    }
}

impl Held {
    /// Holds a run that was claimed after `claimed_after`, for `lease` from then.
    pub(crate) fn hold(
        self: &Arc<Self>,
        claim: Claim,
        claimed_after: Instant,
        lease: Duration,
    ) -> Hold {
        let give_up = CancellationToken::new();
        let run = HeldRun {
            claim,
            trusted_until: claimed_after + trusted(lease),
            give_up: give_up.clone(),
        };
        self.lock().insert(claim.run, run);
        self.first.notify_one();
        Hold { held: Arc::clone(self), run: claim.run, give_up }
    }

    /// Renews for ever; sleeps while nothing is held.
    pub(crate) async fn keep_renewing(&self, store: &SharedStore, lease: Duration) -> Infallible {
        loop {
            let rung = self.first.notified();
            if self.lock().is_empty() {
                rung.await;
            }
            tokio::time::sleep(lease / 3).await;
            self.renew_once(store, lease).await;
        }
    }

    async fn renew_once(&self, store: &SharedStore, lease: Duration) {
        let claims: Vec<Claim> = self.lock().values().map(|run| run.claim).collect();
        if claims.is_empty() {
            return;
        }
        let asked_at = Instant::now();
        let params = RenewLeases { claims: claims.clone(), lease };
        let answer = tokio::time::timeout(lease / 4, store.renew_leases(params)).await;
        let mut runs = self.lock();
        match answer {
            Ok(Ok(renewed)) => {
                for claim in claims {
                    let Some(run) = runs.get_mut(&claim.run).filter(|run| run.claim == claim)
                    else {
                        continue;
                    };
                    if renewed.contains(&claim.run) {
                        run.trusted_until = asked_at + trusted(lease);
                    } else {
                        run.give_up.cancel();
                    }
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "could not renew the leases of this worker's runs");
            }
            Err(_elapsed) => tracing::warn!(
                "the store does not answer: the leases of this worker's runs are not renewed"
            ),
        }
        // The next try is a third of a lease away: what would not be trusted by then is given up now.
        let next_try = Instant::now() + lease / 3;
        for run in runs.values().filter(|run| run.trusted_until < next_try) {
            run.give_up.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, HeldRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much of a lease this worker trusts, counted from before it asked: the rest is for clocks that run unevenly.
const fn trusted(lease: Duration) -> Duration {
    match lease.checked_div(10) {
        Some(tenth) => lease.saturating_sub(tenth),
        None => lease,
    }
}
