//! The leases of the runs that this worker holds.
//!
//! A lease is renewed with the worker's heartbeat, at a third of its length or every 15 s. A run whose renewal is refused was
//! taken over, or has just ended and the answer is still on its way: from then on it has no effect any more, and where it is
//! still held at the next beat, it is given up. Where the store does not answer at all, every run is given up before its lease
//! could have ended, for from then on others may take it: local time decides only when to stop trusting a lease, never that one
//! is still good.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use windlass_core::RunId;
use windlass_store::{Claim, LeaseRenewal, StoreError};

use crate::moment::Moment;

/// The runs that this worker holds.
#[derive(Debug, Default)]
pub(crate) struct Held {
    runs: Mutex<HashMap<RunId, HeldRun>>,
}

#[derive(Debug)]
struct HeldRun {
    claim: Claim,
    /// Before it was claimed, or last renewed.
    leased_after: Moment,
    lease: Duration,
    /// Whether a beat did not find it, which no later one can undo.
    is_refused: bool,
    give_up: CancellationToken,
}

impl HeldRun {
    /// Whether it will certainly still be this worker's after that time, should nobody renew it.
    fn is_trusted_for(&self, time: Duration) -> bool {
        self.leased_after.elapsed() + time < trusted(self.lease)
    }
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
    /// Holds a run that was claimed after `leased_after`, for `lease` from then.
    pub(crate) fn hold(
        self: &Arc<Self>,
        claim: Claim,
        leased_after: Moment,
        lease: Duration,
    ) -> Hold {
        let give_up = CancellationToken::new();
        let run =
            HeldRun { claim, leased_after, lease, is_refused: false, give_up: give_up.clone() };
        self.lock().insert(claim.run, run);
        Hold { held: Arc::clone(self), run: claim.run, give_up }
    }

    /// Whether the run is certainly still this worker's. Time may have passed unnoticed: the process may have been frozen, or the
    /// machine suspended.
    pub(crate) fn trusts(&self, claim: Claim) -> bool {
        let is_trusted = |run: &HeldRun| {
            let is_kept = !run.is_refused && !run.give_up.is_cancelled();
            run.claim == claim && is_kept && run.is_trusted_for(Duration::ZERO)
        };
        self.lock().get(&claim.run).is_some_and(is_trusted)
    }

    /// Beats for ever, and renews with each beat what is held. `beat` says to the store that this worker lives and holds these
    /// claims, and answers with those that it still holds.
    pub(crate) async fn keep_beating<A>(
        &self,
        beat: impl Fn(Vec<Claim>) -> A,
        lease: Duration,
    ) -> Infallible
    where
        A: Future<Output = Result<LeaseRenewal, StoreError>>,
    {
        let every = every(lease);
        loop {
            self.beat_once(&beat, lease, every).await;
            tokio::time::sleep(every).await;
        }
    }

    async fn beat_once<A>(&self, beat: impl Fn(Vec<Claim>) -> A, lease: Duration, every: Duration)
    where
        A: Future<Output = Result<LeaseRenewal, StoreError>>,
    {
        let claims: Vec<Claim> = self.lock().values().map(|run| run.claim).collect();
        let asked_at = Moment::now();
        let answer = tokio::time::timeout(lease / 4, beat(claims.clone())).await;
        let mut runs = self.lock();
        match answer {
            Ok(Ok(held)) => {
                for claim in claims {
                    let Some(run) = runs.get_mut(&claim.run).filter(|run| run.claim == claim)
                    else {
                        continue;
                    };
                    if held.renewed.contains(&claim.run) {
                        run.leased_after = asked_at;
                    } else if !held.busy.contains(&claim.run) {
                        // A commit that was answered by now would have dropped the hold.
                        if run.is_refused {
                            run.give_up.cancel();
                        }
                        run.is_refused = true;
                    }
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "could not say that this worker lives: its leases are not renewed");
            }
            Err(_elapsed) => tracing::warn!(
                "the store does not answer: the leases of this worker's runs are not renewed"
            ),
        }
        // What would not be trusted by the next try is given up now.
        for run in runs.values().filter(|run| !run.is_trusted_for(every)) {
            run.give_up.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, HeldRun>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a worker says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A third of the lease, so that two lost beats are survived, and no seldomer than a worker has to be heard of.
pub(crate) fn every(lease: Duration) -> Duration {
    HEARTBEAT.min(lease / 3)
}

/// How much of a lease this worker trusts, counted from before it asked: the rest is for clocks that run unevenly.
const fn trusted(lease: Duration) -> Duration {
    match lease.checked_div(10) {
        Some(tenth) => lease.saturating_sub(tenth),
        None => lease,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;
    use windlass_core::{Id, Timestamp, WorkflowId, WorkspaceId};

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn claim(run: RunId) -> Claim {
        let at = Timestamp::from_micros(0);
        Claim { workspace: WorkspaceId::mint(at), workflow: WorkflowId::mint(at), run, fence: 1 }
    }

    /// Holds runs under leases that began now, and renews them by `beat`.
    fn hold<const N: usize, A>(
        beat: impl Fn(Vec<Claim>) -> A + Send + Sync + 'static,
    ) -> ([Hold; N], Instant)
    where
        A: Future<Output = Result<LeaseRenewal, StoreError>> + Send,
    {
        let (held, began) = (Arc::new(Held::default()), Instant::now());
        let runs: Vec<RunId> =
            (0..N as i64).map(|at| RunId::mint(Timestamp::from_micros(at))).collect();
        let holds = std::array::from_fn(|i| held.hold(claim(runs[i]), Moment::now(), LEASE));
        tokio::spawn(async move { held.keep_beating(beat, LEASE).await });
        (holds, began)
    }

    /// How long after `began` the run is given up; none where it is still held after many leases.
    async fn given_up_after(hold: &Hold, began: Instant) -> Option<Duration> {
        let given_up = tokio::time::timeout(LEASE * 20, hold.give_up.cancelled()).await;
        given_up.ok().map(|()| began.elapsed())
    }

    fn renewed(claims: &[Claim]) -> LeaseRenewal {
        let renewed = claims.iter().map(|claim| claim.run).collect();
        LeaseRenewal { renewed, busy: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_before_it_ends_as_long_as_the_run_is_held() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let ([hold], began) = hold(move |claims| {
            if !claims.is_empty() {
                heard.lock().unwrap().push(Instant::now());
            }
            std::future::ready(Ok(renewed(&claims)))
        });

        assert_eq!(given_up_after(&hold, began).await, None);
        drop(hold);
        let asked_while_held = asked.lock().unwrap().clone();
        tokio::time::sleep(LEASE * 10).await;

        let mut trusted_from = began;
        for at in &asked_while_held {
            assert!(*at < trusted_from + trusted(LEASE), "{:?}", *at - trusted_from);
            trusted_from = *at;
        }
        assert!(asked_while_held.len() >= 20, "{}", asked_while_held.len());
        assert_eq!(*asked.lock().unwrap(), asked_while_held, "what is not held is not renewed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_somebody_keeps_locked_is_kept_until_its_lease_nearly_ends() {
        let ([hold], began) = hold(|claims| {
            let LeaseRenewal { renewed, .. } = renewed(&claims);
            std::future::ready(Ok(LeaseRenewal { renewed: Vec::new(), busy: renewed }))
        });

        let after = given_up_after(&hold, began).await.unwrap();

        assert!(after > LEASE / 3 && after < LEASE, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_that_holds_nothing_is_heard_of_every_fifteen_seconds() {
        let beats = Arc::new(Mutex::new(0));
        let heard = Arc::clone(&beats);
        let ([], _began) = hold(move |_| {
            *heard.lock().unwrap() += 1;
            std::future::ready(Ok(LeaseRenewal::default()))
        });

        tokio::time::sleep(HEARTBEAT * 10 - Duration::from_secs(1)).await;

        assert_eq!(*beats.lock().unwrap(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_given_up_before_its_lease_ends_when_renewals_fail() {
        let ([hold], began) = hold(|_| std::future::ready(Err(StoreError::DiskFull)));

        let after = given_up_after(&hold, began).await.unwrap();

        assert!(
            after > LEASE / 3 && after < LEASE,
            "{after:?}: not at the first failure, and in time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_given_up_before_its_lease_ends_when_the_store_does_not_answer() {
        let ([hold], began) = hold(|_| pending());

        let after = given_up_after(&hold, began).await.unwrap();

        assert!(after > LEASE / 3 && after < LEASE, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_trusted_while_it_is_held_and_its_lease_has_not_nearly_ended() {
        let held = Arc::new(Held::default());
        let claim = claim(RunId::mint(Timestamp::from_micros(0)));
        let hold = held.hold(claim, Moment::now(), LEASE);

        assert!(held.trusts(claim));
        assert!(!held.trusts(Claim { fence: 2, ..claim }));
        tokio::time::advance(trusted(LEASE)).await;
        assert!(!held.trusts(claim), "nobody renewed it");
        drop(hold);

        let hold = held.hold(claim, Moment::now(), LEASE);
        hold.give_up.cancel();
        assert!(!held.trusts(claim), "it is given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_whose_lease_ended_while_the_machine_was_suspended_is_not_trusted() {
        let held = Arc::new(Held::default());
        let claim = claim(RunId::mint(Timestamp::from_micros(0)));
        let before_it_slept = Moment::now().then_suspended_for(LEASE);

        let _hold = held.hold(claim, before_it_slept, LEASE);

        assert!(!held.trusts(claim), "others may have it by now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_is_made_up_for_by_the_next() {
        let tries = Mutex::new(0);
        let ([hold], began) = hold(move |claims| {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            let answer =
                if *tries % 2 == 1 { Err(StoreError::DiskFull) } else { Ok(renewed(&claims)) };
            std::future::ready(answer)
        });

        assert_eq!(given_up_after(&hold, began).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_whose_renewal_is_refused_twice_is_given_up_and_no_other() {
        let ([kept, lost], began) = hold(|claims| {
            std::future::ready(Ok(renewed(
                &claims.into_iter().min_by_key(|claim| claim.run).into_iter().collect::<Vec<_>>(),
            )))
        });
        tokio::task::yield_now().await;
        let trusts = |hold: &Hold| {
            let claim = hold.held.lock()[&hold.run].claim;
            hold.held.trusts(claim)
        };

        assert!(
            !lost.give_up.is_cancelled(),
            "it may have ended, and its worker not know of it yet"
        );
        assert!(trusts(&kept) && !trusts(&lost), "and has no effect from the first beat on");

        assert_eq!(given_up_after(&lost, began).await, Some(HEARTBEAT));
        assert_eq!(given_up_after(&kept, began).await, None);
    }
}
