//! Inputs of calls that the tool's schema refuses, as far as they are written out.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use oxc_ast::ast::{
    Argument, ArrayExpressionElement, CallExpression, Expression, ObjectExpression,
    ObjectPropertyKind, UnaryOperator,
};
use oxc_span::{GetSpan, Span};
use serde_json::{Map, Value};
use windlass_core::{Problem, nearest};

use super::calls::{inputs_of, is_attempt, tool_of};
use super::finding::Finding;
use super::survey::Survey;
use crate::api::Function;

/// How deep a schema is followed.
const MAX_DEPTH: usize = 32;

/// Finds them in every call, whether a handler reaches it or not.
pub(super) fn wrong(survey: &Survey<'_>, functions: &[Function]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for site in survey.bodies.values().flat_map(|body| &body.calls) {
        let Some(name) = tool_of(site.what, functions) else { continue };
        let of_call = |it: &&Function| name == format!("{}.{}", it.namespace, it.method);
        let Some(function) = functions.iter().find(of_call) else { continue };
        let is_own = is_attempt(site.what) && survey.binds("attempt");
        if !is_own && !survey.binds(&function.namespace) {
            let mut checker = Checker { name: &name, findings: &mut findings };
            checker.call(site.what, &function.input);
        }
    }
    findings
}

struct Checker<'n> {
    name: &'n str,
    findings: &'n mut Vec<Finding>,
}

impl Checker<'_> {
    fn call(&mut self, call: &CallExpression<'_>, schema: &Value) {
        let Some(schema) = schema.as_object() else { return };
        let inputs = inputs_of(call);
        if let Some(more) = inputs.get(1) {
            let message = format!("`{}` takes one object", self.name);
            let hint = "put everything into one object, for example `{ … }`";
            return self.report("wrong_argument", more.span(), message, hint.into());
        }
        match inputs.first() {
            None => self.missing(call.span, schema, &[], &[]),
            Some(Argument::SpreadElement(_)) => {}
            Some(input) => {
                let Some(input) = input.as_expression() else { return };
                match kind_of(input) {
                    Some("object") => self.value(input, schema, &mut Vec::new()),
                    Some(kind) => self.no_object(input, kind, schema),
                    None => {}
                }
            }
        }
    }

    /// The input is no object. Where it can only be meant for one property, that is the mend.
    fn no_object(&mut self, input: &Expression<'_>, kind: &str, schema: &Map<String, Value>) {
        let required = required(schema);
        let properties = schema.get("properties").and_then(Value::as_object);
        let only = match (required.as_slice(), properties) {
            ([one], _) => Some(*one),
            ([], Some(properties)) if properties.len() == 1 => {
                properties.keys().next().map(String::as_str)
            }
            _ => None,
        };
        let takes = |name: &&str| {
            let of = properties.and_then(|it| it.get(*name)).and_then(Value::as_object);
            of.is_some_and(|of| allows(of, kind))
        };
        let only = only.filter(takes);
        let message = format!("`{}` takes one object, not {}", self.name, with_article(kind));
        let example = only.or_else(|| required.first().copied()).unwrap_or("name");
        let hint = format!("write `{}({{ {example}: … }})`", self.name);
        let mut finding =
            Finding::new(input.span(), Problem::new("wrong_argument", message).hint(hint));
        if let (Some(only), Expression::StringLiteral(text)) = (only, input) {
            let text = Value::from(text.value.as_str());
            finding = finding.replace(input.span(), format!("{{ {only}: {text} }}")).safely();
        }
        self.findings.push(finding);
    }

    fn value(
        &mut self,
        value: &Expression<'_>,
        schema: &Map<String, Value>,
        path: &mut Vec<String>,
    ) {
        let is_plain = ["$ref", "anyOf", "oneOf", "allOf", "if", "not"];
        if path.len() > MAX_DEPTH || is_plain.iter().any(|key| schema.contains_key(*key)) {
            return;
        }
        let Some(kind) = kind_of(value) else { return };
        if !allows(schema, kind) {
            let wanted = types(schema).join(" or ");
            let message = format!(
                "{} is {}, and `{}` takes {}",
                shown(path),
                with_article(kind),
                self.name,
                with_article(&wanted)
            );
            return self.report(
                "wrong_argument",
                value.span(),
                message,
                format!("write {}", with_article(&wanted)),
            );
        }
        match value.get_inner_expression() {
            Expression::ObjectExpression(object) => self.object(object, schema, path),
            Expression::ArrayExpression(list) => {
                let Some(items) = schema.get("items").and_then(Value::as_object) else { return };
                for (index, item) in list.elements.iter().enumerate() {
                    let Some(item) = ArrayExpressionElement::as_expression(item) else { continue };
                    path.push(index.to_string());
                    self.value(item, items, path);
                    path.pop();
                }
            }
            Expression::StringLiteral(text) => {
                self.choice(&Value::from(text.value.as_str()), value.span(), schema, path);
            }
            _ => {}
        }
    }

    /// Checks a text against the values that are allowed.
    fn choice(&mut self, text: &Value, span: Span, schema: &Map<String, Value>, path: &[String]) {
        let Some(allowed) = schema.get("enum").and_then(Value::as_array) else { return };
        if allowed.contains(text) {
            return;
        }
        let texts: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        let message = format!("{} is {text}, which `{}` does not know", shown(path), self.name);
        let likely = text.as_str().and_then(|text| nearest(text, &texts));
        let hint = match likely {
            Some(likely) => format!("did you mean \"{likely}\"?"),
            None => format!("write one of \"{}\"", texts.join("\", \"")),
        };
        let mut finding = Finding::new(span, Problem::new("wrong_argument", message).hint(hint));
        if let Some(likely) = likely {
            finding = finding.replace(span, format!("\"{likely}\""));
        }
        self.findings.push(finding);
    }

    fn object(
        &mut self,
        object: &ObjectExpression<'_>,
        schema: &Map<String, Value>,
        path: &mut Vec<String>,
    ) {
        let none = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let is_closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let mut written = Vec::new();
        let mut is_whole = true;
        for member in &object.properties {
            let ObjectPropertyKind::ObjectProperty(member) = member else {
                is_whole = false;
                continue;
            };
            let Some(key) = member.key.static_name() else {
                is_whole = false;
                continue;
            };
            match properties.get(&*key) {
                Some(of) => {
                    path.push(key.clone().into_owned());
                    if let Some(of) = of.as_object() {
                        self.value(&member.value, of, path);
                    }
                    path.pop();
                }
                None if is_closed => {
                    // What was meant is not missing as well.
                    written.extend(self.unknown(member.key.span(), &key, properties, path));
                }
                None => {}
            }
            written.push(key.into_owned());
        }
        if is_whole {
            self.missing(object.span, schema, &written, path);
        }
    }

    /// Reports a property that the schema does not know. Gives the one that was probably meant.
    fn unknown(
        &mut self,
        span: Span,
        key: &str,
        known: &Map<String, Value>,
        path: &[String],
    ) -> Option<String> {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let place = if path.is_empty() { String::new() } else { format!(" in {}", shown(path)) };
        let message = format!("`{}` has no `{key}`{place}", self.name);
        let likely = nearest(key, &names);
        let hint = match likely {
            Some(likely) => format!("did you mean `{likely}`?"),
            None if names.is_empty() => "leave it out".to_owned(),
            None => format!("it has `{}`", names.join("`, `")),
        };
        let mut finding = Finding::new(span, Problem::new("unknown_argument", message).hint(hint));
        if let Some(likely) = likely {
            finding = finding.replace(span, likely);
        }
        self.findings.push(finding);
        likely.map(str::to_owned)
    }

    fn missing(
        &mut self,
        span: Span,
        schema: &Map<String, Value>,
        written: &[String],
        path: &[String],
    ) {
        for name in required(schema).into_iter().filter(|name| !written.iter().any(|it| it == name))
        {
            let whole = path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
            let message = format!("`{}` needs `{whole}`", self.name);
            self.report("missing_argument", span, message, format!("write `{name}: …`"));
        }
    }

    fn report(&mut self, code: &str, span: Span, message: String, hint: String) {
        self.findings.push(Finding::new(span, Problem::new(code, message).hint(hint)));
    }
}

fn required(schema: &Map<String, Value>) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether a schema lets values of this kind pass.
fn allows(schema: &Map<String, Value>, kind: &str) -> bool {
    let types = types(schema);
    types.is_empty()
        || types.contains(&kind)
        || (kind == "integer" && types.contains(&"number"))
        // Whether a number that is computed is whole cannot be seen.
        || (kind == "number" && types.contains(&"integer"))
}

/// The JSON type of a value that is written out, `function` for what is no JSON; none if it cannot be seen.
fn kind_of(expression: &Expression<'_>) -> Option<&'static str> {
    match expression.get_inner_expression() {
        Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => Some("string"),
        Expression::NumericLiteral(number) if number.value.fract() == 0.0 => Some("integer"),
        Expression::NumericLiteral(_) => Some("number"),
        Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::UnaryNegation => {
            Some("number")
        }
        Expression::BooleanLiteral(_) => Some("boolean"),
        Expression::NullLiteral(_) => Some("null"),
        Expression::ArrayExpression(_) => Some("array"),
        Expression::ObjectExpression(_) => Some("object"),
        Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_) => {
            Some("function")
        }
        _ => None,
    }
}

fn shown(path: &[String]) -> String {
    if path.is_empty() { "the input".to_owned() } else { format!("`{}`", path.join(".")) }
}

fn with_article(kind: &str) -> String {
    match kind {
        "null" => "null".to_owned(),
        _ if kind.starts_with(['a', 'i', 'o']) => format!("an {kind}"),
        _ => format!("a {kind}"),
    }
}
