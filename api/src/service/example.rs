//! An example of what a JSON Schema describes.

use serde_json::{Map, Value, json};

/// How deep an example goes; a schema may contain itself.
const MAX_DEPTH: u32 = 8;

/// A value of that schema with what it has to contain. What `said` says of it is kept.
pub(crate) fn example_of(schema: &Value, said: &Value) -> Value {
    example(schema, schema, Some(said), MAX_DEPTH)
}

fn example(root: &Value, schema: &Value, said: Option<&Value>, depth: u32) -> Value {
    let schema = resolve(root, schema);
    let types = types_of(schema);
    if let Some(said) = said
        && types.iter().any(|name| *name != "object" && is_of(said, name))
    {
        return said.clone();
    }
    if let Some(fixed) = fixed_value(schema) {
        return fixed;
    }
    if let Some(variants) = variants(schema).filter(|_| depth > 0) {
        let is_null = |variant: &&Value| types_of(resolve(root, variant)) == ["null"];
        let fits = |variant: &&Value| {
            let types = types_of(resolve(root, variant));
            said.is_some_and(|said| types.iter().any(|name| is_of(said, name)))
        };
        let chosen = variants.iter().find(fits).or_else(|| variants.iter().find(is_null));
        let chosen = chosen.or_else(|| variants.first());
        return chosen.map_or(Value::Null, |chosen| example(root, chosen, said, depth - 1));
    }
    match types.first().copied() {
        Some("object") if depth > 0 => object(root, schema, said, depth - 1),
        Some("array") => json!([]),
        Some("string") => json!(""),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        Some("boolean") => json!(true),
        _ if types.is_empty() => said.cloned().unwrap_or(Value::Null),
        _ => Value::Null,
    }
}

/// The properties that have to be there, and those that were said.
fn object(root: &Value, schema: &Value, said: Option<&Value>, depth: u32) -> Value {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|names| names.iter().any(|it| it.as_str() == Some(name)));
    let said = said.and_then(Value::as_object);
    let said_of = |name: &str| said.and_then(|said| said.get(name));
    let known = schema.get("properties").and_then(Value::as_object);
    let mut filled = Map::new();
    for (name, property) in known.into_iter().flatten() {
        if is_required(name) || said_of(name).is_some() {
            filled.insert(name.clone(), example(root, property, said_of(name), depth));
        }
    }
    if known.is_none() {
        filled.extend(said.cloned().into_iter().flatten());
    }
    Value::Object(filled)
}

/// The schema itself, where it refers to another one of the same document.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let found = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
    found.unwrap_or(schema)
}

fn fixed_value(schema: &Value) -> Option<Value> {
    let first = schema.get("enum").and_then(|values| values.get(0));
    schema.get("const").or(first).or_else(|| schema.get("default")).cloned()
}

fn variants(schema: &Value) -> Option<&Vec<Value>> {
    ["anyOf", "oneOf"].iter().find_map(|name| schema.get(name)?.as_array())
}

/// The names of the JSON types that a value of the schema may have; null first, since it says least.
fn types_of(schema: &Value) -> Vec<&str> {
    let mut names: Vec<_> = match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ => Vec::new(),
    };
    names.sort_by_key(|name| *name != "null");
    names
}

fn is_of(value: &Value, name: &str) -> bool {
    match value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => name == "number" || (name == "integer" && !number.is_f64()),
        Value::String(_) => name == "string",
        Value::Array(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_what_is_required_and_keeps_what_was_said() {
        let schema = json!({
            "type": "object",
            "required": ["status", "headers", "body", "kind"],
            "properties": {
                "status": {"type": "integer", "minimum": 0},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "body": {"$ref": "#/$defs/Body"},
                "kind": {"enum": ["a", "b"]},
                "note": {"type": ["string", "null"]},
            },
            "$defs": {"Body": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        });

        assert_eq!(
            example_of(&schema, &json!({"status": 201})),
            json!({"status": 201, "headers": {}, "body": null, "kind": "a"})
        );
        assert_eq!(
            example_of(&schema, &json!({"status": "x", "body": "done", "note": "n", "other": 1})),
            json!({"status": 0, "headers": {}, "body": "done", "kind": "a", "note": "n"})
        );
    }

    #[test]
    fn a_schema_that_contains_itself_has_an_end() {
        let schema = json!({
            "$ref": "#/$defs/Node",
            "$defs": {"Node": {
                "type": "object",
                "required": ["next"],
                "properties": {"next": {"$ref": "#/$defs/Node"}},
            }},
        });

        assert!(example_of(&schema, &json!(1)).is_object());
    }
}
