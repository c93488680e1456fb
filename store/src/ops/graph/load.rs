//! Loads a run of a graph under the lock of its workflow.

use std::sync::Arc;

use diesel::prelude::*;
use serde_json::Value;
use windlass_core::graph::{
    Graph, GraphState, GraphStatus, NodeEffect, NodeFailureClass, NodeState, NodeStatus,
    outputs_needed,
};
use windlass_core::{
    ArtifactId, AttemptId, MutationStatus, NodeRunId, RunId, ScriptId, SessionId, WorkflowId,
    WorkflowStatus, WorkspaceId,
};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use crate::convert::to_u32;
use crate::effect_window;
use crate::error::{Result, StoreError};
use crate::literals::{IsOpenOfNode, IsOpenSession, IsRunningAttempt, IsUnsettled};
use crate::pipeline::pipeline;
use crate::rows::{At, Db, GraphRunRow, JournalRow, Json, WorkflowRow};
use crate::schema::{attempts, graph_runs, handler_runs, mutations, node_runs, scripts};

/// A run of a graph whose workflow is locked.
pub(in super::super) struct LockedGraph {
    pub(in super::super) workflow: WorkflowRow,
    pub(in super::super) run: GraphRunRow,
    pub(in super::super) graph: Arc<Graph>,
    /// The nodes by position.
    pub(in super::super) nodes: Vec<NodeHead>,
    pub(in super::super) state: GraphState,
    /// What its journal gets with this transaction.
    pub(in super::super) entries: Vec<JournalRow>,
    /// What was made in this transaction.
    pub(super) made: Vec<ArtifactId>,
}

/// A node without its input and output, and its open attempt.
#[derive(Queryable)]
pub(in super::super) struct NodeHead {
    pub(in super::super) id: Db<NodeRunId>,
    pub(in super::super) run_id: Option<Db<RunId>>,
    status: Db<NodeStatus>,
    attempt_count: i32,
    retry_count: i32,
    effect_round: i32,
    transient_failures: i32,
    effect: Db<NodeEffect>,
    must_continue: bool,
    failure_class: Option<Db<NodeFailureClass>>,
    blocked_reason: Option<String>,
    available_at: Option<At>,
    deadline_at: Option<At>,
    pub(in super::super) attempt: Option<Db<AttemptId>>,
}

impl NodeHead {
    fn state(&self) -> NodeState {
        let instant = |stored: Option<At>| stored.map(|At(at)| at);
        NodeState {
            status: self.status.0,
            attempt_count: to_u32(self.attempt_count),
            retry_count: to_u32(self.retry_count),
            effect_round: to_u32(self.effect_round),
            transient_failures: to_u32(self.transient_failures),
            has_attempt: self.attempt.is_some(),
            effect: self.effect.0,
            must_continue: self.must_continue,
            failure: self.failure_class.map(|Db(class)| class),
            blocked_reason: self.blocked_reason.clone(),
            available_at: instant(self.available_at),
            deadline_at: instant(self.deadline_at),
        }
    }
}

impl LockedGraph {
    /// Whether the run is over.
    pub(in super::super) fn is_over(&self) -> bool {
        is_over(self.run.status.0)
    }

    /// The run's id.
    pub(in super::super) fn session(&self) -> SessionId {
        self.run.session_id.0
    }

    /// The position of a node of the graph.
    pub(super) fn position(&self, node: &str) -> Result<usize> {
        self.graph.position(node).ok_or_else(|| StoreError::not_found("node", node))
    }
}

/// Whether a run with this status is over.
pub(super) const fn is_over(status: GraphStatus) -> bool {
    matches!(status, GraphStatus::Completed | GraphStatus::Failed | GraphStatus::Aborted)
}

/// Locks the workflow of a run of a graph and loads the run.
pub(in super::super) async fn lock(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
) -> Result<LockedGraph> {
    let workflow = graph_runs::table
        .find(Db(session))
        .filter(graph_runs::workspace_id.eq(Db(workspace)))
        .select(graph_runs::workflow_id);
    let workflow: Option<Db<WorkflowId>> = workflow.optional(tx.conn).await?;
    let missing = || StoreError::not_found("run of a plan or execution", &session);
    let Db(workflow) = workflow.ok_or_else(missing)?;
    let workflow = tx.lock(workspace, workflow).await?;
    load(tx, workflow, session).await
}

/// The run of a graph that is open in a locked workflow, which several executions of a recorded plan never are.
pub(in super::super) async fn open(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
) -> Result<Option<SessionId>> {
    use crate::schema::sessions;

    let open = sessions::table
        .filter(sessions::workflow_id.eq(workflow.id))
        .filter(IsOpenSession)
        .select(sessions::id);
    let open: Option<Db<SessionId>> = open.optional(tx.conn).await?;
    Ok(open.map(|Db(session)| session))
}

/// Loads a run of a locked workflow.
pub(in super::super) async fn load(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
    session: SessionId,
) -> Result<LockedGraph> {
    let run = GraphRunRow::query().filter(graph_runs::session_id.eq(Db(session)));
    let (run, nodes, is_behind_another) = pipeline!(
        async { run.first(tx.conn).await },
        heads(tx, session),
        is_behind(tx, &workflow, session)
    )?;
    let graph = graph(tx, run.script_id.0).await?;
    let state = GraphState {
        nodes: nodes.iter().map(NodeHead::state).collect(),
        is_over: is_over(run.status.0),
        is_held: run.held,
        is_paused: workflow.kind.0.can_pause() && workflow.status.0 != WorkflowStatus::Active
            || workflow.error.is_some()
            || workflow.contradicted_mutation_id.is_some(),
        is_behind_another,
        failure_count: to_u32(run.failure_count),
        deadline_at: run.deadline_at.map(|At(at)| at),
        effects_used_up_until: effect_window::paused_until(&workflow, &tx.policy.effects),
        ..GraphState::default()
    };
    Ok(LockedGraph { workflow, run, graph, nodes, state, entries: Vec::new(), made: Vec::new() })
}

async fn heads(tx: &Tx<'_>, session: SessionId) -> Result<Vec<NodeHead>> {
    let open_attempt = attempts::node_run_id.eq(node_runs::id).and(IsRunningAttempt);
    let heads = node_runs::table
        .left_join(attempts::table.on(open_attempt))
        .filter(node_runs::session_id.eq(Db(session)))
        .order(node_runs::position)
        .select((
            node_runs::id,
            node_runs::run_id,
            node_runs::status,
            node_runs::attempt_count,
            node_runs::retry_count,
            node_runs::effect_round,
            node_runs::transient_failures,
            node_runs::effect,
            node_runs::must_continue,
            node_runs::failure_class,
            node_runs::blocked_reason,
            node_runs::available_at,
            node_runs::deadline_at,
            attempts::id.nullable(),
        ));
    heads.load(tx.conn).await
}

/// Whether an earlier run of the workflow still has a handler run under way, or an effect of which nobody knows whether it happened.
async fn is_behind(tx: &Tx<'_>, workflow: &WorkflowRow, session: SessionId) -> Result<bool> {
    let under_way = handler_runs::table
        .filter(handler_runs::workflow_id.eq(workflow.id))
        .filter(IsOpenOfNode)
        .filter(handler_runs::session_id.ne(Db(session)))
        .select(handler_runs::id);
    let under_way = async { under_way.optional::<Db<RunId>>(tx.conn).await };
    let unsettled = mutations::table
        .inner_join(handler_runs::table.on(handler_runs::id.eq(mutations::handler_run_id)))
        .filter(mutations::workflow_id.eq(workflow.id))
        .filter(IsUnsettled)
        .filter(handler_runs::session_id.ne(Db(session)))
        .select(handler_runs::id);
    let unsettled = async { unsettled.optional::<Db<RunId>>(tx.conn).await };
    let (under_way, unsettled) = pipeline!(under_way, unsettled)?;
    Ok(under_way.is_some() || unsettled.is_some())
}

/// A version of a graph.
pub(in super::super::super) async fn graph(tx: &Tx<'_>, script: ScriptId) -> Result<Arc<Graph>> {
    if let Some(graph) = tx.graphs.get(script) {
        return Ok(graph);
    }
    let stored = scripts::table.find(Db(script)).select(scripts::manifest);
    let stored: Option<Json<Graph>> = stored.optional(tx.conn).await?;
    let Json(graph) = stored.ok_or_else(|| StoreError::not_found("version of a plan", &script))?;
    let graph = Arc::new(graph);
    tx.graphs.keep(script, &graph);
    Ok(graph)
}

/// Reads the outputs that decide about the nodes that wait, as far as they are not known yet.
pub(super) async fn load_outputs(tx: &Tx<'_>, locked: &mut LockedGraph) -> Result<()> {
    let needed = outputs_needed(&locked.graph, &locked.state);
    let missing: Vec<i32> = needed
        .into_iter()
        .filter(|position| !locked.state.outputs.contains_key(position))
        .filter_map(|position| i32::try_from(position).ok())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let stored = node_runs::table
        .filter(node_runs::session_id.eq(locked.run.session_id))
        .filter(node_runs::position.eq_any(missing))
        .select((node_runs::position, node_runs::output));
    let stored: Vec<(i32, Option<Json>)> = stored.load(tx.conn).await?;
    for (position, output) in stored {
        let output = output.map_or(Value::Null, |Json(output)| output);
        if let Ok(position) = usize::try_from(position) {
            locked.state.outputs.insert(position, output);
        }
    }
    Ok(())
}

/// Says of the nodes that are at work what the ledger knows of their effects: nothing else does, before their runs end.
pub(super) async fn know_effects_under_way(tx: &Tx<'_>, locked: &mut LockedGraph) -> Result<()> {
    let under_way = handler_runs::table
        .inner_join(mutations::table)
        .filter(handler_runs::session_id.eq(locked.run.session_id))
        .filter(IsOpenOfNode)
        .select((handler_runs::handler_name, mutations::status));
    let under_way: Vec<(String, Db<MutationStatus>)> = under_way.load(tx.conn).await?;
    for (node, Db(status)) in under_way {
        let Some(position) = locked.graph.position(&node) else { continue };
        let Some(state) = locked.state.nodes.get_mut(position) else { continue };
        state.effect = match status {
            MutationStatus::Applied => NodeEffect::Happened,
            MutationStatus::Failed | MutationStatus::WouldSend => state.effect,
            MutationStatus::InFlight
            | MutationStatus::NeedsReconcile
            | MutationStatus::Indeterminate => NodeEffect::InDoubt,
        };
    }
    Ok(())
}
