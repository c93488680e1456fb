//! A plan as it stands: its run, the version that it follows, its nodes, and what was asked for besides.

use serde::Serialize;
use serde_json::{Map, Value};
use windlass_core::graph::{Edge, Graph, GraphStatus, NodeStatus, Schemas};
use windlass_core::{JournalId, ScriptId, SessionId, Timestamp, WorkflowKind};
use windlass_store::{
    EventsAfter, GraphFilter, GraphIncludes, GraphOrder, GraphRun, GraphSelector, GraphView,
    NodeRun,
};

use super::node::{PlanNode, node};
use super::parts::{PlanArtifact, PlanCheckpoint, PlanEvent, PlanIssue, events, issues};
use crate::service::approvals::ApprovalView;
use crate::service::error::Result;
use crate::service::handle::Service;

/// How many replaced runs are looked through for what was done before.
const ANCESTORS: usize = 5;
/// How many events are read at the most.
const MAX_EVENTS: u32 = 10_000;
/// How many runs of a workstream are looked through for one that replaced another.
const MAX_RUNS: u32 = 1_000;

/// What is read of a plan besides its run, its version and its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanIncludes {
    /// What happened.
    pub events: bool,
    /// What was made.
    pub artifacts: bool,
    /// What people were asked.
    pub approvals: bool,
    /// What was known after each change.
    pub checkpoints: bool,
    /// What the checks of the draft and of results found.
    pub issues: bool,
}

impl PlanIncludes {
    /// Everything.
    pub const ALL: Self =
        Self { events: true, artifacts: true, approvals: true, checkpoints: true, issues: true };
    /// What somebody needs who goes on with the plan.
    pub const AFTER_A_CHANGE: Self =
        Self { events: false, artifacts: true, approvals: true, checkpoints: false, issues: true };
}

impl From<PlanIncludes> for GraphIncludes {
    fn from(includes: PlanIncludes) -> Self {
        Self {
            events: includes.events.then_some(EventsAfter { seq: 0, limit: MAX_EVENTS }),
            attempts: includes.issues,
            artifacts: includes.artifacts,
            approvals: includes.approvals,
            // Each checkpoint is an event too.
            checkpoints: includes.checkpoints || includes.events,
        }
    }
}

/// A plan as it stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// Its run.
    pub run: PlanRun,
    /// The version of the plan that the run follows.
    pub spec: PlanSpec,
    /// The nodes by position.
    pub nodes: Vec<PlanNode>,
    /// How many nodes have come how far.
    pub progress: PlanProgress,
    /// What was done in the runs that this one replaced, the oldest first.
    pub carried_nodes: Vec<CarriedNode>,
    /// What happened, the oldest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<PlanEvent>>,
    /// What was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Vec<PlanArtifact>>,
    /// What people were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Vec<ApprovalView>>,
    /// What was known after each change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<Vec<PlanCheckpoint>>,
    /// What the checks of the draft and of results found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_issues: Option<Vec<PlanIssue>>,
}

/// A run of a plan.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRun {
    /// Its id.
    pub id: SessionId,
    /// How far it has come.
    pub status: GraphStatus,
    /// Whether it waits for a person to let it start.
    pub is_held: bool,
    /// The first node that is at work.
    pub current_node_id: Option<String>,
    /// The first node that waits for a person.
    pub waiting_node_id: Option<String>,
    /// The nodes that may begin, by position.
    pub ready_node_ids: Vec<String>,
    /// The final failures in a row.
    pub failure_count: u32,
    /// Who leads it.
    pub lead_agent_id: String,
    /// The run that it replaces.
    pub replaced_run_id: Option<SessionId>,
    /// The last of its checkpoints, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_checkpoint_id: Option<JournalId>,
    /// Why it failed or was ended.
    pub error: Option<String>,
    /// What its calls cost, in microdollars.
    pub cost: i64,
    /// When it has to be over.
    pub deadline_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When one of its nodes last changed.
    pub updated_at: Timestamp,
}

/// A version of a plan. It never changes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSpec {
    /// Its id.
    pub id: ScriptId,
    /// The workstream that it belongs to.
    pub workstream: String,
    /// Its number: 1 for a new plan, and one more for each that replaces it.
    pub version: u32,
    /// `compiled`, or `superseded` once another version replaced it.
    pub status: &'static str,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub objective: String,
    /// JSON Schemas by name.
    pub schema_registry: Schemas,
    /// The edges between the nodes.
    pub edges: Vec<Edge>,
    /// The nodes that the author named as entries.
    pub entry_node_ids: Vec<String>,
    /// How many nodes may be begun at once.
    pub max_parallel: u32,
    /// The version that it replaces.
    pub replaced_spec_id: Option<ScriptId>,
}

/// How many nodes have come how far.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanProgress {
    /// All of them.
    pub total: usize,
    /// The count of each status.
    #[serde(flatten)]
    pub counts: Map<String, Value>,
    /// The part that is completed, partial or skipped, with four decimals; none where there are no nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_ratio: Option<f64>,
}

/// A node that was done in a run that was replaced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CarriedNode {
    /// That run.
    pub run_id: SessionId,
    /// The node.
    pub node_id: String,
    /// Its name for people.
    pub label: String,
    /// Completed or partial.
    pub status: NodeStatus,
    /// What it came to.
    pub output: Option<Value>,
}

impl Service {
    /// A run as people and agents see it.
    pub(super) async fn plan_view(
        &self,
        view: GraphView,
        includes: PlanIncludes,
    ) -> Result<PlanView> {
        let ancestors = self.ancestors(&view.run).await?;
        let is_superseded = self.is_superseded(&view.run).await?;
        let carried = ancestors.iter().rev().flat_map(carried_nodes).collect();
        let last_checkpoint_id = view.checkpoints.last().map(|entry| entry.id);
        Ok(PlanView {
            spec: PlanSpec {
                replaced_spec_id: ancestors.first().map(|replaced| replaced.run.script_id),
                ..spec(&view.run, &view.graph, is_superseded)
            },
            run: PlanRun { last_checkpoint_id, ..run(&view.run, &view.nodes) },
            progress: progress(&view.nodes),
            carried_nodes: carried,
            events: includes.events.then(|| events(view.events, &view.checkpoints)),
            artifacts: includes
                .artifacts
                .then(|| view.artifacts.into_iter().map(PlanArtifact::from).collect()),
            approvals: includes
                .approvals
                .then(|| view.approvals.into_iter().map(ApprovalView::from).collect()),
            checkpoints: includes
                .checkpoints
                .then(|| view.checkpoints.into_iter().map(PlanCheckpoint::from).collect()),
            validation_issues: includes.issues.then(|| issues(&view.graph, view.attempts)),
            nodes: view
                .nodes
                .into_iter()
                .filter_map(|state| Some(node(view.graph.nodes.get(state.position)?, state)))
                .collect(),
        })
    }

    /// The runs that a run replaced, the newest first.
    async fn ancestors(&self, run: &GraphRun) -> Result<Vec<GraphView>> {
        let mut found = Vec::new();
        let mut next = run.follows_id;
        while let Some(id) = next.filter(|_id| found.len() < ANCESTORS) {
            let which = GraphSelector::Session(id);
            let includes = GraphIncludes::default();
            let Some(view) = self.store.graph(self.workspace, which, includes).await? else {
                break;
            };
            next = view.run.follows_id;
            found.push(view);
        }
        Ok(found)
    }

    /// Whether another run replaced this one. Only a run that was aborted can have been.
    async fn is_superseded(&self, run: &GraphRun) -> Result<bool> {
        if run.status != GraphStatus::Aborted {
            return Ok(false);
        }
        let filter = GraphFilter {
            workspace: self.workspace,
            kind: WorkflowKind::Plan,
            workflow: Some(run.workflow_id),
            statuses: Vec::new(),
            order: GraphOrder::Begun,
            limit: MAX_RUNS,
            offset: 0,
        };
        let runs = self.store.graphs(filter).await?.runs;
        Ok(runs.iter().any(|other| other.follows_id == Some(run.id)))
    }
}

fn run(run: &GraphRun, nodes: &[NodeRun]) -> PlanRun {
    let with = |status: NodeStatus| nodes.iter().filter(move |node| node.status == status);
    let first = |status: NodeStatus| with(status).next().map(|node| node.node_id.clone());
    let is_open = !run.status.is_over();
    PlanRun {
        id: run.id,
        status: run.status,
        is_held: run.is_held && is_open,
        current_node_id: first(NodeStatus::Running).filter(|_id| is_open),
        waiting_node_id: first(NodeStatus::AwaitingHuman).filter(|_id| is_open),
        ready_node_ids: with(NodeStatus::Ready).map(|node| node.node_id.clone()).collect(),
        failure_count: run.failure_count,
        lead_agent_id: run.lead.clone(),
        replaced_run_id: run.follows_id,
        last_checkpoint_id: None,
        error: run.error.clone(),
        cost: run.cost,
        deadline_at: run.deadline_at,
        started_at: run.created_at,
        completed_at: run.ended_at,
        updated_at: run.updated_at,
    }
}

fn spec(run: &GraphRun, graph: &Graph, is_superseded: bool) -> PlanSpec {
    PlanSpec {
        id: run.script_id,
        workstream: run.workflow.clone(),
        version: spec_version(run),
        status: if is_superseded { "superseded" } else { "compiled" },
        title: graph.title.clone(),
        objective: graph.objective.clone(),
        schema_registry: graph.schemas.clone(),
        edges: graph.edges.clone(),
        entry_node_ids: graph.entry_node_ids.clone(),
        max_parallel: graph.max_parallel,
        replaced_spec_id: None,
    }
}

/// The number of the version within its plan.
pub(super) const fn spec_version(run: &GraphRun) -> u32 {
    run.version.1.saturating_add(1)
}

fn progress(nodes: &[NodeRun]) -> PlanProgress {
    let count = |status: NodeStatus| nodes.iter().filter(|node| node.status == status).count();
    let counts = NodeStatus::ALL.iter().map(|status| {
        let name =
            if *status == NodeStatus::AwaitingHuman { "awaitingHuman" } else { status.as_str() };
        (name.to_owned(), Value::from(count(*status)))
    });
    let done =
        count(NodeStatus::Completed) + count(NodeStatus::Partial) + count(NodeStatus::Skipped);
    let total = nodes.len();
    // Graphs have hundreds of nodes at the most, so the numbers are exact.
    let ratio = |part: usize| u32::try_from(part).map(f64::from).unwrap_or_default();
    let completion_ratio =
        (total > 0).then(|| (ratio(done) / ratio(total) * 10_000.0).round() / 10_000.0);
    PlanProgress { total, counts: counts.collect(), completion_ratio }
}

/// What a replaced run itself did, without what it took over.
fn carried_nodes(view: &GraphView) -> Vec<CarriedNode> {
    let done =
        view.nodes.iter().filter(|node| node.status.has_result() && node.carried_from.is_none());
    let with_node = done.filter_map(|state| Some((view.graph.nodes.get(state.position)?, state)));
    with_node
        .filter(|(node, _)| !node.node_type.is_structural())
        .map(|(node, state)| CarriedNode {
            run_id: view.run.id,
            node_id: state.node_id.clone(),
            label: node.label.clone(),
            status: state.status,
            output: state.output.clone(),
        })
        .collect()
}
