//! A node of a plan: its contract, and how far it has come.

use serde::Serialize;
use serde_json::Value;
use windlass_core::graph::{
    CompletionCheck, ContextPolicy, Deliverable, FailureRule, Node, NodeFailureClass, NodeStatus,
    NodeType, Owner, RetryPolicy, ToolPolicy,
};
use windlass_core::{NodeRunId, RunId, Timestamp};
use windlass_store::NodeRun;

/// A node of a plan, and how far it has come.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanNode {
    /// Its id in the plan.
    pub node_id: String,
    /// How far it has come.
    pub status: NodeStatus,
    /// How many attempts were begun.
    pub attempt_count: u32,
    /// How often it was tried again by itself.
    pub retry_count: u32,
    /// Its place in the plan.
    pub position: usize,
    /// What it is.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// Its name for people.
    pub label: String,
    /// Who does it.
    pub owner: Owner,
    /// Its input, once it may begin.
    pub input: Option<Value>,
    /// Its output, once it has a result.
    pub output: Option<Value>,
    /// Why it is blocked.
    pub blocked_reason: Option<String>,
    /// Why it failed last or is blocked.
    pub failure_class: Option<NodeFailureClass>,
    /// The handler run that has it, or had it last.
    pub handler_run_id: Option<RunId>,
    /// The node of a replaced run whose result it took over.
    pub carried_from: Option<NodeRunId>,
    /// It does not begin before.
    pub available_at: Option<Timestamp>,
    /// Its attempt is over then.
    pub deadline_at: Option<Timestamp>,
    /// When it might begin.
    pub ready_at: Option<Timestamp>,
    /// When its last attempt began.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub completed_at: Option<Timestamp>,
    /// What it has to do and to deliver.
    #[serde(flatten)]
    pub contract: NodeContract,
}

/// What a node has to do and to deliver.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeContract {
    /// What it is for.
    pub objective: String,
    /// What is to be done.
    pub instructions: String,
    /// The name of its input's schema.
    pub input_schema_ref: Option<String>,
    /// The name of its output's schema.
    pub output_schema_ref: Option<String>,
    /// What it makes.
    pub deliverables: Vec<Deliverable>,
    /// When it is done well.
    pub success_criteria: Vec<String>,
    /// What its result is checked for.
    pub completion_checks: Vec<CompletionCheck>,
    /// When it is tried again.
    pub retry_policy: RetryPolicy,
    /// What happens when it failed for good.
    pub failure_policy: Vec<FailureRule>,
    /// How long it may take.
    pub timeout_ms: Option<u64>,
    /// Which tools its owner may use.
    pub tool_policy: ToolPolicy,
    /// What its owner may look at.
    pub context_policy: ContextPolicy,
    /// The nodes that lead to it.
    pub upstream_node_ids: Vec<String>,
    /// The nodes that it leads to.
    pub downstream_node_ids: Vec<String>,
}

/// A node of a graph, and how far it has come.
pub(super) fn node(node: &Node, state: NodeRun) -> PlanNode {
    PlanNode {
        node_id: state.node_id,
        status: state.status,
        attempt_count: state.attempt_count,
        retry_count: state.retry_count,
        position: state.position,
        node_type: node.node_type,
        label: node.label.clone(),
        owner: node.owner.clone(),
        input: state.input,
        output: state.output,
        blocked_reason: state.blocked_reason,
        failure_class: state.failure_class,
        handler_run_id: state.run_id,
        carried_from: state.carried_from,
        available_at: state.available_at,
        deadline_at: state.deadline_at,
        ready_at: state.ready_at,
        started_at: state.started_at,
        completed_at: state.completed_at,
        contract: contract(node.clone()),
    }
}

fn contract(node: Node) -> NodeContract {
    NodeContract {
        objective: node.objective,
        instructions: node.instructions,
        input_schema_ref: node.input_schema_ref,
        output_schema_ref: node.output_schema_ref,
        deliverables: node.deliverables,
        success_criteria: node.success_criteria,
        completion_checks: node.completion_checks,
        retry_policy: node.retry_policy,
        failure_policy: node.failure_policy,
        timeout_ms: node.timeout_ms,
        tool_policy: node.tool_policy,
        context_policy: node.context_policy,
        upstream_node_ids: node.upstream_node_ids,
        downstream_node_ids: node.downstream_node_ids,
    }
}
