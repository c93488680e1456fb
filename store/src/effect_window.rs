//! Counts a workflow's mutations of the last hour.

use std::time::Duration;

use windlass_core::{EffectLimits, RunState, Status, Timestamp};

use crate::convert::to_u32;
use crate::rows::{At, WorkflowRow};

const WINDOW: Duration = Duration::from_secs(60 * 60);

/// Counts the mutation of a run that ends in state `after`, and whether its outcome is in doubt.
pub(crate) fn count_mutation(workflow: &mut WorkflowRow, now: Timestamp, after: RunState) {
    if workflow.window_started_at.is_none_or(|At(start)| now >= start.after(WINDOW)) {
        reset(workflow);
        workflow.window_started_at = Some(At(now));
    }
    workflow.window_mutations = workflow.window_mutations.saturating_add(1);
    if after.status == Status::PausedReconciliation {
        workflow.window_doubts = workflow.window_doubts.saturating_add(1);
    }
}

/// Starts counting from zero.
pub(crate) fn reset(workflow: &mut WorkflowRow) {
    workflow.window_started_at = None;
    workflow.window_mutations = 0;
    workflow.window_doubts = 0;
}

/// Until when the workflow's consumers wait because it has made as many mutations as it may in an hour.
pub(crate) fn paused_until(workflow: &WorkflowRow, limits: &EffectLimits) -> Option<Timestamp> {
    let limit = limits.mutations_per_hour;
    let is_full = limit > 0 && to_u32(workflow.window_mutations) >= limit;
    workflow.window_started_at.filter(|_| is_full).map(|At(start)| start.after(WINDOW))
}
