//! Lists of plans, and of what somebody has to do in them.

use serde::Serialize;
use windlass_core::graph::{GraphStatus, Node, NodeStatus, NodeType, OwnerType};
use windlass_core::{Actor, ApprovalId, ApprovalStatus, SessionId, Timestamp, WorkflowKind};
use windlass_store::{GraphFilter, GraphIncludes, GraphOrder, GraphRun, GraphSelector, GraphView};

use super::view::spec_version;
use crate::service::error::Result;
use crate::service::handle::Service;

/// How many runs that are not over are looked through.
const MAX_OPEN: u32 = 10_000;

/// A run of a plan in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanRow {
    /// The workstream.
    pub workstream: String,
    /// The run.
    pub run_id: SessionId,
    /// What the workstream is called.
    pub title: String,
    /// The number of the plan's version.
    pub version: u32,
    /// How far the run has come.
    pub status: GraphStatus,
    /// Whether it waits for a person to let it start.
    pub is_held: bool,
    /// Who leads it.
    pub lead_agent_id: String,
    /// The final failures in a row.
    pub failure_count: u32,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl From<GraphRun> for PlanRow {
    fn from(run: GraphRun) -> Self {
        Self {
            version: spec_version(&run),
            workstream: run.workflow,
            run_id: run.id,
            title: run.title,
            status: run.status,
            is_held: run.is_held && !run.status.is_over(),
            lead_agent_id: run.lead,
            failure_count: run.failure_count,
            started_at: run.created_at,
            completed_at: run.ended_at,
        }
    }
}

/// Something that its owner has to do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxRow {
    /// The workstream.
    pub workstream: String,
    /// The run.
    pub run_id: SessionId,
    /// The node.
    pub node_id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// Its name for people.
    pub label: String,
    /// What it is for.
    pub objective: String,
    /// Who does it, for example `agent:ada`.
    pub owner: String,
    /// How far it has come.
    pub status: NodeStatus,
    /// What a person has to answer.
    pub approval_id: Option<ApprovalId>,
    /// Since when it might be done.
    pub ready_at: Option<Timestamp>,
}

impl Service {
    /// The runs of plans, newest first: `limit` of them.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plans(&self, limit: u32) -> Result<Vec<PlanRow>> {
        let runs = self.runs_of_plans(Vec::new(), limit).await?;
        Ok(runs.into_iter().map(PlanRow::from).collect())
    }

    /// What an agent or a person has to do in all plans: `agent:ada`, `user:bob`, or the name alone.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plan_inbox(&self, owner: &str) -> Result<Vec<InboxRow>> {
        let open = vec![GraphStatus::Running, GraphStatus::AwaitingHuman, GraphStatus::Blocked];
        let includes = GraphIncludes { approvals: true, ..GraphIncludes::default() };
        let mut rows = Vec::new();
        for run in self.runs_of_plans(open, MAX_OPEN).await? {
            let which = GraphSelector::Session(run.id);
            if let Some(view) = self.store.graph(self.workspace, which, includes).await? {
                rows.extend(inbox_of(&view, owner));
            }
        }
        Ok(rows)
    }

    async fn runs_of_plans(&self, statuses: Vec<GraphStatus>, limit: u32) -> Result<Vec<GraphRun>> {
        let filter = GraphFilter {
            workspace: self.workspace,
            kind: WorkflowKind::Plan,
            workflow: None,
            statuses,
            order: GraphOrder::Begun,
            limit,
            offset: 0,
        };
        Ok(self.store.graphs(filter).await?.runs)
    }
}

fn inbox_of(view: &GraphView, owner: &str) -> Vec<InboxRow> {
    let is_open = |status: NodeStatus| {
        matches!(
            status,
            NodeStatus::Ready
                | NodeStatus::Running
                | NodeStatus::AwaitingHuman
                | NodeStatus::Blocked
        )
    };
    let nodes = view.nodes.iter().filter(|state| is_open(state.status));
    let nodes = nodes.filter_map(|state| Some((view.graph.nodes.get(state.position)?, state)));
    nodes
        .filter(|(node, _)| is_owner(node, owner))
        .map(|(node, state)| {
            let asked = view.approvals.iter().find(|approval| {
                approval.status == ApprovalStatus::Pending
                    && approval.node_id.as_deref() == Some(node.id.as_str())
            });
            InboxRow {
                workstream: view.run.workflow.clone(),
                run_id: view.run.id,
                node_id: node.id.clone(),
                node_type: node.node_type,
                label: node.label.clone(),
                objective: node.objective.clone(),
                owner: owner_text(node),
                status: state.status,
                approval_id: asked.map(|approval| approval.id),
                ready_at: state.ready_at,
            }
        })
        .collect()
}

/// The owner of a node as the journal names actors.
fn owner_text(node: &Node) -> String {
    let (kind, name) = (node.owner.executor_type, node.owner.reference.as_str());
    if name.parse::<Actor>().is_ok() { name.to_owned() } else { format!("{kind}:{name}") }
}

fn is_owner(node: &Node, wanted: &str) -> bool {
    let is_somebody = matches!(node.owner.executor_type, OwnerType::Agent | OwnerType::User);
    let own = owner_text(node);
    is_somebody && (own == wanted || own.split_once(':').is_some_and(|(_, name)| name == wanted))
}
