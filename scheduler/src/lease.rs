//! The leases of the runs that this worker executes.
//!
//! The worker renews its leases with each heartbeat, at a third of their length or every 15 s. If the store refuses to renew a lease,
//! another worker has taken the run over, or the run has just ended and the answer is still under way. From then on the run makes no
//! more effects, and if it is still here at the next heartbeat, it is given up. If the store does not answer at all, each run is
//! given up before its lease could have ended, because from then on other workers may take it. Local time decides only when a
//! lease is no longer safe, never that it still holds.
//!
//! A run may also be taken away on purpose: somebody cancelled its plan. So that its call ends soon, the claims of runs that take long
//! are compared with the store every second.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use windlass_core::RunId;
use windlass_store::{Claim, LeaseRenewal, StoreError};

use crate::boot_instant::BootInstant;
use crate::clock_watch::ClockWatch;

/// The leases of a worker.
#[derive(Debug, Default)]
pub(crate) struct LeaseTable {
    leases: Mutex<HashMap<RunId, Lease>>,
    /// A lease was added.
    added: Notify,
}

#[derive(Debug)]
struct Lease {
    claim: Claim,
    /// When it was added.
    added_at: BootInstant,
    /// An instant before the claim or the last renewal.
    began_after: BootInstant,
    length: Duration,
    /// Whether the store has refused to renew it. That is final.
    is_refused: bool,
    lost: CancellationToken,
}

impl Lease {
    /// Whether the run is certainly still this worker's after `time` without a renewal.
    fn is_safe_for(&self, time: Duration) -> bool {
        self.began_after.elapsed() + time < safe_part(self.length)
    }

    /// The store does not have the claim any more. The first time the run may just have ended, and the answer be under way. The second
    /// time its lease would have been removed.
    fn refuse(&mut self) {
        if self.is_refused {
            self.lost.cancel();
        }
        self.is_refused = true;
    }
}

/// Keeps a lease in the table until it is dropped.
#[derive(Debug)]
pub(crate) struct LeaseGuard {
    table: Arc<LeaseTable>,
    run: RunId,
    /// Cancelled when the run has to be given up.
    pub(crate) lost: CancellationToken,
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.table.lock().remove(&self.run);
    }
}

impl LeaseTable {
    /// Adds the lease of a run that was claimed after `began_after`. It lasts for `length` from then.
    pub(crate) fn add(
        self: &Arc<Self>,
        claim: Claim,
        began_after: BootInstant,
        length: Duration,
    ) -> LeaseGuard {
        let lost = CancellationToken::new();
        let (added_at, is_refused) = (BootInstant::now(), false);
        let lease = Lease { claim, added_at, began_after, length, is_refused, lost: lost.clone() };
        self.lock().insert(claim.run, lease);
        self.added.notify_one();
        LeaseGuard { table: Arc::clone(self), run: claim.run, lost }
    }

    /// Whether the run is certainly still this worker's. Time may have passed unnoticed: the process may have been frozen, or the
    /// machine suspended.
    pub(crate) fn is_safe(&self, claim: Claim) -> bool {
        let is_safe = |lease: &Lease| {
            let is_kept = !lease.is_refused && !lease.lost.is_cancelled();
            lease.claim == claim && is_kept && lease.is_safe_for(Duration::ZERO)
        };
        self.lock().get(&claim.run).is_some_and(is_safe)
    }

    /// The runs that this worker executes.
    pub(crate) fn runs(&self) -> Vec<RunId> {
        self.lock().keys().copied().collect()
    }

    /// Sends heartbeats for ever, and renews all leases with each. `heartbeat` tells the store that this worker lives and has these
    /// claims; the store answers which of them it renewed. If `clock` steps, the next heartbeat is sent at once.
    pub(crate) async fn send_heartbeats<A>(
        &self,
        heartbeat: impl Fn(Vec<Claim>) -> A,
        length: Duration,
        clock: &ClockWatch,
    ) -> Infallible
    where
        A: Future<Output = Result<LeaseRenewal, StoreError>>,
    {
        loop {
            self.send_heartbeat(&heartbeat, length).await;
            tokio::select! {
                () = clock.stepped() => {}
                () = tokio::time::sleep(heartbeat_interval(length)) => {}
            }
        }
    }

    async fn send_heartbeat<A>(&self, heartbeat: impl Fn(Vec<Claim>) -> A, length: Duration)
    where
        A: Future<Output = Result<LeaseRenewal, StoreError>>,
    {
        let claims: Vec<Claim> = self.lock().values().map(|lease| lease.claim).collect();
        let sent_at = BootInstant::now();
        let answer = tokio::time::timeout(length / 4, heartbeat(claims.clone())).await;
        match answer {
            Ok(Ok(renewal)) => self.renew(&claims, &renewal, sent_at),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the heartbeat of this worker failed: its leases are not renewed");
            }
            Err(_elapsed) => tracing::warn!(
                "the store does not answer: the leases of this worker's runs are not renewed"
            ),
        }
        // A lease that would not be safe until the next heartbeat is given up now.
        for lease in self.lock().values().filter(|it| !it.is_safe_for(heartbeat_interval(length))) {
            lease.lost.cancel();
        }
    }

    /// Applies the store's answer to a heartbeat that was sent at `sent_at`.
    fn renew(&self, claims: &[Claim], renewal: &LeaseRenewal, sent_at: BootInstant) {
        let mut leases = self.lock();
        for claim in claims {
            let Some(lease) = leases.get_mut(&claim.run).filter(|lease| lease.claim == *claim)
            else {
                continue;
            };
            if renewal.renewed.contains(&claim.run) {
                lease.began_after = sent_at;
            } else if !renewal.busy.contains(&claim.run) {
                lease.refuse();
            }
        }
    }

    /// Compares the claims of runs that take long with the store, for ever. `lost_claims` answers which of them it does not have any more.
    /// It does nothing while no run takes long.
    pub(crate) async fn watch_long_runs<A>(
        &self,
        lost_claims: impl Fn(Vec<Claim>) -> A,
    ) -> Infallible
    where
        A: Future<Output = Result<Vec<RunId>, StoreError>>,
    {
        loop {
            if self.lock().is_empty() {
                self.added.notified().await;
            }
            tokio::time::sleep(LONG).await;
            let long: Vec<Claim> = {
                let leases = self.lock();
                let long = leases.values().filter(|lease| lease.added_at.elapsed() >= LONG);
                long.map(|lease| lease.claim).collect()
            };
            if long.is_empty() {
                continue;
            }
            // An error is seen by the heartbeats as well, which decide what it means.
            let Ok(Ok(lost)) = tokio::time::timeout(LONG * 5, lost_claims(long.clone())).await
            else {
                continue;
            };
            let mut leases = self.lock();
            for claim in long.iter().filter(|claim| lost.contains(&claim.run)) {
                if let Some(lease) = leases.get_mut(&claim.run).filter(|it| it.claim == *claim) {
                    lease.refuse();
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Lease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a run takes that counts as long, and how often the claims of such runs are compared with the store.
const LONG: Duration = Duration::from_secs(1);

/// The longest time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The time between two heartbeats: a third of the lease, so that it survives two lost heartbeats, and not more than
/// [`HEARTBEAT`].
pub(crate) fn heartbeat_interval(lease: Duration) -> Duration {
    HEARTBEAT.min(lease / 3)
}

/// How much of a lease is safe, counted from before the request for it. The rest is a margin for clocks that run unevenly.
const fn safe_part(lease: Duration) -> Duration {
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

    /// Leases that began now, renewed by `heartbeat`.
    fn leases<const N: usize, A>(
        heartbeat: impl Fn(Vec<Claim>) -> A + Send + Sync + 'static,
    ) -> ([LeaseGuard; N], Instant)
    where
        A: Future<Output = Result<LeaseRenewal, StoreError>> + Send,
    {
        let (table, began) = (Arc::new(LeaseTable::default()), Instant::now());
        let runs: Vec<RunId> =
            (0..N as i64).map(|at| RunId::mint(Timestamp::from_micros(at))).collect();
        let guards = std::array::from_fn(|i| table.add(claim(runs[i]), BootInstant::now(), LEASE));
        tokio::spawn(async move {
            table.send_heartbeats(heartbeat, LEASE, &ClockWatch::new(LEASE)).await
        });
        (guards, began)
    }

    /// How long after `began` the run is given up; none where it is kept for many leases.
    async fn given_up_after(guard: &LeaseGuard, began: Instant) -> Option<Duration> {
        let given_up = tokio::time::timeout(LEASE * 20, guard.lost.cancelled()).await;
        given_up.ok().map(|()| began.elapsed())
    }

    fn renewed(claims: &[Claim]) -> LeaseRenewal {
        let renewed = claims.iter().map(|claim| claim.run).collect();
        LeaseRenewal { renewed, busy: Vec::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_renewed_before_it_ends_as_long_as_its_run_is_executed() {
        let renewals = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&renewals);
        let ([guard], began) = leases(move |claims| {
            if !claims.is_empty() {
                recorded.lock().unwrap().push(Instant::now());
            }
            std::future::ready(Ok(renewed(&claims)))
        });

        assert_eq!(given_up_after(&guard, began).await, None);
        drop(guard);
        let while_kept = renewals.lock().unwrap().clone();
        tokio::time::sleep(LEASE * 10).await;

        let mut safe_from = began;
        for at in &while_kept {
            assert!(*at < safe_from + safe_part(LEASE), "{:?}", *at - safe_from);
            safe_from = *at;
        }
        assert!(while_kept.len() >= 20, "{}", while_kept.len());
        assert_eq!(*renewals.lock().unwrap(), while_kept, "a removed lease is not renewed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_that_another_transaction_locks_is_kept_until_its_lease_nearly_ends() {
        let ([guard], began) = leases(|claims| {
            let LeaseRenewal { renewed, .. } = renewed(&claims);
            std::future::ready(Ok(LeaseRenewal { renewed: Vec::new(), busy: renewed }))
        });

        let after = given_up_after(&guard, began).await.unwrap();

        assert!(after > LEASE / 3 && after < LEASE, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_without_runs_sends_a_heartbeat_every_fifteen_seconds() {
        let heartbeats = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&heartbeats);
        let ([], _began) = leases(move |_| {
            *counted.lock().unwrap() += 1;
            std::future::ready(Ok(LeaseRenewal::default()))
        });

        tokio::time::sleep(HEARTBEAT * 10 - Duration::from_secs(1)).await;

        assert_eq!(*heartbeats.lock().unwrap(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_given_up_before_its_lease_ends_when_renewals_fail() {
        let ([guard], began) = leases(|_| std::future::ready(Err(StoreError::DiskFull)));

        let after = given_up_after(&guard, began).await.unwrap();

        assert!(
            after > LEASE / 3 && after < LEASE,
            "{after:?}: not at the first failure, and in time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_given_up_before_its_lease_ends_when_the_store_does_not_answer() {
        let ([guard], began) = leases(|_| pending());

        let after = given_up_after(&guard, began).await.unwrap();

        assert!(after > LEASE / 3 && after < LEASE, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_safe_until_shortly_before_its_end_or_until_it_is_given_up() {
        let table = Arc::new(LeaseTable::default());
        let claim = claim(RunId::mint(Timestamp::from_micros(0)));
        let guard = table.add(claim, BootInstant::now(), LEASE);

        assert!(table.is_safe(claim));
        assert!(!table.is_safe(Claim { fence: 2, ..claim }));
        tokio::time::advance(safe_part(LEASE)).await;
        assert!(!table.is_safe(claim), "nobody renewed it");
        drop(guard);

        let guard = table.add(claim, BootInstant::now(), LEASE);
        guard.lost.cancel();
        assert!(!table.is_safe(claim), "it is given up");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_ended_while_the_machine_was_suspended_is_not_safe() {
        let table = Arc::new(LeaseTable::default());
        let claim = claim(RunId::mint(Timestamp::from_micros(0)));
        let before_the_suspension = BootInstant::now().then_suspended_for(LEASE);

        let _guard = table.add(claim, before_the_suspension, LEASE);

        assert!(!table.is_safe(claim), "another worker may have the run by now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_survives_a_failed_renewal_if_the_next_one_succeeds() {
        let tries = Mutex::new(0);
        let ([guard], began) = leases(move |claims| {
            let mut tries = tries.lock().unwrap();
            *tries += 1;
            let answer =
                if *tries % 2 == 1 { Err(StoreError::DiskFull) } else { Ok(renewed(&claims)) };
            std::future::ready(answer)
        });

        assert_eq!(given_up_after(&guard, began).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_whose_renewal_is_refused_twice_is_given_up_and_no_other() {
        let ([kept, lost], began) = leases(|claims| {
            std::future::ready(Ok(renewed(
                &claims.into_iter().min_by_key(|claim| claim.run).into_iter().collect::<Vec<_>>(),
            )))
        });
        tokio::task::yield_now().await;
        let is_safe = |guard: &LeaseGuard| {
            let claim = guard.table.lock()[&guard.run].claim;
            guard.table.is_safe(claim)
        };

        assert!(!lost.lost.is_cancelled(), "it may have ended, and its worker not know of it yet");
        assert!(is_safe(&kept) && !is_safe(&lost), "and makes no effect from the first refusal on");

        assert_eq!(given_up_after(&lost, began).await, Some(HEARTBEAT));
        assert_eq!(given_up_after(&kept, began).await, None);
    }

    /// The claims that a watch is told to be gone; how often it asked.
    fn watched(
        table: &Arc<LeaseTable>,
        gone: impl Fn(Claim) -> bool + Send + Sync + 'static,
    ) -> Arc<Mutex<usize>> {
        let (table, asked) = (Arc::clone(table), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            let lost = |claims: Vec<Claim>| {
                *counted.lock().unwrap() += 1;
                let lost = claims.into_iter().filter(|claim| gone(*claim));
                std::future::ready(Ok(lost.map(|claim| claim.run).collect()))
            };
            table.watch_long_runs(lost).await
        });
        asked
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_run_that_was_taken_away_is_given_up_soon_and_no_other() {
        let table = Arc::new(LeaseTable::default());
        let [kept, lost] = [0, 1].map(|at| claim(RunId::mint(Timestamp::from_micros(at))));
        let guards = [kept, lost].map(|claim| table.add(claim, BootInstant::now(), LEASE));
        watched(&table, move |claim| claim == lost);

        tokio::time::timeout(LONG * 3, guards[1].lost.cancelled()).await.unwrap();

        assert!(!guards[0].lost.is_cancelled());
        assert!(table.is_safe(kept) && !table.is_safe(lost));
    }

    #[tokio::test(start_paused = true)]
    async fn the_store_is_not_asked_about_runs_that_end_soon_or_while_there_are_none() {
        let table = Arc::new(LeaseTable::default());
        let asked = watched(&table, |_| false);
        for at in 0..100 {
            let claim = claim(RunId::mint(Timestamp::from_micros(at)));
            let _guard = table.add(claim, BootInstant::now(), LEASE);
            tokio::time::sleep(LONG / 3).await;
        }

        tokio::time::sleep(LONG * 100).await;

        assert_eq!(*asked.lock().unwrap(), 0);
    }
}
