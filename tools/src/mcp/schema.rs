//! From the schemas of a server to those that scripts are held to.

use serde_json::{Map, Value, json};

use super::definition::Definition;

/// What scripts pass: what the server takes, and nothing that it does not name, for a misspelt property would be ignored
/// silently. `hidden` is an argument that scripts do not see.
pub(super) fn input(definition: &Definition, hidden: Option<&str>) -> Value {
    let mut schema = plain(&definition.input);
    schema.insert("additionalProperties".to_owned(), false.into());
    if let Some(hidden) = hidden {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.shift_remove(hidden);
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name != hidden);
        }
    }
    Value::Object(schema)
}

/// What scripts get: the structured answer where the server promises one, else its parts and their text.
pub(super) fn output(definition: &Definition) -> Value {
    match &definition.output {
        Some(schema) => Value::Object(plain(schema)),
        None => json!({
            "type": "object",
            "properties": {
                "content": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "The parts of the answer, each with its `type`."
                },
                "text": {"type": "string", "description": "The parts that are text, joined by line breaks."}
            },
            "required": ["content", "text"]
        }),
    }
}

/// Without the dialect: all are read as 2020-12, from which the older ones that servers name differ in nothing they use.
fn plain(schema: &Value) -> Map<String, Value> {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    schema.shift_remove("$schema");
    schema
}
