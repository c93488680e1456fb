//! Resumes, restarts and cancels runs of graphs.

use serde_json::json;
use windlass_core::graph::{self, NodeChange, Restart};

use super::super::{Operation, Tx};
use super::advance::{self, End};
use super::load::{self, LockedGraph};
use super::{artifacts, journal, write};
use crate::error::{Result, StoreError};
use crate::model::SteeredGraph;
use crate::params::{Steer, SteerGraph};

impl Operation for SteerGraph {
    type Output = SteeredGraph;

    async fn run(self, tx: &Tx<'_>) -> Result<SteeredGraph> {
        let mut locked = load::lock(tx, self.workspace, self.session).await?;
        let has_changed = match &self.action {
            Steer::Resume { force } => resume(tx, &mut locked, *force, &self).await?,
            Steer::Restart { .. } => restart(tx, &mut locked, &self).await?,
            Steer::Cancel { reason, .. } => cancel(tx, &mut locked, reason, &self).await?,
        };
        Ok(SteeredGraph { has_changed, status: locked.run.status.0 })
    }
}

async fn resume(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    force: bool,
    params: &SteerGraph,
) -> Result<bool> {
    let changes = graph::resume(&locked.graph, &locked.state, force)?;
    let was_out_of_budget = locked.state.failure_count > 0;
    if changes.is_empty() && !was_out_of_budget {
        return Ok(false);
    }
    // Nothing may be blocked any more, and yet the failures before count until a person says otherwise.
    locked.state.failure_count = 0;
    let details = json!({ "nodes": ids(locked, &changes), "message": "the run goes on" });
    journal::add(tx, locked, ("run.resumed", &params.actor), None, details);
    write::apply(tx, locked, changes, &params.actor).await?;
    advance::advance(tx, locked).await?;
    advance::save(tx, locked, "resumed").await?;
    Ok(true)
}

async fn restart(tx: &Tx<'_>, locked: &mut LockedGraph, params: &SteerGraph) -> Result<bool> {
    let Steer::Restart { node, downstream, repeat_effects, discard_edits } = &params.action else {
        return Ok(false);
    };
    let from = Restart { node, downstream: *downstream, repeat_effects: *repeat_effects };
    let changes = graph::restart(&locked.graph, &locked.state, &from)?;
    let nodes = ids(locked, &changes);
    let edits = artifacts::edits_of(tx, locked, &nodes).await?;
    if !edits.is_empty() && !discard_edits {
        return Err(StoreError::NotNow {
            what: format!("people edited what is made anew: {}", edits.join(", ")),
            hint: "restart with `--discard-edits` to give these edits up".to_owned(),
        });
    }
    artifacts::supersede(tx, locked, &nodes).await?;
    let details = json!({
        "nodeId": node, "nodes": nodes, "downstream": downstream, "repeatEffects": repeat_effects,
        "message": format!("node `{node}` is done anew"),
    });
    journal::add(tx, locked, ("node.restarted", &params.actor), None, details);
    write::apply(tx, locked, changes, &params.actor).await?;
    advance::advance(tx, locked).await?;
    advance::save(tx, locked, "restarted").await?;
    Ok(true)
}

/// The decision is written down first, and only that where the run is over.
async fn cancel(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    reason: &str,
    params: &SteerGraph,
) -> Result<bool> {
    let Steer::Cancel { details, .. } = &params.action else { return Ok(false) };
    let decision = json!({
        "action": "stop",
        "reason": reason,
        "details": details,
        "message": format!("the run is to stop: {reason}"),
    });
    let why = Some(reason.to_owned());
    journal::add(tx, locked, ("decision.recorded", &params.actor), why, decision);
    let is_open = !locked.is_over();
    if is_open {
        advance::cancel(tx, locked, End::Cancelled(reason.to_owned()), &params.actor).await?;
    }
    advance::save(tx, locked, "cancelled").await?;
    Ok(is_open)
}

fn ids(locked: &LockedGraph, changes: &[NodeChange]) -> Vec<String> {
    let nodes = changes.iter().filter_map(|change| locked.graph.nodes.get(change.position));
    nodes.map(|node| node.id.clone()).collect()
}
