//! What is under way, and what waits for its turn: for a worker, or for others that a limit counts with it.

use std::time::Duration;

use windlass_core::{Status, Timestamp};
use windlass_store::{Limit, Run};

use super::{Badge, Look, Standing};
use crate::invocation::quoted;

/// How long something may be due before it is likely that no worker is there to do it.
const WORKER_ANSWERS_WITHIN: Duration = Duration::from_secs(15);

impl Look<'_> {
    pub(super) fn running(&self) -> Option<Standing> {
        let run = self.overview.open_run.as_ref()?;
        if run.status == Status::Active {
            let why = format!("{} `{}` is in phase {}", run.kind, run.handler, run.phase);
            let since = run.started_at.map(|at| self.when(at));
            return Some(
                Standing::new(Badge::Running, why)
                    .fact("run", run.id.to_string())
                    .fact_if("worker", run.claimed_by.clone())
                    .fact_if("since", since),
            );
        }
        self.held_up(run).or_else(|| {
            let what = format!("{} `{}` waits for a worker", run.kind, run.handler);
            Some(self.due(run.created_at, what))
        })
    }

    /// A run that may not begin before others end, or before a window does.
    fn held_up(&self, run: &Run) -> Option<Standing> {
        let limit = self.overview.limits.iter().find(|limit| limit.is_full)?;
        let why = format!(
            "{} `{}` waits, because of the limit of `{}`",
            run.kind, run.handler, limit.key
        );
        let key = quoted(&limit.key);
        Some(
            Standing::new(Badge::Idle, why)
                .fact("limit", usage(limit))
                .fact_if("held by", holders(limit))
                .fact("waiting", format!("{} run(s), each in its turn", limit.queued))
                .fact("since", self.when(run.created_at))
                .advise_command(
                    self.echo.command(&format!("limit {key}")),
                    "shows it; `--at-once N`, `--rate N/TIME` or `--none` change it",
                )
                .advise_command(self.command("run"), "runs this one now, whatever the limit says"),
        )
    }

    /// Something should be taken by a worker about now.
    pub(super) fn due(&self, since: Timestamp, what: String) -> Standing {
        let label = self.overview.workflow.label.as_ref();
        let what = match label {
            Some(label) => format!("{what} with the label `{label}`"),
            None => what,
        };
        let is_late = self.view.now.since(since) > WORKER_ANSWERS_WITHIN;
        let why = if is_late {
            format!("{what} since {}: it seems that none is running", self.when(since))
        } else {
            what
        };
        let labels = label.map(|label| format!(" --labels {}", quoted(label)));
        Standing::new(Badge::Idle, why)
            .advise_command(
                self.echo.command(&format!("up{}", labels.unwrap_or_default())),
                "starts a worker, which keeps all workflows running",
            )
            .advise_command(self.command("run"), "runs this one once")
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

/// Who has what a limit counts.
fn holders(limit: &Limit) -> Option<String> {
    let held_by: Vec<_> = limit.held_by.iter().map(ToString::to_string).collect();
    (!held_by.is_empty()).then(|| held_by.join(", "))
}
