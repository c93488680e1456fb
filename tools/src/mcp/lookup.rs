//! Looks up the effect of a call: calls a reading tool and evaluates a condition on its result.

use std::time::Duration;

use serde_json::{Map, Value};
use windlass_core::Failure;

use super::config::{FoundCondition, ReconcileConfig};

/// The call that is looked up. References in the configuration refer to its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct OriginalCall<'a> {
    /// Its input.
    pub(super) input: &'a Value,
    /// Its idempotency key.
    pub(super) key: &'a str,
}

/// How to look up the effects of one tool.
#[derive(Debug, Clone)]
pub(super) struct EffectLookup {
    config: ReconcileConfig,
}

/// Whether the result of a look-up shows the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Present,
    Absent,
}

impl EffectLookup {
    pub(super) const fn new(config: ReconcileConfig) -> Self {
        Self { config }
    }

    /// How long after the request a missing effect proves that it did not happen, if it ever does.
    pub(super) fn absence_counts_after(&self) -> Option<Duration> {
        self.config.absence_after_s.map(Duration::from_secs)
    }

    /// The arguments for the reading tool.
    pub(super) fn arguments(
        &self,
        original: OriginalCall<'_>,
    ) -> Result<Map<String, Value>, Failure> {
        let fill = |(name, value): (&String, &Value)| Ok((name.clone(), filled(value, original)?));
        self.config.arguments.iter().map(fill).collect()
    }

    /// Evaluates the result of the reading tool.
    pub(super) fn evaluate(
        &self,
        result: &Value,
        original: OriginalCall<'_>,
    ) -> Result<Presence, Failure> {
        let FoundCondition { path, equals, contains } = &self.config.found;
        let fill =
            |value: &Option<Value>| value.as_ref().map(|value| filled(value, original)).transpose();
        let (equals, contains) = (fill(equals)?, fill(contains)?);
        let fits = |value: &Value| {
            equals.as_ref().is_none_or(|wanted| value == wanted)
                && contains.as_ref().is_none_or(|wanted| contains_value(value, wanted))
        };
        Ok(if path.query(result).iter().any(|value| fits(value)) {
            Presence::Present
        } else {
            Presence::Absent
        })
    }

    /// Evaluates an error of the reading tool. `None` means that the error shows nothing.
    pub(super) fn evaluate_error(&self, text: &str) -> Option<Presence> {
        let absent_error = self.config.absent_error.as_ref()?;
        text.contains(absent_error).then_some(Presence::Absent)
    }
}

fn contains_value(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::String(text), Value::String(part)) => text.contains(part),
        (Value::Array(values), wanted) => values.contains(wanted),
        _ => false,
    }
}

/// `template` with its references replaced.
fn filled(template: &Value, original: OriginalCall<'_>) -> Result<Value, Failure> {
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

/// What `text` refers to. `None` means that it is no reference.
fn reference(text: &str, original: OriginalCall<'_>) -> Option<Result<Value, Failure>> {
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

    fn lookup(arguments: &Value, found: &Value) -> EffectLookup {
        let config = json!({"tool": "search", "arguments": arguments, "found": found});
        EffectLookup::new(serde_json::from_value(config).unwrap())
    }

    fn check(found: &Value, answer: &Value) -> Presence {
        let input = json!({"entities": [{"name": "Ada"}]});
        lookup(&json!({}), found)
            .evaluate(answer, OriginalCall { input: &input, key: "k1" })
            .unwrap()
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        let input = json!({"entities": [{"name": "Ada"}], "n": 3});
        let template = json!({
            "query": "$input/entities/0/name", "all": ["$input/n", {"key": "$key"}],
            "price": "$input is no reference here", "dollar": "$5", "whole": "$input"
        });

        let filled = lookup(&template, &json!({"path": "$"}))
            .arguments(OriginalCall { input: &input, key: "k1" })
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
        let lookup = lookup(&json!({"query": "$input/name"}), &json!({"path": "$"}));

        let failure = lookup.arguments(OriginalCall { input: &json!({}), key: "" }).unwrap_err();

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
        .map(|found| check(&found, &answer) == Presence::Present);

        assert_eq!(seen, [true, true, true, true, false, false, false, false, false]);
    }
}
