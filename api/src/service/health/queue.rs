//! What is running, and what waits: for a worker, or for a limit.

use std::time::Duration;

use windlass_core::{Status, Timestamp};
use windlass_store::{Limit, Run};

use super::{Badge, HealthInputs, WorkflowHealth};
use crate::service::advice::NextStep;

/// How long something may be due before it is likely that no worker is running.
const WORKER_ANSWERS_WITHIN: Duration = Duration::from_secs(15);

impl HealthInputs<'_> {
    pub(super) fn running(&self) -> Option<WorkflowHealth> {
        let run = self.overview.open_run.as_ref()?;
        if run.status == Status::Active {
            let why = format!("{} `{}` is in phase {}", run.kind, run.handler, run.phase);
            let since = run.started_at.map(|at| self.when(at));
            return Some(
                WorkflowHealth::new(Badge::Running, why)
                    .fact("run", run.id.to_string())
                    .fact_if("worker", run.claimed_by.clone())
                    .fact_if("since", since),
            );
        }
        self.waits_for_limit(run).or_else(|| {
            let what = format!("{} `{}` waits for a worker", run.kind, run.handler);
            Some(self.waits_for_worker(run.created_at, what))
        })
    }

    /// A run that may not begin before other runs end, or before the window of a rate limit does.
    fn waits_for_limit(&self, run: &Run) -> Option<WorkflowHealth> {
        let limit = self.overview.limits.iter().find(|limit| limit.is_full)?;
        let why = format!(
            "{} `{}` waits, because of the limit of `{}`",
            run.kind, run.handler, limit.key
        );
        Some(
            WorkflowHealth::new(Badge::Idle, why)
                .fact("limit", usage(limit))
                .fact_if("held by", holders(limit))
                .fact("waiting", format!("{} run(s), each in its turn", limit.queued))
                .fact("since", self.when(run.created_at))
                .advise_step(NextStep::Limit { key: limit.key.clone() }, "shows it")
                .advise_step(self.run_once(), "runs this one now, whatever the limit says"),
        )
    }

    /// Something that a worker should take about now.
    pub(super) fn waits_for_worker(&self, since: Timestamp, what: String) -> WorkflowHealth {
        let label = self.overview.workflow.label.clone();
        let what = match &label {
            Some(label) => format!("{what} with the label `{label}`"),
            None => what,
        };
        let is_late = self.times.now.since(since) > WORKER_ANSWERS_WITHIN;
        let why = if is_late {
            format!("{what} since {}: it seems that none is running", self.when(since))
        } else {
            what
        };
        WorkflowHealth::new(Badge::Idle, why)
            .advise_step(
                NextStep::StartWorker { label },
                "starts a worker, which keeps all workflows running",
            )
            .advise_step(self.run_once(), "runs this one once")
    }
}

/// How much of a limit is used.
fn usage(limit: &Limit) -> String {
    let running = limit.at_once.map(|most| format!("{} of {most} run", limit.running));
    let begun = limit.rate.zip(limit.per_s).map(|(most, seconds)| {
        format!("{} of {most} began within {seconds} s", limit.begun.unwrap_or(0))
    });
    running.into_iter().chain(begun).collect::<Vec<_>>().join(", ")
}

/// The runs that a limit counts now.
fn holders(limit: &Limit) -> Option<String> {
    let held_by: Vec<_> = limit.held_by.iter().map(ToString::to_string).collect();
    (!held_by.is_empty()).then(|| held_by.join(", "))
}
