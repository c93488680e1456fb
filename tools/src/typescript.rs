//! The TypeScript declarations of workflows and of everything that scripts can call, for editors and for models.

use serde_json::{Map, Value};
use windlass_core::escape_line;
use windlass_scheduler::{Registry, ToolSpec};

/// The declarations that do not depend on the tools.
const WORKFLOW: &str = include_str!("typescript/workflow.d.ts");

/// The width of a comment, in characters, without its delimiters.
const WIDTH: usize = 110;

/// The declarations of the workflow's shape and of everything in `registry`. Equal registries give equal texts.
#[must_use]
pub fn declarations(registry: &Registry) -> String {
    let mut text = WORKFLOW.to_owned();
    let mut namespace = "";
    for callable in registry.callables() {
        let spec = callable.spec();
        if spec.namespace != namespace {
            close(&mut text, namespace);
            namespace = &spec.namespace;
            text.push_str(&format!("\ndeclare const {namespace}: {{\n"));
        }
        text.push_str(&method(spec, &callable.docs()));
    }
    close(&mut text, namespace);
    for (namespace, failure) in registry.missing() {
        let why = escape_line(&failure.message);
        text.push_str(&format!("\n// `{namespace}` is left out: {why}\n"));
    }
    text
}

fn close(text: &mut String, namespace: &str) {
    if !namespace.is_empty() {
        text.push_str("};\n");
    }
}

/// A method and not a function, because a function cannot be called `delete`.
fn method(spec: &ToolSpec, docs: &str) -> String {
    let has_required =
        spec.input.get("required").and_then(Value::as_array).is_some_and(|it| !it.is_empty());
    let optional = if has_required { "" } else { "?" };
    let (input, output) = (type_of(&spec.input, 1), type_of(&spec.output, 1));
    format!("{}  {}(input{optional}: {input}): Promise<{output}>;\n", comment(docs, 1), spec.method)
}

/// The type that a JSON Schema describes; `any` if no type expresses it.
fn type_of(schema: &Value, depth: usize) -> String {
    let Some(schema) = schema.as_object() else { return "any".to_owned() };
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return union(values.iter().map(Value::to_string));
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(choices) =
        schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
    {
        return union(choices.iter().map(|it| type_of(it, depth)));
    }
    match schema.get("type") {
        Some(Value::String(name)) => named_type(name, schema, depth),
        Some(Value::Array(names)) => {
            union(names.iter().filter_map(Value::as_str).map(|it| named_type(it, schema, depth)))
        }
        _ => "any".to_owned(),
    }
}

fn named_type(name: &str, schema: &Map<String, Value>, depth: usize) -> String {
    match name {
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let item =
                schema.get("items").map_or_else(|| "any".to_owned(), |it| type_of(it, depth));
            if item.contains('|') && !item.ends_with('}') {
                format!("({item})[]")
            } else {
                format!("{item}[]")
            }
        }
        "object" => object(schema, depth),
        "string" | "boolean" | "null" => name.to_owned(),
        _ => "any".to_owned(),
    }
}

fn object(schema: &Map<String, Value>, depth: usize) -> String {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        let value = schema
            .get("additionalProperties")
            .map_or_else(|| "any".to_owned(), |it| type_of(it, depth));
        return format!("{{ [name: string]: {value} }}");
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut text = String::from("{\n");
    for (name, property) in properties {
        let description = property.get("description").and_then(Value::as_str);
        text.push_str(&description.map(|it| comment(it, depth + 1)).unwrap_or_default());
        let optional = if required.contains(&name.as_str()) { "" } else { "?" };
        let property = type_of(property, depth + 1);
        text.push_str(&format!(
            "{}{}{optional}: {property};\n",
            indent(depth + 1),
            property_name(name)
        ));
    }
    text + &indent(depth) + "}"
}

fn union(types: impl Iterator<Item = String>) -> String {
    let mut distinct: Vec<String> = Vec::new();
    for one in types {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct.join(" | ")
}

fn property_name(name: &str) -> String {
    let is_word = !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
    if is_word && !name.is_empty() { name.to_owned() } else { Value::from(name).to_string() }
}

fn comment(text: &str, depth: usize) -> String {
    let indent = indent(depth);
    let text = text.trim().replace("*/", "*\\/");
    let lines: Vec<String> =
        text.lines().flat_map(|line| wrapped(line, WIDTH - indent.len())).collect();
    match lines.as_slice() {
        [line] => format!("{indent}/** {line} */\n"),
        lines => {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned())
                .collect();
            format!("{indent}/**\n{}\n{indent} */\n", lines.join("\n"))
        }
    }
}

/// Breaks a line between words so that no part is wider than `width`, unless a single word is.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(schema: &Value, expected: &str) {
        assert_eq!(type_of(schema, 0), expected, "{schema}");
    }

    #[test]
    fn plain_types() {
        check(&json!({"type": "string"}), "string");
        check(&json!({"type": "integer"}), "number");
        check(&json!({"type": ["string", "null"]}), "string | null");
        check(&json!({"type": ["number", "integer"]}), "number");
        check(&json!({"enum": ["a", "b", 1]}), r#""a" | "b" | 1"#);
        check(&json!({"const": true}), "true");
        check(&json!({"anyOf": [{"type": "string"}, {"type": "boolean"}]}), "string | boolean");
    }

    #[test]
    fn what_no_type_says_is_anything() {
        check(&json!(true), "any");
        check(&json!({"description": "whatever"}), "any");
        check(&json!({"$ref": "#/$defs/x"}), "any");
    }

    #[test]
    fn lists_of_a_choice_are_bracketed() {
        check(&json!({"type": "array"}), "any[]");
        check(&json!({"type": "array", "items": {"type": "string"}}), "string[]");
        check(
            &json!({"type": "array", "items": {"type": ["string", "null"]}}),
            "(string | null)[]",
        );
        check(&json!({"type": "array", "items": {"enum": ["a", "b"]}}), r#"("a" | "b")[]"#);
    }

    #[test]
    fn objects_say_what_may_be_left_out() {
        let schema = json!({
            "type": "object",
            "properties": {
                "a": {"type": "string", "description": "One."},
                "b-c": {"type": "object", "additionalProperties": {"type": "number"}, "description": "Two\n*/ lines."}
            },
            "required": ["a"]
        });

        let expected = "\
{
  /** One. */
  a: string;
  /**
   * Two
   * *\\/ lines.
   */
  \"b-c\"?: { [name: string]: number };
}";
        check(&schema, expected);
    }
}
