//! The checks of what edges fill the input of a node with.

use std::collections::BTreeSet;

use super::{Findings, Known, View, tool_input};
use crate::graph::draft::{DraftEdge, DraftNode};
use crate::graph::finding::FindingCode;
use crate::graph::path::{Root, SourcePath};
use crate::graph::schema::{Place, may_fit, place, required};

pub(super) fn check(
    view: &View<'_>,
    (position, node): (usize, &DraftNode),
    known: &Known,
    found: &mut Findings,
) {
    if let Some(tool) = known.tool_of(node) {
        tool_input::check(view, (position, node), tool, found);
    }
    for (number, edge) in view.incoming(position) {
        for (target, source) in &edge.map {
            mapping(view, (number, edge), (target, source), found);
        }
    }
    let Some(schema) = view.schema(node.input_schema_ref.as_ref()) else { return };
    let edges: Vec<&DraftEdge> = view.incoming(position).map(|(_, edge)| edge).collect();
    let upstream: BTreeSet<&str> = edges.iter().map(|edge| edge.from.as_str()).collect();
    let only =
        (upstream.len() == 1).then(|| edges.iter().find(|edge| edge.map.is_empty())).flatten();
    for field in required(schema) {
        let is_mapped = |edge: &&DraftEdge| {
            let mut targets = edge.map.keys().filter_map(|target| target.split('.').next());
            targets.any(|target| target == field) || (edge.map.is_empty() && edge.from == field)
        };
        let comes_whole = only.is_some_and(|edge| {
            let source = view.node(&edge.from);
            let output = source.and_then(|source| view.schema(source.output_schema_ref.as_ref()));
            output.is_none_or(|output| place(output, &[field.to_owned()]) != Place::Unknown)
        });
        if !node.input.contains_key(field) && !edges.iter().any(is_mapped) && !comes_whole {
            let message =
                format!("nothing fills the required field `{field}` of node `{}`", node.id);
            let path = format!("nodes.{position}.input.{field}");
            found.add(Some(position), FindingCode::InputRequiredUnmapped, path, message);
        }
    }
}

fn mapping(
    view: &View<'_>,
    (number, edge): (usize, &DraftEdge),
    (target, text): (&str, &str),
    found: &mut Findings,
) {
    let at = view.positions.get(edge.to.as_str()).copied();
    let path = format!("edges.{number}.map.{target}");
    let segments: Vec<String> = target.split('.').map(str::to_owned).collect();
    if segments.iter().any(String::is_empty) {
        let message = format!("`{target}` names no field of an input");
        found.add(at, FindingCode::InputMappingUnknownTarget, path, message);
        return;
    }
    let source = match SourcePath::of_mapping(text) {
        Ok(source) => source,
        Err(invalid) => {
            found.add(at, FindingCode::InputMappingUnknownSource, path, invalid.to_string());
            return;
        }
    };
    let from = source_place(view, edge, &source);
    if from == Place::Unknown {
        let message = format!("`{source}` is nothing that node `{}` has", edge.from);
        found.add(at, FindingCode::InputMappingUnknownSource, path.clone(), message);
    }
    let input = view.node(&edge.to).and_then(|node| view.schema(node.input_schema_ref.as_ref()));
    let to = input.map_or(Place::Open, |schema| place(schema, &segments));
    match (from, to) {
        (_, Place::Unknown) => {
            let message = format!("`{target}` is not in the input schema of node `{}`", edge.to);
            found.add(at, FindingCode::InputMappingUnknownTarget, path, message);
        }
        (Place::Schema(from), Place::Schema(to)) if !may_fit(from, to) => {
            let message =
                format!("`{source}` of node `{}` has another type than `{target}`", edge.from);
            found.add(at, FindingCode::InputTypeMismatch, path, message);
        }
        (Place::Unknown | Place::Open | Place::Schema(_), Place::Open | Place::Schema(_)) => {}
    }
}

fn source_place<'a>(view: &View<'a>, edge: &DraftEdge, path: &SourcePath) -> Place<'a> {
    let Some(source) = view.node(&edge.from) else { return Place::Open };
    match path.root() {
        Root::Status => Place::Open,
        Root::Artifacts => {
            let name = path.segments().first();
            let is_declared = source.deliverables.iter().any(|it| Some(&it.name) == name);
            if is_declared || source.deliverables.is_empty() { Place::Open } else { Place::Unknown }
        }
        Root::Output | Root::Response => view
            .schema(source.output_schema_ref.as_ref())
            .map_or(Place::Open, |schema| place(schema, path.segments())),
    }
}
