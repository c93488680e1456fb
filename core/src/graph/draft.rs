//! What the author of a graph writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::finding::{Finding, FindingCode};
use super::schema::Schemas;
use super::words::{
    ArtifactKind, Cancellability, CheckType, FailureAction, FailureTrigger, JoinMode, NodeType,
    OwnerType, Severity, Word,
};

/// How long the text of a draft may be, in bytes.
pub const MAX_DRAFT_BYTES: usize = 4 * 1024 * 1024;

/// A graph as its author wrote it. It may be wrong in every way that [`validate`](super::validate()) finds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Draft {
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub objective: String,
    /// Who leads it, for example `agent:planner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
    /// Schemas by name: JSON Schemas once the draft is normalised.
    pub schemas: Schemas,
    /// The nodes.
    pub nodes: Vec<DraftNode>,
    /// The edges between them.
    pub edges: Vec<DraftEdge>,
    /// The nodes that a run begins with; all without an incoming edge where this is empty.
    pub entry_node_ids: Vec<String>,
    /// How many nodes may be begun at once; 1 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// How many final failures in a row stop the run; 2 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_budget: Option<u32>,
    /// Whether the nodes of agents begin by themselves; yes where nothing is said. A recorded plan says no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_start: Option<bool>,
    /// Fields that no draft has. They are reported and left out.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

impl Draft {
    /// Reads the text of a draft.
    ///
    /// # Errors
    /// A finding where it is too long, or is no JSON of the form of a draft.
    pub fn read(text: &str) -> Result<Self, Finding> {
        if text.len() > MAX_DRAFT_BYTES {
            let message = format!(
                "the draft has {} bytes, more than {MAX_DRAFT_BYTES}: keep large texts in files, and name them",
                text.len()
            );
            return Err(Finding::new(FindingCode::PlanTooLarge, "", message));
        }
        serde_json::from_str(text).map_err(|error| {
            Finding::new(
                FindingCode::PlanUnreadable,
                "",
                format!("the draft cannot be read: {error}"),
            )
        })
    }
}

/// A node as its author wrote it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DraftNode {
    /// Its id, unique in the graph.
    pub id: String,
    /// What it is; a node without a type is an action.
    #[serde(rename = "type")]
    pub node_type: Word<NodeType>,
    /// Its name for people.
    pub label: String,
    /// Who does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner<Word<OwnerType>>>,
    /// What it is for.
    pub objective: String,
    /// What is to be done.
    pub instructions: String,
    /// Constants of its input. What edges map goes over them.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub input: Map<String, Value>,
    /// The schema of its input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema_ref: Option<String>,
    /// The schema of its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_schema_ref: Option<String>,
    /// What it makes.
    pub deliverables: Vec<Deliverable<Word<ArtifactKind>>>,
    /// When it is done well, in words.
    pub success_criteria: Vec<String>,
    /// What its result is checked for.
    pub completion_checks: Vec<CompletionCheck<Word<CheckType>>>,
    /// When it is tried again.
    pub retry_policy: RetryPolicy<Word<FailureTrigger>>,
    /// What happens when it failed for good: the first rule that fits.
    pub failure_policy: Vec<FailureRule<Word<FailureTrigger>, Word<FailureAction>>>,
    /// How long it may take, in milliseconds; 0 is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// Which tools its owner may use.
    pub tool_policy: ToolPolicy,
    /// What its owner may look at.
    pub context_policy: ContextPolicy,
    /// When it may begin, where several edges lead to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join_mode: Option<Word<JoinMode>>,
    /// What a recorded step says of its call.
    #[serde(flatten)]
    pub recorded: Recorded,
    /// Fields that no node has. They are reported and left out.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}

impl Default for Word<NodeType> {
    fn default() -> Self {
        Self::Known(NodeType::Action)
    }
}

/// Who does a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner<T = OwnerType> {
    /// What kind of owner it is.
    pub executor_type: T,
    /// Which one: the name of an agent, of a person, of a skill, or a tool such as `Files.append`.
    #[serde(rename = "ref", default)]
    pub reference: String,
}

/// Something that a node makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliverable<K = ArtifactKind> {
    /// Its name, unique in the node.
    pub name: String,
    /// What kind of thing it is.
    pub kind: K,
    /// Whether the node is not done without it.
    #[serde(default)]
    pub required: bool,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
}

/// What the result of a node is checked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionCheck<T = CheckType> {
    /// What it looks at.
    #[serde(rename = "type")]
    pub check_type: T,
    /// What it is for, in words.
    #[serde(default)]
    pub description: String,
    /// The deliverable, or the field of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What the field has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The fewest characters or items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// The most items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// Whether a result that fails it is rejected.
    #[serde(default = "blocking")]
    pub severity: Severity,
}

const fn blocking() -> Severity {
    Severity::Blocking
}

/// When a node is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "T: Deserialize<'de>"))]
pub struct RetryPolicy<T = FailureTrigger> {
    /// How many attempts there are in all.
    pub max_attempts: i64,
    /// How long to wait after the first failure, in milliseconds. It doubles with each failure.
    pub backoff_ms: u64,
    /// After which failures.
    pub retry_on: Vec<T>,
}

impl<T> Default for RetryPolicy<T> {
    fn default() -> Self {
        Self { max_attempts: 1, backoff_ms: 0, retry_on: Vec::new() }
    }
}

/// What happens when a node failed for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRule<T = FailureTrigger, A = FailureAction> {
    /// After which failures.
    pub on: T,
    /// What is done.
    pub action: A,
}

/// Which tools the owner of a node may use. An empty list of allowed ones means what the owner usually has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolPolicy {
    /// Only these.
    pub allow: Vec<String>,
    /// None of these.
    pub deny: Vec<String>,
}

/// What the owner of a node may look at. The engine keeps it for the owner, and does not read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContextPolicy {
    /// Where it may search.
    pub retrieval_scopes: Vec<String>,
    /// Which attachments it is given.
    pub attachment_policy: String,
    /// Whether it may use the web.
    pub web_policy: String,
}

impl Default for ContextPolicy {
    fn default() -> Self {
        Self {
            retrieval_scopes: Vec::new(),
            attachment_policy: "none".to_owned(),
            web_policy: "none".to_owned(),
        }
    }
}

/// What a recorded step says of its call. The engine shows it and acts on none of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recorded {
    /// The tool that the agent calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What it calls it with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// How far that can be undone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancellable: Option<Cancellability>,
    /// What the agent wants to do after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_policy_note: Option<Value>,
}

/// An edge as its author wrote it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DraftEdge {
    /// Its id; `from->to` where none is given.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The node that it leaves.
    pub from: String,
    /// The node that it leads to.
    pub to: String,
    /// It is taken only if this holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Value>,
    /// Fields of the target's input, and the paths in the source that they are filled from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// It is taken where no edge with a condition beside it is.
    #[serde(rename = "default")]
    pub is_default: bool,
    /// Its name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Fields that no edge has. They are reported and left out.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, Value>,
}
