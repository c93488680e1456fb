//! The definition of a tool by its server, and how two lists of definitions differ.

use rmcp::model::ToolAnnotations;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass_core::digest;

use crate::secrets::Secrets;

/// Everything in a server's description of a tool that matters to a script, its author or Windlass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) input: Value,
    pub(super) output: Option<Value>,
    pub(super) hints: Hints,
}

/// What a server claims about a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hints {
    /// It changes nothing.
    pub read_only: Option<bool>,
    /// It may delete or overwrite something.
    pub destructive: Option<bool>,
    /// A second equal call changes nothing more.
    pub idempotent: Option<bool>,
    /// It reaches beyond the server.
    pub open_world: Option<bool>,
}

impl Definition {
    /// The definition of a tool that the library does not understand, as far as it has one. Without a schema of its input it cannot be
    /// offered to scripts.
    pub(super) fn from_json(tool: &Value) -> Option<Self> {
        if let Ok(tool) = serde_json::from_value::<rmcp::model::Tool>(tool.clone()) {
            return Some(tool.into());
        }
        let text = |key| tool.get(key).and_then(Value::as_str);
        let hints = tool.get("annotations").cloned().unwrap_or_default();
        let hints = serde_json::from_value::<ToolAnnotations>(hints).ok();
        Some(Self {
            name: text("name")?.to_owned(),
            description: text("description").unwrap_or_default().trim().to_owned(),
            input: tool.get("inputSchema").cloned().unwrap_or_default(),
            output: tool.get("outputSchema").filter(|it| it.is_object()).cloned(),
            hints: hints.as_ref().map(Hints::from).unwrap_or_default(),
        })
    }

    /// The definition without secrets. A server could put one into it that it was started with.
    pub(super) fn redacted(self, secrets: &Secrets) -> Self {
        Self {
            name: secrets.redact_text(self.name),
            description: secrets.redact_text(self.description),
            input: secrets.redact_value(self.input),
            output: self.output.map(|schema| secrets.redact_value(schema)),
            hints: self.hints,
        }
    }

    /// Equal for equal definitions. The order of properties does not matter.
    pub(super) fn digest(&self) -> String {
        let Self { name, description, input, output, hints } = self;
        digest(&json!([name, description, input, output, hints]))
    }

    /// The names of the parts that differ in `other`.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        let is_same = |one: &Value, other: &Value| digest(one) == digest(other);
        let parts = [
            ("description", self.description == other.description),
            ("input", is_same(&self.input, &other.input)),
            ("output", is_same(&json!(self.output), &json!(other.output))),
            ("annotations", self.hints == other.hints),
        ];
        parts.into_iter().filter(|(_, is_same)| !is_same).map(|(part, _)| part).collect()
    }
}

impl From<rmcp::model::Tool> for Definition {
    fn from(tool: rmcp::model::Tool) -> Self {
        let schema = |it: &serde_json::Map<String, Value>| Value::Object(it.clone());
        let description = tool.description.as_deref().or(tool.title.as_deref());
        Self {
            description: description.unwrap_or_default().trim().to_owned(),
            input: schema(&tool.input_schema),
            output: tool.output_schema.as_deref().map(schema),
            hints: tool.annotations.as_ref().map(Hints::from).unwrap_or_default(),
            name: tool.name.into_owned(),
        }
    }
}

impl From<&ToolAnnotations> for Hints {
    fn from(annotations: &ToolAnnotations) -> Self {
        Self {
            read_only: annotations.read_only_hint,
            destructive: annotations.destructive_hint,
            idempotent: annotations.idempotent_hint,
            open_world: annotations.open_world_hint,
        }
    }
}

/// The difference between a current tool and the accepted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolChange {
    /// The server's name for it.
    pub tool: String,
    /// `added`, `removed`, or the parts that differ.
    pub what: String,
}

/// The differences between the current tools of a server and the accepted ones.
pub(super) fn changes(accepted: &[Definition], current: &[Definition]) -> Vec<ToolChange> {
    let named = |list: &'_ [Definition], name: &str| list.iter().position(|it| it.name == name);
    let change = |tool: &Definition, what: String| ToolChange { tool: tool.name.clone(), what };
    let removed_or_different = accepted.iter().filter_map(|old| {
        let Some(new) = named(current, &old.name).and_then(|idx| current.get(idx)) else {
            return Some(change(old, "removed".to_owned()));
        };
        let parts = old.differences(new);
        (!parts.is_empty()).then(|| change(old, format!("different {}", parts.join(", "))))
    });
    let added = current.iter().filter(|new| named(accepted, &new.name).is_none());
    removed_or_different.chain(added.map(|new| change(new, "added".to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Definition {
        Definition {
            name: name.to_owned(),
            description: "Does it.".to_owned(),
            input: json!({"type": "object", "properties": {"a": {}, "b": {}}}),
            output: None,
            hints: Hints::default(),
        }
    }

    #[test]
    fn every_difference_is_named() {
        let accepted = [tool("same"), tool("gone"), tool("other")];
        let other = Definition {
            description: "Does something else.".to_owned(),
            hints: Hints { read_only: Some(true), ..Hints::default() },
            ..tool("other")
        };

        let found = changes(&accepted, &[tool("new"), other, tool("same")]);

        let found: Vec<_> = found.iter().map(|it| format!("{}: {}", it.tool, it.what)).collect();
        assert_eq!(
            found,
            ["gone: removed", "other: different description, annotations", "new: added"]
        );
    }

    #[test]
    fn the_order_of_properties_is_no_difference() {
        let turned = Definition {
            input: json!({"properties": {"b": {}, "a": {}}, "type": "object"}),
            ..tool("same")
        };

        assert_eq!(turned.digest(), tool("same").digest());
        assert_eq!(changes(&[tool("same")], &[turned]), []);
    }
}
