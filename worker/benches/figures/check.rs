//! Whether a run of a case was right: a figure of one that was not is worth nothing.

use anyhow::ensure;
use serde_json::Value;
use windlass_core::{EventStatus, Outcome, Status, WorkflowId};
use windlass_store::Run;

use crate::world::World;

/// What has to have happened in a workflow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// How many events of the topic `work` there are, numbered from 1.
    pub(crate) n_events: usize,
    /// Whether each has an effect.
    pub(crate) mutates: bool,
    /// How many events each led to.
    pub(crate) publishes: u32,
}

/// The consumer's runs that took an event, in their order: each event was taken once, one after the other, nothing was tried
/// twice, and there are exactly the right effects.
pub(crate) async fn taken(
    world: &World,
    workflow: WorkflowId,
    expected: Expected,
) -> anyhow::Result<Vec<Run>> {
    let runs = committed(world, workflow).await?;
    let taken: Vec<Run> = runs.into_iter().filter(|run| number(run).is_some()).collect();
    let numbers: Vec<u64> = taken.iter().filter_map(number).collect();
    let wanted: Vec<u64> = (1..=u64::try_from(expected.n_events)?).collect();
    ensure!(numbers == wanted, "`{workflow}` took {numbers:?}, not {wanted:?}");

    let applied = world.calls.applied(workflow);
    let wanted = if expected.mutates { wanted } else { Vec::new() };
    ensure!(applied == wanted, "`{workflow}` applied {applied:?}, not {wanted:?}");
    let outcome = expected.mutates.then_some(Outcome::Success);
    ensure!(
        taken.iter().all(|run| run.mutation_outcome == outcome),
        "the ledger of `{workflow}` says something else"
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
        let wanted = expected.n_events * usize::try_from(expected.publishes)?;
        ensure!(published == wanted, "`{workflow}` published {published} events, not {wanted}");
    }
    Ok(taken)
}

/// All runs of a workflow, none of which failed or was tried again.
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
