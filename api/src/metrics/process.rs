//! Counts and times what this process does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use metrics_exporter_prometheus::PrometheusRecorder;
use tokio::time::Instant;
use windlass_core::{HandlerKind, Phase, RunId, Status};
use windlass_scheduler::{Progress, ProgressStep};

const RUNS: &str = "windlass_runs_total";
const RUN_DURATION: &str = "windlass_run_duration_seconds";
const PHASE_DURATION: &str = "windlass_phase_duration_seconds";
const MUTATIONS: &str = "windlass_mutations_total";
const REQUEST_DURATION: &str = "http_server_request_duration_seconds";
const BUILD: &str = "windlass_build_info";

/// The outcome of a run that this worker does no more about.
const DROPPED: &str = "dropped";

/// How many durations are kept one by one before they are put into buckets. It bounds the memory where nobody asks for the numbers.
const UNSORTED: u32 = 1_000;

/// The numbers of this process.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    recorder: PrometheusRecorder,
    /// The runs that are under way in this process.
    under_way: Mutex<HashMap<RunId, UnderWay>>,
    /// How many durations came since some were put into buckets.
    n_unsorted: AtomicU32,
}

/// A run under way.
#[derive(Debug)]
struct UnderWay {
    begun: Instant,
    phase: Phase,
    phase_begun: Instant,
}

/// A request, and how it was answered.
#[derive(Debug)]
pub(crate) struct AnsweredRequest {
    /// The route as it is declared, never the path of the request; empty where there was none.
    pub(crate) route: String,
    /// The method.
    pub(crate) method: Method,
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// When it came.
    pub(crate) begun: Instant,
}

impl ProcessMetrics {
    pub(super) fn new() -> Self {
        let recorder = super::recorder();
        with_local_recorder(&recorder, || {
            describe();
            gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            // An increase is seen only where there was a value before.
            for kind in HandlerKind::ALL {
                let statuses = Status::ALL.iter().filter(|status| ends_a_run(**status));
                let outcomes = statuses.map(|status| status.as_str()).chain([DROPPED]);
                for outcome in outcomes {
                    counter!(RUNS, "kind" => kind.as_str(), "outcome" => outcome).absolute(0);
                }
            }
        });
        Self { recorder, under_way: Mutex::default(), n_unsorted: AtomicU32::new(0) }
    }

    pub(super) fn observe(&self, progress: &Progress) {
        match &progress.step {
            ProgressStep::Entered(phase) => self.enter(progress.run, *phase),
            ProgressStep::Mutating { tool, .. } => {
                let tool = tool.clone();
                with_local_recorder(&self.recorder, || {
                    counter!(MUTATIONS, "tool" => tool).increment(1);
                });
            }
            ProgressStep::Logged { .. } => {}
            ProgressStep::Ended { status, .. } => self.end(progress, status.as_str()),
            ProgressStep::Dropped => self.end(progress, DROPPED),
        }
    }

    fn enter(&self, run: RunId, phase: Phase) {
        let now = Instant::now();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = match under_way.remove(&run) {
            Some(before) => {
                self.time_phase(&before, now);
                before.begun
            }
            None => now,
        };
        under_way.insert(run, UnderWay { begun, phase, phase_begun: now });
    }

    fn end(&self, progress: &Progress, outcome: &'static str) {
        let now = Instant::now();
        let kind = progress.kind.as_str();
        let ended =
            self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&progress.run);
        with_local_recorder(&self.recorder, || {
            counter!(RUNS, "kind" => kind, "outcome" => outcome).increment(1);
        });
        if let Some(ended) = ended {
            self.time_phase(&ended, now);
            let took = now.duration_since(ended.begun);
            self.time(|| histogram!(RUN_DURATION, "kind" => kind).record(took));
        }
    }

    fn time_phase(&self, run: &UnderWay, now: Instant) {
        let (phase, took) = (run.phase.as_str(), now.duration_since(run.phase_begun));
        self.time(|| histogram!(PHASE_DURATION, "phase" => phase).record(took));
    }

    pub(super) fn observe_request(&self, request: AnsweredRequest) {
        let AnsweredRequest { route, method, status, begun } = request;
        let labels = [
            ("http_route", route),
            ("http_request_method", known_method(&method).to_owned()),
            ("http_response_status_code", status.as_str().to_owned()),
        ];
        self.time(|| histogram!(REQUEST_DURATION, &labels).record(begun.elapsed()));
    }

    /// Records one duration.
    fn time(&self, record: impl FnOnce()) {
        with_local_recorder(&self.recorder, record);
        if self.n_unsorted.fetch_add(1, Ordering::Relaxed) >= UNSORTED {
            self.n_unsorted.store(0, Ordering::Relaxed);
            self.recorder.handle().run_upkeep();
        }
    }

    pub(super) fn render(&self) -> String {
        self.recorder.handle().render()
    }
}

/// Whether a worker's work on a run may end with this status.
const fn ends_a_run(status: Status) -> bool {
    match status {
        Status::Queued | Status::Active | Status::Crashed => false,
        Status::PausedTransient
        | Status::PausedApproval
        | Status::PausedReconciliation
        | Status::FailedLogic
        | Status::FailedInternal
        | Status::Committed => true,
    }
}

/// The method, where it is a usual one: a caller can name any.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

fn describe() {
    describe_counter!(RUNS, "Runs that ended in this process.");
    describe_histogram!(RUN_DURATION, "How long this process drove a run.");
    describe_histogram!(PHASE_DURATION, "How long a run was in a phase.");
    describe_counter!(MUTATIONS, "Effects that this process began to make.");
    describe_histogram!(REQUEST_DURATION, "How long a request was answered.");
    describe_gauge!(BUILD, "Which version this is.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_usual_methods_are_labels() {
        assert_eq!(known_method(&Method::PATCH), "PATCH");
        assert_eq!(known_method(&Method::from_bytes(b"BREW-1234").unwrap()), "_OTHER");
    }
}
