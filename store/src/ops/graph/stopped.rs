//! What the stop of a handler run makes of its node.

use windlass_core::graph::{NodeAt, after_stop};
use windlass_core::{Actor, Changes, Failure, FailureClass, Status, WorkflowChange};

use super::super::locked_run::LockedRun;
use super::super::outcome::TransitionContext;
use super::super::{Tx, notifications};
use super::{advance, load, notices, write};
use crate::error::Result;

/// Changes the node of a run that has stopped, or whose doubt was settled. In a run of a graph that is over nothing changes.
///
/// [`advance_workflow`](super::super::advance::advance_workflow) works out what follows, as after every stop.
pub(in super::super) async fn follow(
    tx: &Tx<'_>,
    locked: &mut LockedRun,
    changes: &Changes,
    context: &TransitionContext<'_>,
) -> Result<()> {
    if changes.run.status.is_open() || changes.run.status == Status::Committed {
        return Ok(());
    }
    let failure = failure_of(changes, context);
    tell_doubt(tx, locked, changes, &failure).await?;
    let workflow = locked.workflow.clone();
    let mut graph = load::load(tx, workflow, locked.run.session_id.0).await?;
    let position = graph.nodes.iter().position(|head| head.run_id == Some(locked.run.id));
    let Some(position) = position.filter(|_| !graph.is_over()) else { return Ok(()) };
    let (nodes, state) = (std::sync::Arc::clone(&graph.graph), graph.state.node(position));
    let Some(node) = nodes.nodes.get(position) else { return Ok(()) };
    let at = NodeAt { position, node, state: &state, now: tx.now };
    let change = after_stop(at, changes, &failure);
    write::apply(tx, &mut graph, vec![change], &Actor::Windlass).await?;
    advance::save(tx, &mut graph, "run-stopped").await?;
    locked.workflow = graph.workflow;
    Ok(())
}

/// Asks a person about a doubt that nothing looks up, also where the run of the graph is over.
async fn tell_doubt(
    tx: &Tx<'_>,
    locked: &LockedRun,
    changes: &Changes,
    failure: &Failure,
) -> Result<()> {
    if !changes.run.is_uncertain() {
        return notices::resolve_run(tx, locked.run.id).await;
    }
    match changes.workflow {
        WorkflowChange::Block(_) => notifications::workflow_stopped(tx, locked, failure).await,
        WorkflowChange::Keep
        | WorkflowChange::Unblock
        | WorkflowChange::BackOff(_)
        | WorkflowChange::LookUp(_)
        | WorkflowChange::Maintenance(_) => Ok(()),
    }
}

/// Why the run stopped.
fn failure_of(changes: &Changes, context: &TransitionContext<'_>) -> Failure {
    match &changes.workflow {
        WorkflowChange::Block(failure)
        | WorkflowChange::LookUp(failure)
        | WorkflowChange::Maintenance(failure) => failure.clone(),
        WorkflowChange::Keep | WorkflowChange::Unblock | WorkflowChange::BackOff(_) => {
            let cause = context.cause.as_ref();
            let class = cause.and_then(|cause| cause.class).unwrap_or(FailureClass::Internal);
            Failure::new(class, cause.map_or("its run ended", |cause| cause.message.as_str()))
        }
    }
}
