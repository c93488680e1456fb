//! Schemas of inputs and outputs. Authors may write JSON Schemas, or say `required: true` at each field.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Schemas by name.
pub type Schemas = BTreeMap<String, Value>;

/// How deep a schema may be nested.
pub(super) const MAX_DEPTH: usize = 32;

const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// Where a value breaks its schema, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The fields and items that lead there, with dots; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "`{}` {}", self.path, self.message)
        }
    }
}

/// The JSON Schema of a schema: `required: true` of fields becomes the list `required` of their object, and `any` becomes no type.
/// A JSON Schema stays as it is.
pub(super) fn to_json_schema(schema: &Value) -> Value {
    translated(schema, 0)
}

fn translated(schema: &Value, depth: usize) -> Value {
    let Some(fields) = schema.as_object().filter(|_fields| depth < MAX_DEPTH) else {
        return schema.clone();
    };
    let mut result = Map::new();
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("required", Value::Bool(_)) => {}
            ("type", Value::String(text)) if text.trim() == "any" => {}
            ("type", Value::String(text)) => {
                result.insert(key.clone(), Value::from(text.trim()));
            }
            ("properties", Value::Object(properties)) => {
                let inner = properties
                    .iter()
                    .map(|(name, property)| (name.clone(), translated(property, depth + 1)));
                result.insert(key.clone(), Value::Object(inner.collect()));
            }
            ("items", items) => {
                result.insert(key.clone(), translated(items, depth + 1));
            }
            _ => {
                result.insert(key.clone(), value.clone());
            }
        }
    }
    let required = required_names(fields);
    if !required.is_empty() {
        result.insert("required".to_owned(), Value::from_iter(required));
    }
    Value::Object(result)
}

/// The names of required fields: those of the list, then those that say so themselves.
fn required_names(schema: &Map<String, Value>) -> Vec<&str> {
    let listed = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let listed: Vec<&str> = listed.filter_map(Value::as_str).collect();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let own = properties
        .filter(|(_, property)| property.get("required") == Some(&Value::Bool(true)))
        .map(|(name, _)| name.as_str())
        .filter(|name| !listed.contains(name));
    listed.iter().copied().chain(own).collect()
}

/// Everything that is wrong with a JSON Schema itself.
pub(super) fn problems(schema: &Value) -> Vec<Mismatch> {
    let mut found = Vec::new();
    // No recursion: an author may nest as deeply as he likes.
    let mut open = vec![(String::new(), schema, 0)];
    while let Some((path, schema, depth)) = open.pop() {
        if depth >= MAX_DEPTH {
            let message = format!("it is nested more than {MAX_DEPTH} deep");
            found.push(Mismatch { path, message });
            continue;
        }
        let Some(fields) = schema.as_object() else {
            found.push(Mismatch { path, message: "a schema is an object".to_owned() });
            continue;
        };
        let reasons = shape_problems(fields);
        found.extend(reasons.into_iter().map(|message| Mismatch { path: path.clone(), message }));
        let properties = fields.get("properties").and_then(Value::as_object).into_iter().flatten();
        open.extend(properties.map(|(name, inner)| (joined(&path, name), inner, depth + 1)));
        open.extend(fields.get("items").map(|inner| (joined(&path, "items"), inner, depth + 1)));
    }
    if found.is_empty() {
        let reason = compiled(schema).err();
        found.extend(reason.map(|message| Mismatch { path: String::new(), message }));
    }
    found
}

fn shape_problems(schema: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    if schema.keys().any(|key| matches!(key.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef")) {
        found.push("a schema may not refer to another one or to itself: write it out".to_owned());
    }
    let types = match schema.get("type") {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect()
        }
        Some(other) => {
            found.push(format!("`type` is {other}, not the name of a type"));
            Vec::new()
        }
    };
    let unknown = types.iter().filter(|name| !TYPES.contains(name));
    found.extend(
        unknown.map(|name| format!("`{name}` is not a type (one of any, {})", TYPES.join(", "))),
    );
    if types.contains(&"object") && !schema.get("properties").is_some_and(Value::is_object) {
        found.push("an object needs `properties`".to_owned());
    }
    if types.contains(&"array") && !schema.contains_key("items") {
        found.push("an array needs `items`".to_owned());
    }
    found
}

/// Everything that a value breaks in its schema.
#[must_use]
pub fn mismatches(schema: &Value, value: &Value) -> Vec<Mismatch> {
    match compiled(schema) {
        Ok(validator) => validator
            .iter_errors(value)
            .map(|error| Mismatch {
                path: {
                    let segments: Vec<String> =
                        error.instance_path().segments().map(|it| it.to_string()).collect();
                    segments.join(".")
                },
                message: error.masked_with("the value").to_string(),
            })
            .collect(),
        Err(message) => vec![Mismatch { path: String::new(), message }],
    }
}

fn compiled(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .build(schema)
        .map_err(|error| error.to_string())
}

/// The fields of a value that its schema does not name.
#[must_use]
pub fn unknown_fields(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), schema, value)];
    while let Some((path, schema, value)) = open.pop() {
        match (value, schema.get("properties").and_then(Value::as_object), schema.get("items")) {
            (Value::Object(fields), Some(properties), _) => {
                for (name, inner) in fields {
                    match properties.get(name) {
                        Some(schema) => open.push((joined(&path, name), schema, inner)),
                        None => found.push(joined(&path, name)),
                    }
                }
            }
            (Value::Array(items), _, Some(schema)) => {
                let inner = items.iter().enumerate();
                open.extend(inner.map(|(n, item)| (joined(&path, &n.to_string()), schema, item)));
            }
            _ => {}
        }
    }
    found
}

/// What a schema says of a place in its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// There is no such place.
    Unknown,
    /// The schema says nothing about it.
    Open,
    /// It has this schema.
    Schema(&'a Value),
}

/// The place that a path of fields and items leads to.
pub(super) fn place<'a>(schema: &'a Value, segments: &[String]) -> Place<'a> {
    let mut schema = schema;
    for segment in segments {
        let property = schema.get("properties").map(|properties| properties.get(segment));
        let item = schema.get("items").filter(|_items| segment.parse::<usize>().is_ok());
        schema = match (property, item) {
            (_, Some(inner)) | (Some(Some(inner)), None) => inner,
            (Some(None), None) => return Place::Unknown,
            (None, None) if types(schema).is_empty() => return Place::Open,
            (None, None) => return Place::Unknown,
        };
    }
    Place::Schema(schema)
}

/// The names of the types that a schema allows; empty where it allows all.
pub(super) fn types(schema: &Value) -> BTreeSet<&str> {
    match schema.get("type") {
        Some(Value::String(text)) => BTreeSet::from([text.as_str()]),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    }
}

/// Whether a value of one schema may fit the other, as far as types tell.
pub(super) fn may_fit(from: &Value, to: &Value) -> bool {
    let (from, to) = (types(from), types(to));
    let is_number = |types: &BTreeSet<&str>| types.contains("number") || types.contains("integer");
    from.is_empty()
        || to.is_empty()
        || !from.is_disjoint(&to)
        || (is_number(&from) && is_number(&to))
}

/// The required fields of a schema.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    schema.as_object().map(required_names).unwrap_or_default()
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wrong_schema_says_where_and_why() {
        let why = |schema: Value| {
            let found = problems(&to_json_schema(&schema));
            found.into_iter().map(|it| format!("{}: {}", it.path, it.message)).collect::<Vec<_>>()
        };

        assert!(why(json!({"type": "object", "properties": {"a": {"type": "any"}}})).is_empty());
        assert!(why(json!({"type": "thing"}))[0].contains("`thing` is not a type"));
        assert_eq!(why(json!({"type": "object"})), [": an object needs `properties`"]);
        assert_eq!(
            why(json!({"type": "array", "items": {"type": "array"}})),
            ["items: an array needs `items`"]
        );
        assert!(
            why(json!({"items": {"$ref": "#"}}))[0].starts_with("items: a schema may not refer")
        );
        assert!(why(json!({"type": "string", "pattern": "("}))[0].len() > 2);
        let deep = (0..60).fold(json!({}), |inner, _| json!({"items": inner}));
        assert!(why(deep)[0].contains("more than 32 deep"));
    }

    #[test]
    fn a_value_is_checked_with_the_path_of_each_mismatch() {
        let schema = to_json_schema(&json!({"type": "object", "properties": {
            "größe": {"type": "integer", "required": true},
            "rows": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "string"}}}},
        }}));

        let wrong = mismatches(&schema, &json!({"größe": "2", "rows": [{"x": 1}]}));
        let paths: Vec<_> = wrong.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["größe", "rows.0.x"], "{wrong:?}");
        assert!(mismatches(&schema, &json!({"größe": 2})).is_empty());
        assert_eq!(mismatches(&schema, &json!({})).len(), 1);
        assert_eq!(
            unknown_fields(&schema, &json!({"größe": 1, "y": 2, "rows": [{"z": 1}]})),
            ["y", "rows.0.z"]
        );
    }

    #[test]
    fn a_schema_tells_which_places_its_values_have() {
        let schema = json!({"type": "object", "properties": {
            "list": {"type": "array", "items": {"type": "number"}}, "open": {}, "text": {"type": "string"}}});
        let at = |path: &str| {
            let segments: Vec<String> = path.split('.').map(str::to_owned).collect();
            place(&schema, &segments)
        };

        assert_eq!(at("list.3"), Place::Schema(&json!({"type": "number"})));
        assert_eq!(at("open.a.b"), Place::Open);
        assert_eq!((at("text.a"), at("gone")), (Place::Unknown, Place::Unknown));
        assert!(may_fit(&json!({"type": "integer"}), &json!({"type": "number"})));
        assert!(!may_fit(&json!({"type": "string"}), &json!({"type": ["number", "null"]})));
    }
}
