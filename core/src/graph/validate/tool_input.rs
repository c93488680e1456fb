//! The checks of the input of a node that calls a tool, which takes exactly the fields that it declares.

use serde_json::{Map, Value};

use super::{Findings, KnownTool, View};
use crate::graph::draft::DraftNode;
use crate::graph::finding::FindingCode;
use crate::graph::schema::{mismatches, required};

pub(super) fn check(
    view: &View<'_>,
    (position, node): (usize, &DraftNode),
    tool: &KnownTool,
    found: &mut Findings,
) {
    let Some(fields) = tool.input.get("properties").and_then(Value::as_object) else { return };
    let of_edge = |target: &str| target.split('.').next().unwrap_or_default().to_owned();
    let mapped: Vec<(usize, String)> = view
        .incoming(position)
        .flat_map(|(number, edge)| edge.map.keys().map(move |it| (number, of_edge(it))))
        .collect();
    for name in node.input.keys().filter(|name| !fields.contains_key(*name)) {
        let path = format!("nodes.{position}.input.{name}");
        unknown_field((position, node), name, path, (fields, found));
    }
    for (number, name) in mapped.iter().filter(|(_, name)| !fields.contains_key(name)) {
        let path = format!("edges.{number}.map.{name}");
        unknown_field((position, node), name, path, (fields, found));
    }
    constants((position, node), tool, (fields, found));
    let comes_whole =
        node.input.is_empty() && view.incoming(position).any(|(_, edge)| edge.map.is_empty());
    for field in required(&tool.input) {
        let is_filled = node.input.contains_key(field) || mapped.iter().any(|(_, it)| it == field);
        if !is_filled && !comes_whole {
            let message = format!(
                "nothing fills the field `{field}` of node `{}`, which its tool needs",
                node.id
            );
            let path = format!("nodes.{position}.input.{field}");
            found.add(Some(position), FindingCode::InputRequiredUnmapped, path, message);
        }
    }
}

fn unknown_field(
    (position, node): (usize, &DraftNode),
    name: &str,
    path: String,
    (fields, found): (&Map<String, Value>, &mut Findings),
) {
    let known = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message =
        format!("the tool of node `{}` takes no field `{name}`; it takes {known}", node.id);
    found.add(Some(position), FindingCode::InputMappingUnknownTarget, path, message);
}

/// The constants have the types that the tool wants.
fn constants(
    (position, node): (usize, &DraftNode),
    tool: &KnownTool,
    (fields, found): (&Map<String, Value>, &mut Findings),
) {
    let given = node.input.iter().filter(|(name, _)| fields.contains_key(*name));
    let given: Map<String, Value> = given.map(|(name, it)| (name.clone(), it.clone())).collect();
    let mut schema = tool.input.clone();
    schema.as_object_mut().map(|schema| schema.remove("required"));
    for wrong in mismatches(&schema, &Value::Object(given)) {
        let path = format!("nodes.{position}.input.{}", wrong.path);
        let message = format!("the input of node `{}`: {wrong}", node.id);
        found.add(Some(position), FindingCode::InputTypeMismatch, path, message);
    }
}
