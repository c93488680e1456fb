//! Converts the schemas of a server to the schemas that scripts must follow.

use serde_json::{Map, Value, json};

use super::definition::Definition;

/// The schema of the input. It forbids properties that the server does not name, because the server would ignore a misspelt
/// property silently. `hidden` is an argument that scripts do not see.
pub(super) fn input(definition: &Definition, hidden: Option<&str>) -> Value {
    let mut schema = without_dialect(&definition.input);
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

/// The schema of the result: the structured content if the tool has an output schema, else the parts and their text.
pub(super) fn output(definition: &Definition) -> Value {
    match &definition.output {
        Some(schema) => Value::Object(without_dialect(schema)),
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

/// The schema without its dialect. All are read as 2020-12: the parts that servers use are the same in older dialects.
fn without_dialect(schema: &Value) -> Map<String, Value> {
    let mut schema = schema.as_object().cloned().unwrap_or_default();
    schema.shift_remove("$schema");
    schema
}
