//! Finds everything that is wrong with a normalised draft.

mod characters;
mod contract;
mod edges;
mod inputs;
mod nodes;
mod reach;
mod tool_input;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::draft::{Draft, DraftEdge, DraftNode};
use super::finding::{Finding, FindingCode};
use super::schema;
use super::words::OwnerType;
use crate::capability::Capability;

/// How many nodes a graph may have.
pub const MAX_NODES: usize = 300;
/// How many nodes of a run may be begun at once.
pub const MAX_PARALLEL: u32 = 16;
/// How many attempts a node may have.
pub const MAX_ATTEMPTS: u32 = 20;
/// The longest timeout of a node: thirty days, in milliseconds.
const MAX_TIMEOUT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How long an id or a name may be, in characters.
const MAX_ID_CHARS: usize = 120;

/// What exists where a graph is to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// The agents and skills, where somebody keeps a list of them.
    pub roster: Option<Roster>,
    /// The tools by name, such as `Files.append`; none where they are not known.
    pub tools: Option<BTreeMap<String, KnownTool>>,
}

/// The agents and skills that there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roster {
    /// The names of agents.
    pub agents: BTreeSet<String>,
    /// The names of skills.
    pub plugins: BTreeSet<String>,
    /// Whether no other may own a node.
    pub is_strict: bool,
}

/// What the validator knows of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTool {
    /// Whether calling it again could have an effect again.
    pub leaves_traces: bool,
    /// The JSON Schema of its input: it takes exactly the properties that are declared.
    pub input: Value,
}

impl Known {
    /// The tool that owns a node, where it is known.
    fn tool_of(&self, node: &DraftNode) -> Option<&KnownTool> {
        let owner = node.owner.as_ref()?;
        let is_tool = owner.executor_type.known() == Some(&OwnerType::System)
            && node.node_type.known().is_some_and(|it| it.is_work());
        let tool = owner.reference.parse::<Capability>().ok().filter(|_tool| is_tool)?;
        self.tools.as_ref()?.get(&format!("{}.{}", tool.namespace(), tool.method()))
    }
}

/// All findings, ordered by the position of their node in the draft, by code and by path. Those of the whole graph come first.
#[must_use]
pub fn validate(draft: &Draft, known: &Known) -> Vec<Finding> {
    let mut found = Findings::default();
    plan(draft, &mut found);
    characters::check(draft, &mut found);
    // A graph that is far too large is not looked at further: its findings would be too.
    if draft.nodes.len() <= MAX_NODES && draft.edges.len() <= MAX_NODES * MAX_NODES {
        let view = View::of(draft);
        schemas(draft, &mut found);
        for (position, node) in draft.nodes.iter().enumerate() {
            nodes::check(&view, (position, node), known, &mut found);
            contract::check(&view, (position, node), &mut found);
            inputs::check(&view, (position, node), known, &mut found);
        }
        for (number, edge) in draft.edges.iter().enumerate() {
            edges::check(&view, (number, edge), &mut found);
        }
        edges::check_siblings(&view, &mut found);
        reach::check(&view, &mut found);
    }
    found.sorted(draft)
}

fn plan(draft: &Draft, found: &mut Findings) {
    if draft.nodes.is_empty() {
        found.add(None, FindingCode::PlanEmpty, "nodes", "the plan has no nodes");
    }
    if draft.nodes.len() > MAX_NODES {
        let message = format!("the plan has {} nodes, more than {MAX_NODES}", draft.nodes.len());
        found.add(None, FindingCode::PlanTooLarge, "nodes", message);
    }
    if draft.edges.len() > MAX_NODES * MAX_NODES {
        found.add(None, FindingCode::PlanTooLarge, "edges", "the plan has too many edges");
    }
    for (text, code, name) in [
        (&draft.title, FindingCode::PlanTitleMissing, "title"),
        (&draft.objective, FindingCode::PlanObjectiveMissing, "objective"),
    ] {
        if text.trim().is_empty() {
            found.add(None, code, name, format!("the plan needs `{name}`"));
        }
    }
    if draft.max_parallel.is_some_and(|count| count == 0 || count > MAX_PARALLEL) {
        let message = format!("`maxParallel` is between 1 and {MAX_PARALLEL}");
        found.add(None, FindingCode::MaxParallelInvalid, "maxParallel", message);
    }
    found.unknown_fields(None, "", draft.unknown.keys());
}

fn schemas(draft: &Draft, found: &mut Findings) {
    let used: BTreeSet<&String> = draft
        .nodes
        .iter()
        .flat_map(|node| [&node.input_schema_ref, &node.output_schema_ref])
        .flatten()
        .collect();
    for (name, json_schema) in &draft.schemas {
        let path = format!("schemas.{name}");
        for problem in schema::problems(json_schema) {
            let inner =
                if problem.path.is_empty() { String::new() } else { format!(".{}", problem.path) };
            let message = format!("schema `{name}`{inner}: {}", problem.message);
            found.add(None, FindingCode::SchemaInvalid, format!("{path}{inner}"), message);
        }
        if !used.contains(name) {
            let message = format!("no node refers to schema `{name}`");
            found.add(None, FindingCode::SchemaUnused, path, message);
        }
    }
}

/// A draft with what the checks look up in it.
struct View<'a> {
    draft: &'a Draft,
    /// The first position of each id.
    positions: BTreeMap<&'a str, usize>,
    /// The edges that lead to each node, and those that leave it, by number. Edges without both nodes are left out.
    incoming: Vec<Vec<usize>>,
    outgoing: Vec<Vec<usize>>,
}

impl<'a> View<'a> {
    fn of(draft: &'a Draft) -> Self {
        let mut positions = BTreeMap::new();
        for (position, node) in draft.nodes.iter().enumerate() {
            positions.entry(node.id.as_str()).or_insert(position);
        }
        let mut incoming = vec![Vec::new(); draft.nodes.len()];
        let mut outgoing = incoming.clone();
        for (number, edge) in draft.edges.iter().enumerate() {
            let ends = [edge.from.as_str(), edge.to.as_str()].map(|id| positions.get(id).copied());
            if let [Some(from), Some(to)] = ends {
                outgoing.get_mut(from).into_iter().for_each(|edges| edges.push(number));
                incoming.get_mut(to).into_iter().for_each(|edges| edges.push(number));
            }
        }
        Self { draft, positions, incoming, outgoing }
    }

    fn node(&self, id: &str) -> Option<&'a DraftNode> {
        self.draft.nodes.get(*self.positions.get(id)?)
    }

    fn incoming(&self, position: usize) -> impl Iterator<Item = (usize, &'a DraftEdge)> {
        self.edges(self.incoming.get(position))
    }

    fn outgoing(&self, position: usize) -> impl Iterator<Item = (usize, &'a DraftEdge)> {
        self.edges(self.outgoing.get(position))
    }

    fn edges(&self, numbers: Option<&Vec<usize>>) -> impl Iterator<Item = (usize, &'a DraftEdge)> {
        let numbers = numbers.cloned().unwrap_or_default();
        let draft = self.draft;
        numbers.into_iter().filter_map(|number| Some((number, draft.edges.get(number)?)))
    }

    /// The schema of that name.
    fn schema(&self, name: Option<&String>) -> Option<&'a Value> {
        self.draft.schemas.get(name?)
    }
}

/// The findings so far, each with the position of its node.
#[derive(Default)]
struct Findings(Vec<(Option<usize>, Finding)>);

impl Findings {
    fn add(
        &mut self,
        position: Option<usize>,
        code: FindingCode,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> &mut Finding {
        let at = self.0.len();
        self.0.push((position, Finding::new(code, path, message)));
        // It was just pushed.
        #[expect(clippy::indexing_slicing, reason = "the place exists")]
        &mut self.0[at].1
    }

    fn unknown_fields<'k>(
        &mut self,
        position: Option<usize>,
        path: &str,
        names: impl Iterator<Item = &'k String>,
    ) {
        for name in names {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let message = format!("`{name}` is unknown here and left out");
            self.add(position, FindingCode::FieldUnknown, path, message);
        }
    }

    fn sorted(mut self, draft: &Draft) -> Vec<Finding> {
        self.0.sort_by(|(one_at, one), (other_at, other)| {
            let key = |at: &Option<usize>| at.map_or(0, |at| at + 1);
            (key(one_at), one.code.as_str(), &one.path).cmp(&(
                key(other_at),
                other.code.as_str(),
                &other.path,
            ))
        });
        let named = |(position, finding): (Option<usize>, Finding)| {
            let node = position.and_then(|position| draft.nodes.get(position));
            Finding { node: node.map(|node| node.id.clone()), ..finding }
        };
        self.0.into_iter().map(named).collect()
    }
}

#[cfg(test)]
mod tests;
