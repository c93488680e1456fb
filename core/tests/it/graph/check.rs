//! What holds after every step.

use windlass_core::graph::{Advance, GraphEnd, GraphStatus, NodeStatus, advance};

use crate::graph::world::{Run, World};

/// The first invariant that does not hold.
pub(super) fn all(before: &World, world: &World) -> Result<(), String> {
    if let Some(broken) = &world.broken {
        return Err(broken.clone());
    }
    runs(world)?;
    rest(world)?;
    over(before, world)?;
    stops(world)?;
    status(world)
}

/// A node has one open run at the most, and one of a worker is running exactly while it has one. A run of a graph has no more begun nodes
/// than it may. No effect happens twice in a round.
fn runs(world: &World) -> Result<(), String> {
    for (node, spec) in world.graph.nodes.iter().enumerate() {
        let open = world.runs.iter().filter(|run| run.node == node && run.is_open()).count();
        let is_running = world.state.node(node).status == NodeStatus::Running;
        if open > 1 {
            return Err(format!("node {node} has {open} open runs"));
        }
        if !world.state.is_over && spec.is_run_by_workers() && is_running != (open == 1) {
            return Err(format!(
                "node {node} is running: {is_running}, and has {open} open run(s)"
            ));
        }
    }
    let begun = world.state.nodes.iter().filter(|node| node.status.is_begun()).count();
    // What a person was asked because a node failed was begun before.
    if begun > usize::try_from(world.graph.max_parallel).map_err(|error| error.to_string())? {
        return Err(format!("{begun} nodes are begun"));
    }
    match world.effects.iter().find(|(_, times)| **times > 1) {
        Some(twice) => Err(format!("an effect happened twice: {twice:?}")),
        None => Ok(()),
    }
}

/// After its changes `advance` finds nothing more to do. A blocked node says why, and a held run begins nothing.
fn rest(world: &World) -> Result<(), String> {
    let again: Advance = advance(&world.graph, &world.state, world.now);
    if !again.changes.is_empty() || !again.begin.is_empty() || again.end.is_some() {
        return Err(format!("not at rest: {again:?}"));
    }
    for node in &world.state.nodes {
        if (node.status == NodeStatus::Blocked) != node.blocked_reason.is_some() {
            return Err(format!("blocked without a reason, or a reason without a block: {node:?}"));
        }
        if node.status.is_final() && (node.has_attempt || node.must_continue) {
            return Err(format!("over, and not closed: {node:?}"));
        }
    }
    let has_begun = world.last.as_ref().is_some_and(|last| !last.begin.is_empty());
    if has_begun && (world.state.is_held || world.state.is_paused || world.state.is_behind_another)
    {
        return Err("something began in a run that may not begin anything".to_owned());
    }
    Ok(())
}

/// After the end nothing is open, and no node changes any more.
fn over(before: &World, world: &World) -> Result<(), String> {
    if !world.state.is_over {
        return Ok(());
    }
    if !world.approvals.is_empty() || !world.state.nodes.iter().all(|node| node.status.is_final()) {
        return Err("something is open after the end".to_owned());
    }
    let statuses =
        |world: &World| world.state.nodes.iter().map(|node| node.status).collect::<Vec<_>>();
    if before.state.is_over && (statuses(before), &before.end) != (statuses(world), &world.end) {
        return Err("something changed after the end".to_owned());
    }
    Ok(())
}

/// Every stop goes on by itself, is asked of somebody, or is told.
fn stops(world: &World) -> Result<(), String> {
    let has = |status: NodeStatus| world.state.nodes.iter().any(|node| node.status == status);
    for (node, state) in world.state.nodes.iter().enumerate() {
        if (state.status == NodeStatus::AwaitingHuman) != world.approvals.contains_key(&node) {
            return Err(format!("node {node} is {}, and its approval is another", state.status));
        }
    }
    let goes_on = world.runs.iter().any(Run::is_open)
        || world.last.as_ref().is_some_and(|last| last.due_at.is_some());
    let is_agents = has(NodeStatus::Running) || (has(NodeStatus::Ready) && !world.graph.auto_start);
    let is_asked = !world.approvals.is_empty() || is_agents;
    let state = &world.state;
    let is_told = has(NodeStatus::Blocked)
        || state.is_paused
        || state.is_held
        || state.is_behind_another
        || state.failure_count >= world.graph.failure_budget;
    if state.is_over || goes_on || is_asked || is_told {
        return Ok(());
    }
    Err("it stopped in silence".to_owned())
}

/// The status of the run, its end and its nodes agree.
fn status(world: &World) -> Result<(), String> {
    let Some(last) = &world.last else { return Ok(()) };
    let has = |status: NodeStatus| world.state.nodes.iter().any(|node| node.status == status);
    let fits = match last.status {
        GraphStatus::Running => has(NodeStatus::Running) || has(NodeStatus::Ready),
        GraphStatus::AwaitingHuman => world.state.is_held || has(NodeStatus::AwaitingHuman),
        GraphStatus::Blocked => {
            !has(NodeStatus::Running)
                && (has(NodeStatus::Blocked)
                    || world.state.failure_count >= world.graph.failure_budget)
        }
        GraphStatus::Completed => !has(NodeStatus::Failed) && !has(NodeStatus::Cancelled),
        GraphStatus::Failed => {
            has(NodeStatus::Failed) && matches!(world.end, Some(GraphEnd::Failed(_)))
        }
        GraphStatus::Aborted => world.state.is_over && world.end.is_none(),
    };
    if fits { Ok(()) } else { Err(format!("the run is {} and its nodes are not", last.status)) }
}
