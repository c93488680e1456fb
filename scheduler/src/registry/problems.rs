//! What is wrong with a value, for the author of a script. It never shows the value itself, which may be a secret.

use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationError, ValidationErrorKind};
use serde_json::Value;

/// How many problems are listed.
const MAX_PROBLEMS: usize = 20;

/// Lists what in `value` the schema does not allow, the first twenty problems of it.
pub(super) fn list(validator: &Validator, schema: &Value, value: &Value) -> Vec<String> {
    let problems = validator.iter_errors(value).flat_map(|error| describe(&error, schema));
    let mut first: Vec<_> = problems.take(MAX_PROBLEMS + 1).collect();
    if first.len() > MAX_PROBLEMS {
        first.truncate(MAX_PROBLEMS);
        first.push("and more".to_owned());
    }
    first
}

fn describe(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let path: Vec<String> = error.instance_path().segments().map(|it| it.to_string()).collect();
    let kind = error.kind();
    if let ValidationErrorKind::Required { property: Value::String(property) } = kind {
        return vec![missing(&path, property, schema)];
    }
    if let ValidationErrorKind::AdditionalProperties { unexpected } = kind {
        let unexpected = unexpected.iter().take(MAX_PROBLEMS + 1);
        return unexpected.map(|property| unknown(&path, property, schema)).collect();
    }
    if let ValidationErrorKind::Type { kind } = kind {
        let actual = type_name(error.instance());
        return vec![format!("{} must be {}, not {actual}", quoted(&path), expected(kind))];
    }
    vec![format!("{}: {}", quoted(&path), error.masked_with("the value"))]
}

fn missing(path: &[String], property: &str, schema: &Value) -> String {
    let types = at(schema, path).and_then(|it| it.get("properties")?.get(property)?.get("type"));
    let name = quoted(&[path, &[property.to_owned()]].concat());
    match types {
        Some(Value::String(of_type)) => format!("{name} is missing ({})", with_article(of_type)),
        Some(Value::Array(names)) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
            format!("{name} is missing ({})", names.join(" or "))
        }
        _ => format!("{name} is missing"),
    }
}

fn unknown(path: &[String], property: &str, schema: &Value) -> String {
    let known = at(schema, path).and_then(|it| it.get("properties")?.as_object());
    let known: Vec<&str> = known.into_iter().flat_map(|it| it.keys()).map(String::as_str).collect();
    let name = quoted(&[path, &[property.to_owned()]].concat());
    format!("{name} is unknown (known: {})", known.join(", "))
}

/// The part of `schema` that describes what is found at `path`.
fn at<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(schema, |schema, segment| {
        schema.get("properties").and_then(|it| it.get(segment)).or_else(|| schema.get("items"))
    })
}

fn quoted(path: &[String]) -> String {
    if path.is_empty() { "the value".to_owned() } else { format!("`{}`", path.join(".")) }
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => with_article(&one.to_string()),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|it| it.to_string()).collect();
            names.join(" or ")
        }
    }
}

fn with_article(type_name: &str) -> String {
    let article = if type_name.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {type_name}")
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
