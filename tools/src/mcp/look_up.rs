//! How the effect of a call is looked up: a call of a reading tool, and a condition on its answer.

use std::time::Duration;

use serde_json::{Map, Value};
use windlass_core::Failure;

use super::config::{Found, ReconcileConfig};

/// What references stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Original<'a> {
    /// The input of the call that is looked up.
    pub(super) input: &'a Value,
    /// Its idempotency key.
    pub(super) key: &'a str,
}

/// A question and what its answer means.
#[derive(Debug, Clone)]
pub(super) struct LookUp {
    config: ReconcileConfig,
}

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Effect,
    Nothing,
}

impl LookUp {
    pub(super) const fn new(config: ReconcileConfig) -> Self {
        Self { config }
    }

    /// When absence is proof, if ever.
    pub(super) fn absence_counts_after(&self) -> Option<Duration> {
        self.config.absence_after_s.map(Duration::from_secs)
    }

    /// What the reading tool is asked.
    pub(super) fn arguments(&self, original: Original<'_>) -> Result<Map<String, Value>, Failure> {
        let fill = |(name, value): (&String, &Value)| Ok((name.clone(), filled(value, original)?));
        self.config.arguments.iter().map(fill).collect()
    }

    /// What the answer of the reading tool shows.
    pub(super) fn judge(&self, answer: &Value, original: Original<'_>) -> Result<Seen, Failure> {
        let Found { path, equals, contains } = &self.config.found;
        let fill =
            |value: &Option<Value>| value.as_ref().map(|value| filled(value, original)).transpose();
        let (equals, contains) = (fill(equals)?, fill(contains)?);
        let fits = |value: &Value| {
            equals.as_ref().is_none_or(|wanted| value == wanted)
                && contains.as_ref().is_none_or(|wanted| has(value, wanted))
        };
        Ok(if path.query(answer).iter().any(|value| fits(value)) {
            Seen::Effect
        } else {
            Seen::Nothing
        })
    }

    /// What an error of the reading tool shows; none where it tells nothing.
    pub(super) fn judge_error(&self, text: &str) -> Option<Seen> {
        let sign = self.config.absent_error.as_ref()?;
        text.contains(sign).then_some(Seen::Nothing)
    }
}

fn has(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part),
        (Value::Array(values), wanted) => values.contains(wanted),
        _ => false,
    }
}

/// `template` with its references replaced.
fn filled(template: &Value, original: Original<'_>) -> Result<Value, Failure> {
    let each = |value: &Value| filled(value, original);
    Ok(match template {
        Value::String(text) => match reference(text, original) {
            Some(found) => found?,
            None => template.clone(),
        },
        Value::Array(values) => Value::Array(values.iter().map(each).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            let fill = |(name, value): (&String, &Value)| Ok((name.clone(), each(value)?));
            Value::Object(entries.iter().map(fill).collect::<Result<_, Failure>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => template.clone(),
    })
}

/// What `text` refers to; none where it is no reference.
fn reference(text: &str, original: Original<'_>) -> Option<Result<Value, Failure>> {
    if text == "$key" {
        return Some(Ok(original.key.into()));
    }
    let pointer = text.strip_prefix("$input").filter(|it| it.is_empty() || it.starts_with('/'))?;
    let missing = || Failure::internal(format!("the input of the call has no `{text}`"));
    Some(original.input.pointer(pointer).cloned().ok_or_else(missing))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look_up(arguments: &Value, found: &Value) -> LookUp {
        let config = json!({"tool": "search", "arguments": arguments, "found": found});
        LookUp::new(serde_json::from_value(config).unwrap())
    }

    fn check(found: &Value, answer: &Value) -> Seen {
        let input = json!({"entities": [{"name": "Ada"}]});
        look_up(&json!({}), found).judge(answer, Original { input: &input, key: "k1" }).unwrap()
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        let input = json!({"entities": [{"name": "Ada"}], "n": 3});
        let template = json!({
            "query": "$input/entities/0/name", "all": ["$input/n", {"key": "$key"}],
            "price": "$input is no reference here", "dollar": "$5", "whole": "$input"
        });

        let filled = look_up(&template, &json!({"path": "$"}))
            .arguments(Original { input: &input, key: "k1" })
            .unwrap();

        assert_eq!(
            Value::Object(filled),
            json!({
                "query": "Ada", "all": [3, {"key": "k1"}],
                "price": "$input is no reference here", "dollar": "$5", "whole": input
            })
        );
    }

    #[test]
    fn a_reference_to_nothing_is_no_question() {
        let look_up = look_up(&json!({"query": "$input/name"}), &json!({"path": "$"}));

        let failure = look_up.arguments(Original { input: &json!({}), key: "" }).unwrap_err();

        assert_eq!(failure.message, "the input of the call has no `$input/name`");
    }

    #[test]
    fn an_effect_is_seen_where_one_value_fits() {
        let answer = json!({"entities": [{"name": "Bob"}, {"name": "Ada", "tags": ["x", "y"]}]});
        let name = "$.entities[*].name";

        let seen = [
            json!({"path": name, "equals": "$input/entities/0/name"}),
            json!({"path": name, "contains": "da"}),
            json!({"path": "$.entities[*].tags", "contains": "y"}),
            json!({"path": "$.entities[1]"}),
            json!({"path": name, "equals": "Eve"}),
            json!({"path": name, "contains": "Ada Lovelace"}),
            json!({"path": "$.entities[*].tags", "contains": "z"}),
            json!({"path": "$.entities[2]"}),
            json!({"path": name, "equals": "Ada", "contains": "x"}),
        ]
        .map(|found| check(&found, &answer) == Seen::Effect);

        assert_eq!(seen, [true, true, true, true, false, false, false, false, false]);
    }
}
