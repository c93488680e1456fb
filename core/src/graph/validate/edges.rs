//! The checks of edges and of the branches that they make.

use super::{Findings, View};
use crate::graph::condition::Condition;
use crate::graph::draft::{DraftEdge, DraftNode};
use crate::graph::finding::FindingCode;
use crate::graph::path::{Root, SourcePath};
use crate::graph::schema::{Place, place};
use crate::graph::words::NodeType;

pub(super) fn check(view: &View<'_>, (number, edge): (usize, &DraftEdge), found: &mut Findings) {
    let path = format!("edges.{number}");
    let from = view.positions.get(edge.from.as_str()).copied();
    let to = view.positions.get(edge.to.as_str()).copied();
    let at = from.or(to);
    if from.is_none() {
        let message = format!("edge `{}` leaves `{}`, which is no node", edge.id, edge.from);
        found.add(at, FindingCode::EdgeSourceUnknown, format!("{path}.from"), message);
    }
    if to.is_none() {
        let message = format!("edge `{}` leads to `{}`, which is no node", edge.id, edge.to);
        found.add(at, FindingCode::EdgeTargetUnknown, format!("{path}.to"), message);
    }
    if edge.from == edge.to {
        let message = format!("edge `{}` leads from `{}` to itself", edge.id, edge.from);
        found.add(at, FindingCode::EdgeSelfLoop, path.clone(), message);
    }
    duplicate(view, (number, edge), found);
    if let Some(when) = &edge.when {
        match Condition::parse(when) {
            Err(invalid) => {
                let message = format!("the condition of edge `{}`: {invalid}", edge.id);
                found.add(at, FindingCode::ConditionInvalid, format!("{path}.when"), message);
            }
            Ok(condition) => {
                if let Some(source) = view.node(&edge.from) {
                    for looked_at in condition.paths() {
                        condition_path(view, (number, edge), (source, looked_at), found);
                    }
                }
            }
        }
    }
    found.unknown_fields(at, &path, edge.unknown.keys());
}

fn duplicate(view: &View<'_>, (number, edge): (usize, &DraftEdge), found: &mut Findings) {
    let at = view.positions.get(edge.from.as_str()).copied();
    let mut earlier = view.draft.edges.iter().take(number);
    let is_same = |other: &DraftEdge| {
        other.id == edge.id
            || (other.from == edge.from
                && other.to == edge.to
                && other.when == edge.when
                && other.is_default == edge.is_default)
    };
    if let Some(other) = earlier.find(|other| is_same(other)) {
        let message = format!(
            "edge `{}` from `{}` to `{}` repeats edge `{}`: give it another id and another condition",
            edge.id, edge.from, edge.to, other.id
        );
        found.add(at, FindingCode::EdgeDuplicate, format!("edges.{number}"), message);
    }
}

fn condition_path(
    view: &View<'_>,
    (number, edge): (usize, &DraftEdge),
    (source, path): (&DraftNode, &SourcePath),
    found: &mut Findings,
) {
    let at = view.positions.get(edge.from.as_str()).copied();
    // A person's answer has fields that every node of its kind has.
    if path.root() == Root::Status || source.node_type.known().is_some_and(|it| it.is_human()) {
        return;
    }
    let schema = view.schema(source.output_schema_ref.as_ref());
    let is_known = schema.map(|schema| place(schema, path.segments()) != Place::Unknown);
    if is_known == Some(true) || source.node_type.known().is_some_and(|it| it.is_structural()) {
        return;
    }
    let message = format!("`{path}` is not in the output schema of node `{}`", source.id);
    let path = format!("edges.{number}.when");
    let finding = found.add(at, FindingCode::ConditionPathUnknown, path, message);
    if is_known.is_none() {
        *finding = finding.clone().warning();
        finding.message =
            format!("node `{}` has no output schema, so its fields are not known", source.id);
    }
}

/// The checks of the edges that leave or reach one node together.
pub(super) fn check_siblings(view: &View<'_>, found: &mut Findings) {
    for (position, node) in view.draft.nodes.iter().enumerate() {
        let at = Some(position);
        let path = format!("nodes.{position}");
        let edges: Vec<&DraftEdge> = view.outgoing(position).map(|(_, edge)| edge).collect();
        let defaults = edges.iter().filter(|edge| edge.is_default).count();
        if defaults > 1 {
            let message =
                format!("{defaults} edges that leave node `{}` are its default: keep one", node.id);
            found.add(at, FindingCode::BranchMultipleDefault, path.clone(), message);
        }
        let is_conditional = |edge: &&DraftEdge| edge.when.is_some() && !edge.is_default;
        if !edges.is_empty() && edges.iter().all(is_conditional) {
            let message =
                format!("if no condition holds after node `{}`, nothing goes on there", node.id);
            found.add(at, FindingCode::BranchNoDefault, path.clone(), message);
        }
        match node.node_type.known() {
            Some(NodeType::Switch) => {
                for edge in edges.iter().filter(|edge| edge.when.is_none() && !edge.is_default) {
                    let message = format!(
                        "edge `{}` leaves switch `{}`: give it a condition, or `default: true`",
                        edge.id, node.id
                    );
                    found.add(at, FindingCode::SwitchUnconditionalEdge, path.clone(), message);
                }
            }
            Some(NodeType::Join) if view.incoming(position).count() < 2 => {
                let message = format!("join `{}` has fewer than two incoming edges", node.id);
                found.add(at, FindingCode::JoinSingleUpstream, path, message);
            }
            Some(_) | None => {}
        }
    }
}
