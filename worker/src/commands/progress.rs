//! What is printed while an engine runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use windlass_api::metrics::Metrics;
use windlass_core::{HandlerKind, RunId};
use windlass_scheduler::{Observer, Progress, ProgressStep};

use crate::output::Output;

/// Prints a line for each run as it ends: what it did, or why it stopped. A consumer that found nothing to do gets no line.
pub(crate) fn observer(output: &Output) -> Observer {
    let output = output.clone();
    let effects = Mutex::new(HashMap::new());
    Arc::new(move |progress| {
        let mut effects = effects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line(&progress, &mut effects) {
            output.progress(line);
        }
    })
}

/// Counts what is reported, before it goes on to `observer`.
pub(crate) fn counted(metrics: Option<Arc<Metrics>>, observer: Observer) -> Observer {
    let Some(metrics) = metrics else { return observer };
    Arc::new(move |progress| {
        metrics.observe(&progress);
        observer(progress);
    })
}

fn line(progress: &Progress, effects: &mut HashMap<RunId, String>) -> Option<String> {
    let Progress { workflow_name, handler, step, run, kind, .. } = progress;
    let what = match step {
        ProgressStep::Entered(_) => return None,
        ProgressStep::Logged { level, message } => format!("{level}: {message}"),
        ProgressStep::Mutating { tool, title } => {
            let title = if title.is_empty() { String::new() } else { format!(": {title}") };
            effects.insert(*run, format!("{tool}{title}"));
            return None;
        }
        ProgressStep::Ended { failure: Some(failure), status } => {
            effects.remove(run);
            let place = failure.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            format!("✗ {status}: {failure}{place} ({run})")
        }
        ProgressStep::Ended { failure: None, .. } => match effects.remove(run) {
            Some(effect) => format!("✓ {effect}"),
            None if *kind == HandlerKind::Producer => "✓ checked".to_owned(),
            None => return None,
        },
        ProgressStep::Dropped => {
            effects.remove(run);
            return None;
        }
    };
    Some(format!("{workflow_name} · {handler} · {what}"))
}
