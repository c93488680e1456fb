//! Begins runs of plans, and replaces them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::prelude::*;
use serde_json::json;
use windlass_core::graph::{Carried, Graph, GraphStatus, NodeState, NodeStatus, carry_over};
use windlass_core::{
    LimitKey, NodeRunId, ScriptId, SessionId, Text as _, Timestamp, Trigger, WorkflowKind,
    WorkflowStatus,
};

use super::super::dialect::RunQueryDsl;
use super::super::{Operation, Tx, limits, script, sessions};
use super::advance::End;
use super::load::{self, LockedGraph};
use super::{advance, ask, effects, journal, versions, write};
use crate::convert::to_i32;
use crate::error::{Result, StoreError};
use crate::model::StartedGraph;
use crate::params::{Replaced, StartPlan};
use crate::rows::{At, Db, GraphRunRow, Json, NodeRunRow, WorkflowRow, storable};
use crate::schema::{graph_runs, node_runs};

impl Operation for StartPlan {
    type Output = StartedGraph;

    async fn run(self, tx: &Tx<'_>) -> Result<StartedGraph> {
        let mut workflow = workstream(tx, &self).await?;
        if let Some(session) = started_before(tx, &self).await? {
            return Ok(StartedGraph { session, is_new: false });
        }
        let replaced = replaced_run(tx, &workflow, &self).await?;
        let version = next_version(tx, &workflow, replaced.as_ref()).await?;
        let tools = self.text.graph.tools();
        let ungranted: Vec<String> =
            self.grant.not_covered(&tools).iter().map(ToString::to_string).collect();
        let (script, graph) = versions::keep(tx, &workflow, version, self.text.clone()).await?;
        workflow.active_script_id = Some(script);
        if workflow.status.0 == WorkflowStatus::Draft {
            workflow.status = Db(WorkflowStatus::Active);
        }
        limits::store_limit_keys(tx, &workflow, LimitKey::of(&workflow.name, &tools)).await?;
        let (workflow, carried) = match &replaced {
            Some(_) => replace(tx, workflow, &self, &graph).await?,
            None => (workflow, Vec::new()),
        };
        let run = NewRun {
            script,
            lead: graph.lead.clone().unwrap_or_else(|| self.actor.to_text()),
            graph,
            notes: None,
            follows: replaced.as_ref().map(|replaced| replaced.session),
            idempotency_key: self.idempotency_key.clone(),
            deadline_at: self.deadline_at,
            is_held: !ungranted.is_empty(),
        };
        let mut locked = begin(tx, workflow, run, carried).await?;
        tell_blocks(tx, &locked).await?;
        if locked.run.held {
            ask::start(tx, &mut locked, ungranted).await?;
        }
        advance::advance(tx, &mut locked).await?;
        let reason = add_entry(tx, &mut locked, &self);
        advance::save(tx, &mut locked, reason).await?;
        Ok(StartedGraph { session: locked.session(), is_new: true })
    }
}

/// Tells people of nodes that begin blocked, because an earlier run had their effect.
async fn tell_blocks(tx: &Tx<'_>, locked: &LockedGraph) -> Result<()> {
    for (position, state) in locked.state.nodes.iter().enumerate() {
        if state.status == NodeStatus::Blocked {
            write::tell_block(tx, locked, (position, state)).await?;
        }
    }
    Ok(())
}

fn add_entry(tx: &Tx<'_>, locked: &mut LockedGraph, params: &StartPlan) -> &'static str {
    let graph = Arc::clone(&locked.graph);
    let (title, n_nodes) = (&graph.title, graph.nodes.len());
    if let Some(Replaced { reason, .. }) = &params.replaces {
        let details = json!({
            "title": title, "objective": graph.objective, "nodeCount": n_nodes,
            "reason": reason, "replacedRunId": locked.run.follows_id.map(|Db(id)| id),
            "message": format!("the plan was replaced: {reason}"),
        });
        journal::add(tx, locked, ("plan.replaced", &params.actor), Some(reason.clone()), details);
        return "plan-replaced";
    }
    let details = json!({
        "title": title, "objective": graph.objective, "nodeCount": n_nodes,
        "message": format!("the plan `{title}` was created"),
    });
    journal::add(tx, locked, ("plan.created", &params.actor), None, details);
    "plan-created"
}

/// The workstream, locked. The first plan makes it.
async fn workstream(tx: &Tx<'_>, params: &StartPlan) -> Result<WorkflowRow> {
    let title = storable(params.workstream.clone());
    let fresh = script::fresh_workflow(tx, params.workspace, WorkflowKind::Plan, title);
    let workflow = script::insert_or_lock(tx, fresh).await?;
    if workflow.kind.0 != WorkflowKind::Plan {
        return Err(StoreError::NotNow {
            what: format!(
                "`{}` is no workstream of plans but a {}",
                workflow.name, workflow.kind.0
            ),
            hint: "choose another name for the workstream".to_owned(),
        });
    }
    if workflow.status.0 == WorkflowStatus::Archived {
        return Err(StoreError::NotRunning {
            workflow: workflow.name,
            reason: "it is archived",
            action: windlass_core::Action::Unarchive,
        });
    }
    Ok(workflow)
}

async fn started_before(tx: &Tx<'_>, params: &StartPlan) -> Result<Option<SessionId>> {
    let Some(key) = &params.idempotency_key else { return Ok(None) };
    let same = graph_runs::table
        .filter(graph_runs::workspace_id.eq(Db(params.workspace)))
        .filter(graph_runs::idempotency_key.eq(storable(key.clone())))
        .select(graph_runs::session_id);
    let same: Option<Db<SessionId>> = same.optional(tx.conn).await?;
    Ok(same.map(|Db(session)| session))
}

/// The run that is to be replaced.
struct ReplacedRun {
    session: SessionId,
}

/// The active run, where it is to be replaced; none for a new plan.
async fn replaced_run(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    params: &StartPlan,
) -> Result<Option<ReplacedRun>> {
    let name = &workflow.name;
    let active = load::open(tx, workflow).await?;
    let not_now =
        |what: String, hint: &str| Err(StoreError::NotNow { what, hint: hint.to_owned() });
    match (active, &params.replaces) {
        (None, None) => Ok(None),
        (Some(active), None) => not_now(
            format!("a plan run is already active in `{name}`: `{active}`"),
            "replace it, or wait until it is over",
        ),
        (None, Some(_)) => {
            not_now(format!("no plan run is active in `{name}`"), "create a plan instead")
        }
        (Some(active), Some(Replaced { run: Some(wanted), .. })) if active != *wanted => not_now(
            format!("only the active plan run may be replaced: that is `{active}`, not `{wanted}`"),
            "look at the active plan again",
        ),
        (Some(session), Some(_)) => Ok(Some(ReplacedRun { session })),
    }
}

/// A new plan counts the first number up, a replacement the second.
async fn next_version(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    replaced: Option<&ReplacedRun>,
) -> Result<(i32, i32)> {
    let newest = versions::newest(tx, workflow, None).await?;
    Ok(match (newest, replaced) {
        (None, _) => (1, 0),
        (Some((major, minor)), Some(_)) => (major, minor.saturating_add(1)),
        (Some((major, _)), None) => (major.saturating_add(1), 0),
    })
}

/// Ends the active run and returns what the new one takes over.
async fn replace(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
    params: &StartPlan,
    graph: &Graph,
) -> Result<(WorkflowRow, Vec<CarriedNode>)> {
    let (Some(session), Some(Replaced { reason, is_fresh, .. })) =
        (load::open(tx, &workflow).await?, &params.replaces)
    else {
        return Ok((workflow, Vec::new()));
    };
    let mut old = load::load(tx, workflow, session).await?;
    load::know_effects_under_way(tx, &mut old).await?;
    let carried = carry_over((&old.graph, &old.state), graph);
    // Who begins afresh still has no effect repeated.
    let carried = carried.into_iter().filter(|it| !is_fresh || !it.state.status.has_result());
    let mut carried = carried_nodes(tx, &old, carried.collect()).await?;
    let known: BTreeSet<usize> = carried.iter().map(|it| it.to).collect();
    let earlier = effects::of_earlier_runs(tx, &old, graph).await?;
    carried.extend(earlier.into_iter().filter(|it| !known.contains(&it.to)));
    let end = End::Replaced(format!("replaced: {reason}"));
    advance::cancel(tx, &mut old, end, &params.actor).await?;
    advance::save(tx, &mut old, "replaced").await?;
    Ok((old.workflow, carried))
}

/// What a node of a new run takes over.
pub(super) struct CarriedNode {
    pub(super) to: usize,
    pub(super) state: NodeState,
    /// The node of the old run, if its result is taken over.
    pub(super) from: Option<Db<NodeRunId>>,
    pub(super) input: Option<Json>,
    pub(super) output: Option<Json>,
}

async fn carried_nodes(
    tx: &Tx<'_>,
    old: &LockedGraph,
    carried: Vec<Carried>,
) -> Result<Vec<CarriedNode>> {
    let positions: Vec<i32> = carried.iter().filter_map(|it| i32::try_from(it.from).ok()).collect();
    let values = node_runs::table
        .filter(node_runs::session_id.eq(old.run.session_id))
        .filter(node_runs::position.eq_any(positions))
        .select((node_runs::position, (node_runs::id, node_runs::input, node_runs::output)));
    type Values = (Db<NodeRunId>, Option<Json>, Option<Json>);
    let values: Vec<(i32, Values)> = values.load(tx.conn).await?;
    let mut values: BTreeMap<i32, Values> = values.into_iter().collect();
    let with_values = carried.into_iter().map(|Carried { from, to, state }| {
        let values = i32::try_from(from).ok().and_then(|from| values.remove(&from));
        match values.filter(|_| state.status.has_result()) {
            Some((from, input, output)) => {
                CarriedNode { to, state, from: Some(from), input, output }
            }
            None => CarriedNode { to, state, from: None, input: None, output: None },
        }
    });
    Ok(with_values.collect())
}

/// A run of a graph that begins.
pub(super) struct NewRun {
    pub(super) script: Db<ScriptId>,
    pub(super) graph: Arc<Graph>,
    pub(super) lead: String,
    pub(super) notes: Option<String>,
    pub(super) follows: Option<SessionId>,
    pub(super) idempotency_key: Option<String>,
    pub(super) deadline_at: Option<Timestamp>,
    pub(super) is_held: bool,
}

/// Inserts a run with its nodes.
pub(super) async fn begin(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
    run: NewRun,
    carried: Vec<CarriedNode>,
) -> Result<LockedGraph> {
    let kind = workflow.kind.0.session();
    let session = sessions::of_kind(tx, workflow.id, (kind, Trigger::Manual), 0);
    sessions::insert(tx, &session).await?;
    let row = GraphRunRow {
        session_id: session.id,
        workspace_id: workflow.workspace_id,
        workflow_id: workflow.id,
        kind: Db(kind),
        script_id: run.script,
        status: Db(GraphStatus::Running),
        held: run.is_held,
        lead: storable(run.lead),
        notes: run.notes.map(storable),
        follows_id: run.follows.map(Db),
        idempotency_key: run.idempotency_key.map(storable),
        failure_count: 0,
        deadline_at: run.deadline_at.map(At),
        journal_seq: 0,
        checkpoint_count: 0,
        updated_at: At(tx.now),
    };
    diesel::insert_into(graph_runs::table).values(&row).execute(tx.conn).await?;
    let mut carried: BTreeMap<usize, CarriedNode> =
        carried.into_iter().map(|node| (node.to, node)).collect();
    let nodes: Vec<NodeRunRow> = (0..run.graph.nodes.len())
        .filter_map(|position| {
            node_row(tx, &row, &run.graph, (position, carried.remove(&position)))
        })
        .collect();
    for batch in nodes.chunks(super::super::BATCH) {
        diesel::insert_into(node_runs::table).values(batch).execute(tx.conn).await?;
    }
    load::load(tx, workflow, session.id.0).await
}

fn node_row(
    tx: &Tx<'_>,
    run: &GraphRunRow,
    graph: &Graph,
    (position, carried): (usize, Option<CarriedNode>),
) -> Option<NodeRunRow> {
    let node = graph.nodes.get(position)?;
    let (state, from, input, output) = match carried {
        Some(it) => (it.state, it.from, it.input, it.output),
        None => (NodeState::default(), None, None, None),
    };
    Some(NodeRunRow {
        id: Db(tx.mint()),
        session_id: run.session_id,
        workspace_id: run.workspace_id,
        workflow_id: run.workflow_id,
        node_id: node.id.clone(),
        position: i32::try_from(position).ok()?,
        node_type: Db(node.node_type),
        owner_type: Db(node.owner.executor_type),
        owner_ref: node.owner.reference.clone(),
        status: Db(state.status),
        attempt_count: to_i32(state.attempt_count),
        retry_count: to_i32(state.retry_count),
        effect_round: to_i32(state.effect_round),
        transient_failures: 0,
        effect: Db(state.effect),
        must_continue: false,
        input,
        output,
        blocked_reason: state.blocked_reason.map(storable),
        failure_class: state.failure.map(Db),
        run_id: None,
        carried_from: from,
        available_at: None,
        deadline_at: None,
        ready_at: None,
        started_at: None,
        completed_at: state.status.is_final().then_some(At(tx.now)),
        updated_at: At(tx.now),
    })
}
