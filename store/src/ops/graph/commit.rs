//! Commits the run of a node: what its tool answered becomes the node's result.

use diesel::prelude::*;
use windlass_core::graph::{NodeEffect, NodeStatus, judge};
use windlass_core::{Actor, HandlerKind, MutationStatus, NodeRunId, RunId, operation_of_node};

use super::super::advance::advance_workflow;
use super::super::dialect::{Conn, RunQueryDsl};
use super::super::locked_run::{LockedRun, lock_claimed_run};
use super::super::outcome::{self, TransitionContext};
use super::super::sessions::{self, SessionProgress};
use super::super::{Staged, Tx, commit, logs, replay};
use super::submit::{digest_of, settle_result};
use super::{advance, load};
use crate::convert::to_u32;
use crate::error::Result;
use crate::params::CommitNode;
use crate::rows::Db;
use crate::schema::node_runs;

impl Staged for CommitNode {
    type Output = ();
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_claimed_run(conn, self.claim).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<()> {
        let Some(mut locked) = locked else {
            return replay::committed(tx, self.claim, None).await.map(drop);
        };
        commit::require_kind(&locked, HandlerKind::Node, "be committed as a node's")?;
        let changes = locked.state.commit()?;
        let has_happened =
            self.leaves_traces && locked.state.mutation == Some(MutationStatus::Applied);
        let context = TransitionContext::default();
        logs::append(tx, &locked.run, self.logs.clone()).await?;
        outcome::write(tx, &mut locked, changes, &context).await?;
        let progress = SessionProgress { n_committed: 1, ..SessionProgress::default() };
        sessions::record_progress(tx, locked.run.session_id, progress).await?;
        finish(tx, locked, self, has_happened).await
    }
}

/// Judges the result and moves the run of the graph on. If that is over, only the handler run has changed.
async fn finish(
    tx: &Tx<'_>,
    locked: LockedRun,
    params: CommitNode,
    has_happened: bool,
) -> Result<()> {
    let (run, session) = (locked.run.id, locked.run.session_id.0);
    let mut graph = load::load(tx, locked.workflow, session).await?;
    let position = graph.nodes.iter().position(|head| head.run_id == Some(run));
    let at_work = position
        .filter(|position| graph.state.node(*position).status == NodeStatus::Running)
        .filter(|_| !graph.is_over());
    let Some(position) = at_work else {
        if has_happened {
            remember_effect(tx, run).await?;
        }
        advance_workflow(tx, graph.workflow).await?;
        return Ok(());
    };
    if let Some(state) = graph.state.nodes.get_mut(position).filter(|_| has_happened) {
        state.effect = NodeEffect::Happened;
    }
    let nodes = std::sync::Arc::clone(&graph.graph);
    let Some(node) = nodes.nodes.get(position) else { return Ok(()) };
    let judged = judge(node, &nodes.schemas, &params.result);
    let by = (digest_of(&params.result), &Actor::Windlass);
    settle_result(tx, &mut graph, (position, node), (&params.result, &judged), by).await?;
    advance::advance(tx, &mut graph).await?;
    advance::save(tx, &mut graph, "node-result").await
}

/// Keeps that a node of a run that is over has had its effect, so that a run that replaces it does not repeat it.
async fn remember_effect(tx: &Tx<'_>, run: Db<RunId>) -> Result<()> {
    diesel::update(node_runs::table.filter(node_runs::run_id.eq(run)))
        .set(node_runs::effect.eq(Db(NodeEffect::Happened)))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// The id of the operation that the node of a run asks for in its present round.
pub(in super::super) async fn operation(tx: &Tx<'_>, locked: &LockedRun) -> Result<String> {
    let node = node_runs::table
        .filter(node_runs::session_id.eq(locked.run.session_id))
        .filter(node_runs::node_id.eq(&locked.run.handler_name))
        .select((node_runs::id, node_runs::effect_round));
    let (Db(node), round): (Db<NodeRunId>, i32) = node.first(tx.conn).await?;
    Ok(operation_of_node(node, to_u32(round)))
}

/// The number of network failures in a row of the node that a run has.
pub(in super::super) async fn transient_failures(conn: &Conn, locked: &LockedRun) -> Result<i32> {
    let failures = node_runs::table
        .filter(node_runs::session_id.eq(locked.run.session_id))
        .filter(node_runs::node_id.eq(&locked.run.handler_name))
        .select(node_runs::transient_failures);
    let failures: Option<i32> = failures.optional(conn).await?;
    Ok(failures.unwrap_or(0))
}
