//! Checks that all work was finished and that no invariant was broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::database::Database;
use super::service::FakeService;
use super::time;
use super::workers::Workers;

/// How long nothing may change before the load counts as stuck. Far longer than any lease or delay in the configuration.
const STUCK_AFTER: Duration = Duration::from_secs(180);

/// How often the database is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How far the load has come: events, events consumed, open runs, effects in doubt, stopped workflows.
const PROGRESS: &str = "SELECT
    (SELECT count(*) FROM events),
    (SELECT count(*) FROM events WHERE status = 'consumed'),
    (SELECT count(*) FROM handler_runs WHERE status IN ('queued', 'active')),
    (SELECT count(*) FROM mutations WHERE status NOT IN ('applied', 'failed')),
    (SELECT count(*) FROM workflows w WHERE (error IS NOT NULL OR maintenance OR contradicted_mutation_id IS NOT NULL) AND NOT EXISTS
        (SELECT FROM mutations m WHERE m.workflow_id = w.id AND m.status = 'needs_reconcile'))";

/// The first workflows that are not done, for the error message.
const STALLED_WORKFLOWS: &str =
    "SELECT w.name, w.error, w.maintenance, s.error, w.due_at, r.status, r.phase, m.status, m.error
    FROM workflows w
    LEFT JOIN handler_runs s ON s.id = w.stopped_by_run_id
    LEFT JOIN handler_runs r ON r.workflow_id = w.id AND r.status IN ('queued', 'active')
    LEFT JOIN mutations m ON m.workflow_id = w.id AND m.status NOT IN ('applied', 'failed')
    WHERE w.error IS NOT NULL OR w.maintenance OR r.id IS NOT NULL OR m.id IS NOT NULL
        OR EXISTS (SELECT FROM events e WHERE e.workflow_id = w.id AND e.status <> 'consumed')
    ORDER BY (w.error IS NOT NULL OR w.maintenance) DESC
    LIMIT 5";

/// What each query counts must not exist.
const INVARIANTS: &[(&str, &str)] = &[
    (
        "runs of one workflow overlap",
        "SELECT count(*) FROM (SELECT started_at, max(ended_at) OVER (PARTITION BY workflow_id
            ORDER BY started_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
            FROM handler_runs WHERE started_at IS NOT NULL) AS runs WHERE started_at < before",
    ),
    (
        "events were consumed by a run that did not commit",
        "SELECT count(*) FROM events e JOIN handler_runs r ON r.id = e.reserved_by_run_id
            WHERE e.status = 'consumed' AND r.status <> 'committed'",
    ),
    (
        "effects are in the ledger without an answer",
        "SELECT count(*) FROM mutations WHERE status NOT IN ('applied', 'failed')",
    ),
    (
        "workflows wait for a person",
        "SELECT count(*) FROM workflows WHERE error IS NOT NULL OR maintenance OR status <> 'active'",
    ),
    (
        "late evidence contradicts the ledger",
        "SELECT count(*) FROM workflows WHERE contradicted_mutation_id IS NOT NULL",
    ),
    (
        "effects were settled by a person",
        "SELECT count(*) FROM mutations WHERE resolved_by LIKE 'user%'",
    ),
    (
        "unique indexes on the open run of a workflow are missing",
        "SELECT 1 - count(*) FROM pg_index WHERE indexrelid = 'handler_runs_open'::regclass
            AND indisunique AND indisvalid AND indpred IS NOT NULL",
    ),
];

/// What the database says of a scenario.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) events: u64,
    pub(crate) consumed: u64,
    pub(crate) runs: u64,
    pub(crate) applied: u64,
    /// Runs that were taken over from a lost worker.
    pub(crate) recovered: u64,
    /// Doubts that were settled without a person.
    pub(crate) settled: u64,
    /// How many events the consumers counted in their own state.
    pub(crate) counted: u64,
}

impl Records {
    pub(crate) fn read(database: &Database) -> anyhow::Result<Self> {
        let [events, consumed, runs, applied, recovered, settled, counted] = database.numbers(
            "SELECT
            (SELECT count(*) FROM events),
            (SELECT count(*) FROM events WHERE status = 'consumed'),
            (SELECT count(*) FROM handler_runs),
            (SELECT count(*) FROM mutations WHERE status = 'applied'),
            (SELECT count(*) FROM journal WHERE action = 'run.recovered'),
            (SELECT count(*) FROM mutations WHERE resolved_by = 'reconciliation'),
            (SELECT coalesce(sum((state::json ->> 'sent')::bigint), 0) FROM handler_state WHERE kind = 'consumer')",
        )?;
        Ok(Self { events, consumed, runs, applied, recovered, settled, counted })
    }
}

/// How many workers took runs, and the fewest and the most runs of one of them.
pub(crate) fn runs_per_worker(database: &Database) -> anyhow::Result<(usize, u64, u64)> {
    let answer = database.ask(
        "SELECT count(*) FROM handler_runs WHERE claimed_by IS NOT NULL GROUP BY claimed_by",
    )?;
    let runs_per_worker: Result<Vec<u64>, _> = answer.lines().map(str::parse).collect();
    let runs_per_worker = runs_per_worker.context("counts of runs")?;
    let (fewest, most) = (runs_per_worker.iter().min(), runs_per_worker.iter().max());
    Ok((runs_per_worker.len(), fewest.copied().unwrap_or(0), most.copied().unwrap_or(0)))
}

/// The invariants that are broken.
pub(crate) fn violations(database: &Database) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for (what, sql) in INVARIANTS {
        let [count] = database.numbers(sql)?;
        if count > 0 {
            found.push(format!("{count} {what}"));
        }
    }
    Ok(found)
}

/// Detects that the load makes no progress.
#[derive(Debug)]
pub(crate) struct StallDetector {
    seen: Vec<u64>,
    since: Instant,
}

impl StallDetector {
    pub(crate) fn new() -> Self {
        Self { seen: Vec::new(), since: time::now() }
    }

    /// Reads the progress; fails where it has not changed for too long, or where a workflow waits for a person.
    pub(crate) fn check(&mut self, database: &Database) -> anyhow::Result<[u64; 4]> {
        let [events, consumed, n_open, n_in_doubt, n_stopped] = database.numbers(PROGRESS)?;
        let progress = [events, consumed, n_open, n_in_doubt];
        if self.seen != progress {
            self.seen = progress.to_vec();
            self.since = time::now();
        }
        if n_stopped > 0 || self.since.elapsed() > STUCK_AFTER {
            let waiting = database.ask(STALLED_WORKFLOWS)?;
            bail!(
                "no progress, or {n_stopped} workflows wait for a person; {progress:?}:\n{waiting}"
            );
        }
        Ok(progress)
    }
}

/// Waits until every requested event is consumed and nothing is open. Returns the workers that exited by themselves.
pub(crate) fn converge(
    database: &Database,
    service: &FakeService,
    workers: &mut Workers,
) -> anyhow::Result<Vec<String>> {
    let mut stalls = StallDetector::new();
    let mut ended = Vec::new();
    loop {
        ended.extend(workers.restart_exited()?);
        let [events, consumed, n_open, n_in_doubt] = stalls.check(database)?;
        let expected = service.count().expected;
        if [events, consumed] == [expected; 2] && n_open == 0 && n_in_doubt == 0 {
            return Ok(ended);
        }
        time::pause(POLL_INTERVAL);
    }
}

/// Checks repeatedly whether a workflow has two open runs.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<OverlapSamples>>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// What the sampler found.
#[derive(Debug, Default)]
pub(crate) struct OverlapSamples {
    /// How often the database answered.
    pub(crate) checks: u64,
    /// How many workflows with two open runs were found.
    pub(crate) duplicated: u64,
}

impl Sampler {
    pub(crate) fn start(database: Database) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sql =
            "SELECT count(*) FROM (SELECT FROM handler_runs WHERE status IN ('queued', 'active')
            GROUP BY workflow_id HAVING count(*) > 1) AS duplicated";
        let thread = std::thread::spawn(move || {
            let mut samples = OverlapSamples::default();
            while !stopped.load(Ordering::SeqCst) {
                // The scenario may have stopped the database.
                if let Ok([duplicated]) = database.numbers(sql) {
                    samples.checks += 1;
                    samples.duplicated += duplicated;
                }
                time::pause(POLL_INTERVAL);
            }
            samples
        });
        Self { stop, thread: Some(thread) }
    }

    pub(crate) fn stop(mut self) -> anyhow::Result<OverlapSamples> {
        self.stop.store(true, Ordering::SeqCst);
        let ended = self.thread.take().and_then(|thread| thread.join().ok());
        ended.context("the sampler panicked")
    }
}
