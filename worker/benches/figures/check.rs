//! Checks that the runs of a case were right: otherwise its figure means nothing.

use anyhow::ensure;
use serde_json::Value;
use windlass_core::{EventStatus, Outcome, Status, WorkflowId};
use windlass_store::Run;

use crate::world::World;

/// What must have happened in a workflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// How many events of the topic `work` there are, numbered from 1.
    pub(crate) n_events: usize,
    /// Whether each has an effect.
    pub(crate) mutates: bool,
    /// How many events each led to.
    pub(crate) publishes: u32,
}

/// The consumer's runs that took an event, in order. Checks that each event was taken once and in order, that nothing was
/// retried, and that exactly the expected effects happened.
pub(crate) async fn consumed_runs(
    world: &World,
    workflow: WorkflowId,
    expected: Expected,
) -> anyhow::Result<Vec<Run>> {
    let runs = committed(world, workflow).await?;
    let consumed_runs: Vec<Run> = runs.into_iter().filter(|run| number(run).is_some()).collect();
    let numbers: Vec<u64> = consumed_runs.iter().filter_map(number).collect();
    let expected_numbers: Vec<u64> = (1..=u64::try_from(expected.n_events)?).collect();
    ensure!(numbers == expected_numbers, "`{workflow}` took {numbers:?}, not {expected_numbers:?}");

    let applied = world.calls.applied(workflow);
    let expected_numbers = if expected.mutates { expected_numbers } else { Vec::new() };
    ensure!(
        applied == expected_numbers,
        "`{workflow}` applied {applied:?}, not {expected_numbers:?}"
    );
    let outcome = expected.mutates.then_some(Outcome::Success);
    ensure!(
        consumed_runs.iter().all(|run| run.mutation_outcome == outcome),
        "the ledger of `{workflow}` has other outcomes"
    );

    let events = world.events(workflow, "work").await?;
    let consumed = events.iter().filter(|event| event.status == EventStatus::Consumed).count();
    ensure!(
        consumed == expected.n_events && events.len() == consumed,
        "`{workflow}` consumed {consumed} of {} events, not {}",
        events.len(),
        expected.n_events
    );
    if expected.publishes > 0 {
        let published = world.events(workflow, "done").await?.len();
        let n_expected = expected.n_events * usize::try_from(expected.publishes)?;
        ensure!(
            published == n_expected,
            "`{workflow}` published {published} events, not {n_expected}"
        );
    }
    Ok(consumed_runs)
}

/// All runs of a workflow. Checks that none failed or was retried.
pub(crate) async fn committed(world: &World, workflow: WorkflowId) -> anyhow::Result<Vec<Run>> {
    let runs = world.runs(workflow).await?;
    for run in &runs {
        ensure!(run.status == Status::Committed, "{} of `{workflow}`: {}", run.id, run.status);
        ensure!(run.retry_of.is_none() && run.fence == 1, "{} was tried again", run.id);
    }
    Ok(runs)
}

/// The number of the event that a run took.
fn number(run: &Run) -> Option<u64> {
    run.prepare_result.as_ref()?.get("data")?.get("n").and_then(Value::as_u64)
}
