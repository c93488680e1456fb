//! Sample answers of a tool, made from its output schema.

use serde_json::{Map, Value, json};

/// How deep a sample is nested. A recursive schema ends there.
const MAX_DEPTH: u32 = 8;

/// A value that fits `schema` as far as its types, constants, enumerations, defaults and examples say.
pub(crate) fn sample(schema: &Value) -> Value {
    sample_at(schema, 0)
}

fn sample_at(schema: &Value, depth: u32) -> Value {
    let first = |key: &str| schema.get(key).and_then(|it| it.get(0)).cloned();
    let given = schema.get("const").or_else(|| schema.get("default")).cloned();
    if let Some(given) = given.or_else(|| first("examples")).or_else(|| first("enum")) {
        return given;
    }
    if depth >= MAX_DEPTH {
        return Value::Null;
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(chosen) = first(choice) {
            return sample_at(&chosen, depth + 1);
        }
    }
    match kind(schema) {
        "object" => object(schema, depth),
        "array" => json!([]),
        "string" => json!(""),
        "integer" => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(0.0)),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

/// The first type that the schema allows.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ => "null",
    }
}

fn object(schema: &Value, depth: u32) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let sampled: Map<String, Value> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| (name.clone(), sample_at(property, depth + 1)))
        .collect();
    Value::Object(sampled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_fits_its_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "path": { "type": "string" },
                "bytes": { "type": "integer", "minimum": 1 },
                "note": { "type": ["null", "string"] },
                "kind": { "enum": ["row", "line"] },
                "at": { "type": "object", "properties": { "line": { "type": "number" } }, "required": ["line"] },
                "tags": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["path", "bytes", "note", "kind", "at", "tags"],
            "additionalProperties": false,
        });

        let sample = sample(&schema);

        assert!(jsonschema::is_valid(&schema, &sample), "{sample}");
        assert_eq!(sample["kind"], "row");
    }

    #[test]
    fn a_deeply_nested_schema_has_a_sample() {
        let mut schema = json!({ "type": "object" });
        for _ in 0..50 {
            schema = json!({ "type": "object", "properties": { "next": schema } });
        }

        assert!(sample(&schema).is_object());
    }
}
