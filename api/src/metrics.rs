//! Numbers for Prometheus: what this process did, and what is open in the store.
//!
//! ```text
//! process.rs    counts and times what this process does
//! open_work.rs  what is open in the store, read when somebody asks
//! ```
//!
//! No label names a workflow, a session, a run or a person: each label has a small set of values, and none is a secret.

mod open_work;
mod process;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use tokio::sync::Mutex;
use windlass_scheduler::Progress;
use windlass_store::{Result, SharedStore};

use self::open_work::OpenWorkText;
pub(crate) use self::process::AnsweredRequest;
use self::process::ProcessMetrics;

/// The upper ends of the buckets of durations, in seconds.
const BUCKETS: [f64; 15] =
    [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The numbers of this process, and the last ones of the store.
#[derive(Debug)]
pub struct Metrics {
    process: ProcessMetrics,
    /// Locked while the store is read, so that many who ask at once read it once.
    open_work: Mutex<Option<OpenWorkText>>,
}

impl Metrics {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self { process: ProcessMetrics::new(), open_work: Mutex::default() }
    }

    /// Counts and times what an engine of this process reports.
    pub fn observe(&self, progress: &Progress) {
        self.process.observe(progress);
    }

    pub(crate) fn observe_request(&self, request: AnsweredRequest) {
        self.process.observe_request(request);
    }

    /// All numbers, in the text format of Prometheus. Those of the store are at most [`open_work::KEPT`] old.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn render(&self, store: &SharedStore) -> Result<String> {
        let mut kept = self.open_work.lock().await;
        let open_work = match kept.take().filter(OpenWorkText::is_fresh) {
            Some(fresh) => fresh,
            None => OpenWorkText::read(store).await?,
        };
        let text = self.process.render() + &kept.insert(open_work).text;
        drop(kept);
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What keeps numbers until they are written.
fn recorder() -> PrometheusRecorder {
    // Only an empty list of buckets would be refused.
    PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap_or_default().build_recorder()
}
