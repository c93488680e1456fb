//! Finds the character NUL. PostgreSQL stores it in no text, and reads no JSON that has it.

use serde_json::Value;

use super::Findings;
use crate::graph::draft::Draft;
use crate::graph::finding::FindingCode;

pub(super) fn check(draft: &Draft, found: &mut Findings) {
    let Ok(Value::Object(whole)) = serde_json::to_value(draft) else { return };
    for (name, value) in &whole {
        match (name.as_str(), value) {
            ("nodes", Value::Array(nodes)) => {
                for (position, node) in nodes.iter().enumerate() {
                    look(found, Some(position), &format!("nodes.{position}"), node);
                }
            }
            _ => {
                add_if(found, None, name, name);
                look(found, None, name, value);
            }
        }
    }
}

/// Looks through a value that stands at `path`. Values are no deeper than JSON is read.
fn look(found: &mut Findings, position: Option<usize>, path: &str, value: &Value) {
    match value {
        Value::String(text) => add_if(found, position, path, text),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                look(found, position, &format!("{path}.{number}"), item);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                add_if(found, position, &path, name);
                look(found, position, &path, field);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn add_if(found: &mut Findings, position: Option<usize>, path: &str, text: &str) {
    if text.contains('\0') {
        let path = path.replace('\0', "\u{FFFD}");
        let message =
            format!("`{path}` has the character NUL, which cannot be stored: leave it out");
        found.add(position, FindingCode::CharacterInvalid, path, message);
    }
}
