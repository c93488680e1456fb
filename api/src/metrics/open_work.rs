//! What is open in the store, read when somebody asks.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{describe_gauge, gauge, with_local_recorder};
use tokio::time::Instant;
use windlass_core::Timestamp;
use windlass_store::{OpenWork, Result, SharedStore, Worker};

use crate::service::Badge;

const RUNS: &str = "windlass_runs";
const OLDEST_QUEUED: &str = "windlass_oldest_queued_timestamp_seconds";
const IN_DOUBT: &str = "windlass_mutations_in_doubt";
const OLDEST_QUESTION: &str = "windlass_oldest_question_timestamp_seconds";
const PARKED: &str = "windlass_events_parked";
const WORKFLOWS: &str = "windlass_workflows";
const APPROVALS: &str = "windlass_approvals_waiting";
const HEARTBEAT: &str = "windlass_worker_heartbeat_timestamp_seconds";
const SLOTS: &str = "windlass_worker_slots";

/// How long what was read is good.
pub(super) const KEPT: Duration = Duration::from_secs(5);

/// What is open in the store, as text.
#[derive(Debug)]
pub(super) struct OpenWorkText {
    pub(super) text: String,
    read_at: Instant,
}

impl OpenWorkText {
    pub(super) async fn read(store: &SharedStore) -> Result<Self> {
        let read_at = Instant::now();
        let (work, workers) = (store.open_work().await?, store.workers(None).await?);
        // A new one each time, so that nothing is told of a worker that is gone.
        let recorder = super::recorder();
        with_local_recorder(&recorder, || {
            describe();
            set_work(&work);
            set_workers(&workers);
        });
        Ok(Self { text: recorder.handle().render(), read_at })
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.read_at.elapsed() < KEPT
    }
}

fn set_work(work: &OpenWork) {
    set(RUNS, ("status", "queued"), work.queued);
    set(RUNS, ("status", "active"), work.active);
    gauge!(IN_DOUBT).set(amount(work.in_doubt));
    gauge!(PARKED).set(amount(work.parked));
    gauge!(APPROVALS).set(amount(work.approvals));
    for badge in Badge::ALL {
        let has_badge = |marks: &&_| Badge::of(marks) == badge;
        let n = work.workflows.iter().filter(has_badge).count();
        set(WORKFLOWS, ("badge", badge.as_str()), u64::try_from(n).unwrap_or(u64::MAX));
    }
    let oldest =
        [(OLDEST_QUEUED, work.oldest_queued_at), (OLDEST_QUESTION, work.oldest_question_at)];
    for (name, at) in oldest {
        // Where nothing waits, there is no oldest.
        if let Some(at) = at {
            gauge!(name).set(seconds(at));
        }
    }
}

fn set_workers(workers: &[Worker]) {
    // By machines, since ids and processes change with each start. The one that was silent longest counts.
    let mut heard_of: BTreeMap<&str, Timestamp> = BTreeMap::new();
    for worker in workers {
        let heard_at = heard_of.entry(&worker.host).or_insert(worker.last_heartbeat_at);
        *heard_at = worker.last_heartbeat_at.min(*heard_at);
    }
    for (host, at) in heard_of {
        gauge!(HEARTBEAT, "worker" => host.to_owned()).set(seconds(at));
    }
    let running = workers.iter().map(|worker| u64::from(worker.running)).sum();
    let slots: u64 = workers.iter().map(|worker| u64::from(worker.slots)).sum();
    set(SLOTS, ("state", "busy"), running);
    set(SLOTS, ("state", "free"), slots.saturating_sub(running));
}

fn set(name: &'static str, (label, value): (&'static str, &'static str), n: u64) {
    gauge!(name, label => value).set(amount(n));
}

/// Prometheus counts in floating point.
const fn amount(n: u64) -> f64 {
    n as f64
}

const fn seconds(at: Timestamp) -> f64 {
    at.as_micros() as f64 / 1e6
}

fn describe() {
    describe_gauge!(RUNS, "Runs that wait for a worker, and runs that workers have.");
    describe_gauge!(OLDEST_QUEUED, "When the run was enqueued that waits longest for a worker.");
    describe_gauge!(IN_DOUBT, "Effects of which nobody knows whether they happened.");
    describe_gauge!(OLDEST_QUESTION, "Since when the oldest question to a person waits.");
    describe_gauge!(PARKED, "Events that were taken out of the queue because their runs failed.");
    describe_gauge!(WORKFLOWS, "Workflows that are not archived.");
    describe_gauge!(APPROVALS, "Approvals that people have not answered.");
    describe_gauge!(HEARTBEAT, "When the worker of a machine was heard of that is silent longest.");
    describe_gauge!(SLOTS, "How many runs workers drive, and how many more they could.");
}
