//! A compiled graph. It never changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::condition::Condition;
use super::draft::{
    CompletionCheck, ContextPolicy, Deliverable, FailureRule, Owner, Recorded, RetryPolicy,
    ToolPolicy,
};
use super::finding::Finding;
use super::path::SourcePath;
use super::schema::Schemas;
use super::words::{JoinMode, NodeType, OwnerType};
use crate::capability::{Capability, Grant};
use crate::mutation::digest;

/// A graph of nodes, made by [`compile`](super::compile()). The index of a node in `nodes` is its position: every edge leads from a lower
/// to a higher one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub objective: String,
    /// Who leads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
    /// JSON Schemas by name.
    pub schemas: Schemas,
    /// The nodes by position.
    pub nodes: Vec<Node>,
    /// The edges, by the positions that they lead from and to.
    pub edges: Vec<Edge>,
    /// The entries that the author named.
    pub entry_node_ids: Vec<String>,
    /// How many nodes may be begun at once: 1 to 16.
    pub max_parallel: u32,
    /// How many final failures in a row stop a run; at least 1.
    pub failure_budget: u32,
    /// Whether the nodes of agents begin by themselves. If not, their agents take them up.
    pub auto_start: bool,
    /// What the validator warned of.
    #[serde(default)]
    pub warnings: Vec<Finding>,
}

/// A node of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its id, unique in the graph.
    pub id: String,
    /// What it is.
    #[serde(rename = "type")]
    pub node_type: NodeType,
    /// Its name for people.
    pub label: String,
    /// Who does it.
    pub owner: Owner,
    /// What it is for.
    pub objective: String,
    /// What is to be done.
    pub instructions: String,
    /// Constants of its input.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub input: Map<String, Value>,
    /// The name of its input's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema_ref: Option<String>,
    /// The name of its output's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema_ref: Option<String>,
    /// What it makes.
    pub deliverables: Vec<Deliverable>,
    /// When it is done well, in words.
    pub success_criteria: Vec<String>,
    /// What its result is checked for.
    pub completion_checks: Vec<CompletionCheck>,
    /// When it is tried again.
    pub retry_policy: RetryPolicy,
    /// What happens when it failed for good.
    pub failure_policy: Vec<FailureRule>,
    /// How long it may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Which tools its owner may use.
    pub tool_policy: ToolPolicy,
    /// What its owner may look at.
    pub context_policy: ContextPolicy,
    /// When it may begin.
    #[serde(default = "all_settled")]
    pub join_mode: JoinMode,
    /// What a recorded step says of its call.
    #[serde(flatten)]
    pub recorded: Recorded,
    /// The nodes that lead to it, by position.
    #[serde(default)]
    pub upstream_node_ids: Vec<String>,
    /// The nodes that it leads to, by position.
    #[serde(default)]
    pub downstream_node_ids: Vec<String>,
    /// The digest of all that its result depends on.
    #[serde(default)]
    pub contract: String,
}

const fn all_settled() -> JoinMode {
    JoinMode::AllSettled
}

/// An edge of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Edge {
    /// Its id, unique in the graph.
    pub id: String,
    /// The id of the node that it leaves.
    pub from: String,
    /// The id of the node that it leads to.
    pub to: String,
    /// The position of the node that it leaves.
    pub from_position: usize,
    /// The position of the node that it leads to.
    pub to_position: usize,
    /// It is taken only if this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// Fields of the target's input, and what they are filled with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, SourcePath>,
    /// It is taken where no edge with a condition beside it is.
    #[serde(rename = "default", default)]
    pub is_default: bool,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

impl Graph {
    /// The position of the node with that id.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// The edges that lead to a node, by the position of their source.
    pub fn incoming(&self, position: usize) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.to_position == position)
    }

    /// The edges that leave a node.
    pub fn outgoing(&self, position: usize) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.from_position == position)
    }

    /// The tools that its nodes call: what a person has to grant.
    #[must_use]
    pub fn tools(&self) -> Grant {
        let of_tools = self.nodes.iter().filter(|node| {
            node.node_type.is_work() && node.owner.executor_type == OwnerType::System
        });
        of_tools.filter_map(|node| node.owner.reference.parse::<Capability>().ok()).collect()
    }

    /// The digest of everything but the warnings: the same for the same draft.
    #[must_use]
    pub fn digest(&self) -> String {
        let plain = Self { warnings: Vec::new(), ..self.clone() };
        // A graph has no key but texts, so it is always a JSON value.
        digest(&serde_json::to_value(plain).unwrap_or_default())
    }
}

impl Node {
    /// Whether workers run it.
    #[must_use]
    pub const fn is_run_by_workers(&self) -> bool {
        self.node_type.is_work() && self.owner.executor_type.is_worker()
    }
}
