//! Conditions of edges, such as `{"path": "output.count", "op": "gt", "value": 3}`.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{InvalidPath, SourcePath, SourceView};
use crate::text::text_enum;

/// How deep conditions may be nested.
const MAX_DEPTH: usize = 16;

text_enum! {
    /// How a condition compares.
    pub enum Operator ("an operator") {
        /// It is `value`.
        Eq = "eq",
        /// It is not `value`, or not there.
        Neq = "neq",
        /// It is one of the list `value`.
        In = "in",
        /// It is none of the list `value`.
        NotIn = "not-in",
        /// It is there, and not null.
        Exists = "exists",
        /// It is more than `value`.
        Gt = "gt",
        /// It is `value` or more.
        Gte = "gte",
        /// It is less than `value`.
        Lt = "lt",
        /// It is `value` or less.
        Lte = "lte",
        /// It is neither missing, null, false, zero nor empty.
        Truthy = "truthy",
    }
}

/// A condition on what a node made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Value", try_from = "Value")]
pub enum Condition {
    /// Compares what is at a path.
    Test {
        /// Where to look.
        path: SourcePath,
        /// How to compare.
        op: Operator,
        /// What with; null for an operator that needs nothing.
        value: Value,
    },
    /// All of them hold.
    All(Vec<Self>),
    /// One of them holds.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
}

/// A value that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCondition {
    /// It has another form.
    #[error(
        "a condition is `{{path, op, value}}`, `{{all: […]}}`, `{{any: […]}}` or `{{not: …}}`, and nothing else"
    )]
    Form,
    /// A list of conditions is empty.
    #[error("`all` and `any` need at least one condition")]
    Empty,
    /// It is nested too deeply.
    #[error("conditions may be nested {MAX_DEPTH} deep at the most")]
    TooDeep,
    /// Its operator is unknown.
    #[error(transparent)]
    Operator(#[from] crate::text::UnknownText),
    /// Its operator needs another operand.
    #[error("`{op}` needs {needed} as `value`")]
    Operand {
        /// The operator.
        op: Operator,
        /// What it needs.
        needed: &'static str,
    },
    /// Its path is none.
    #[error(transparent)]
    Path(#[from] InvalidPath),
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// [`InvalidCondition`] says what is wrong.
    pub fn parse(value: &Value) -> Result<Self, InvalidCondition> {
        Self::parse_at(value, 0)
    }

    fn parse_at(value: &Value, depth: usize) -> Result<Self, InvalidCondition> {
        if depth >= MAX_DEPTH {
            return Err(InvalidCondition::TooDeep);
        }
        let fields = value.as_object().ok_or(InvalidCondition::Form)?;
        let only = fields.iter().next().filter(|_only| fields.len() == 1);
        match only.map(|(key, inner)| (key.as_str(), inner)) {
            Some(("all", inner)) => Ok(Self::All(list(inner, depth)?)),
            Some(("any", inner)) => Ok(Self::Any(list(inner, depth)?)),
            Some(("not", inner)) => Ok(Self::Not(Box::new(Self::parse_at(inner, depth + 1)?))),
            _ => test(fields),
        }
    }

    /// Whether it holds for what a node made. A comparison of things that cannot be compared does not hold.
    #[must_use]
    pub fn holds(&self, source: SourceView<'_>) -> bool {
        match self {
            Self::All(inner) => inner.iter().all(|condition| condition.holds(source)),
            Self::Any(inner) => inner.iter().any(|condition| condition.holds(source)),
            Self::Not(inner) => !inner.holds(source),
            Self::Test { path, op, value } => {
                let found = path.find(source);
                compares(found.as_deref(), *op, value)
            }
        }
    }

    /// The paths that it looks at.
    #[must_use]
    pub fn paths(&self) -> Vec<&SourcePath> {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().flat_map(Self::paths).collect(),
            Self::Not(inner) => inner.paths(),
            Self::Test { path, .. } => vec![path],
        }
    }
}

fn list(value: &Value, depth: usize) -> Result<Vec<Condition>, InvalidCondition> {
    let items = value.as_array().ok_or(InvalidCondition::Form)?;
    if items.is_empty() {
        return Err(InvalidCondition::Empty);
    }
    items.iter().map(|item| Condition::parse_at(item, depth + 1)).collect()
}

fn test(fields: &Map<String, Value>) -> Result<Condition, InvalidCondition> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).ok_or(InvalidCondition::Form);
    if fields.keys().any(|key| !matches!(key.as_str(), "path" | "op" | "value")) {
        return Err(InvalidCondition::Form);
    }
    let path = SourcePath::of_condition(text("path")?.trim())?;
    let op: Operator = text("op")?.trim().parse()?;
    let value = fields.get("value");
    let needed = match op {
        Operator::Exists | Operator::Truthy => None,
        Operator::In | Operator::NotIn => (!value.is_some_and(Value::is_array)).then_some("a list"),
        Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte => (!value
            .is_some_and(|value| value.is_number() || value.is_string()))
        .then_some("a number or a text"),
        Operator::Eq | Operator::Neq => value.is_none().then_some("something to compare with"),
    };
    match needed {
        Some(needed) => Err(InvalidCondition::Operand { op, needed }),
        None => Ok(Condition::Test { path, op, value: value.cloned().unwrap_or_default() }),
    }
}

fn compares(found: Option<&Value>, op: Operator, value: &Value) -> bool {
    let is_one_of =
        || value.as_array().is_some_and(|list| list.iter().any(|item| same(found, item)));
    let order = || found.and_then(|found| ordered(found, value));
    match op {
        Operator::Eq => same(found, value),
        Operator::Neq => !same(found, value),
        Operator::In => is_one_of(),
        Operator::NotIn => !is_one_of(),
        Operator::Exists => found.is_some_and(|found| !found.is_null()),
        Operator::Gt => order() == Some(Ordering::Greater),
        Operator::Gte => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        Operator::Lt => order() == Some(Ordering::Less),
        Operator::Lte => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Operator::Truthy => found.is_some_and(is_truthy),
    }
}

/// Equal values; `1` and `1.0` are the same number.
pub(super) fn same(found: Option<&Value>, value: &Value) -> bool {
    found.is_some_and(|found| {
        found == value || (found.is_number() && ordered(found, value) == Some(Ordering::Equal))
    })
}

fn ordered(found: &Value, value: &Value) -> Option<Ordering> {
    match (found, value) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_true) => *is_true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

impl From<Condition> for Value {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Test { path, op, value }
                if value.is_null() && matches!(op, Operator::Exists | Operator::Truthy) =>
            {
                json!({"path": path, "op": op})
            }
            Condition::Test { path, op, value } => json!({"path": path, "op": op, "value": value}),
            Condition::All(inner) => json!({"all": inner}),
            Condition::Any(inner) => json!({"any": inner}),
            Condition::Not(inner) => json!({"not": inner}),
        }
    }
}

impl TryFrom<Value> for Condition {
    type Error = InvalidCondition;

    fn try_from(value: Value) -> Result<Self, InvalidCondition> {
        Self::parse(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::NodeStatus;

    fn holds(condition: Value) -> bool {
        let output = json!({"n": 2, "text": "b", "list": [1], "none": null, "zero": 0.0});
        let source = SourceView { node_id: "a", status: NodeStatus::Completed, output: &output };
        let condition = Condition::try_from(condition).unwrap();
        let again = Condition::try_from(Value::from(condition.clone())).unwrap();
        assert_eq!(condition, again);
        condition.holds(source)
    }

    #[test]
    fn operators_compare_what_can_be_compared() {
        let on = |path: &str, op: &str, value: Value| {
            holds(json!({"path": path, "op": op, "value": value}))
        };

        assert!(on("output.n", "eq", json!(2.0)) && !on("output.n", "neq", json!(2)));
        assert!(on("output.gone", "neq", json!(2)) && !on("output.gone", "eq", json!(null)));
        assert!(on("output.n", "in", json!([1, 2])) && on("output.n", "not-in", json!([1, "2"])));
        assert!(on("output.n", "gt", json!(1.5)) && !on("output.n", "gt", json!("1")));
        assert!(on("output.text", "lt", json!("c")) && on("output.n", "lte", json!(2)));
        assert!(on("status", "eq", json!("completed")) && on("response.n", "gte", json!(2)));
        let plain = |path: &str, op: &str| holds(json!({"path": path, "op": op}));
        assert!(plain("output.zero", "exists") && !plain("output.zero", "truthy"));
        assert!(!plain("output.none", "exists") && plain("output.list", "truthy"));
    }

    #[test]
    fn conditions_combine() {
        let yes = json!({"path": "output.n", "op": "exists"});
        let no = json!({"not": yes});

        assert!(holds(json!({"any": [no, yes]})) && !holds(json!({"all": [yes, no]})));
    }

    #[test]
    fn what_is_no_condition_says_why() {
        let why = |condition: Value| Condition::parse(&condition).unwrap_err().to_string();

        assert!(
            why(json!({"path": "output.n", "op": "like"})).contains("`like` is not an operator")
        );
        assert!(why(json!({"path": "output.n", "op": "eq"})).contains("`eq` needs something"));
        assert!(why(json!({"path": "output.n", "op": "in", "value": 1})).contains("a list"));
        assert!(why(json!({"path": "n", "op": "exists"})).contains("`n` is no path"));
        assert!(why(json!({"all": []})).contains("at least one"));
        assert!(
            why(json!({"path": "output.n", "op": "exists", "vlaue": 1})).contains("nothing else")
        );
        let deep = (0..40)
            .fold(json!({"path": "status", "op": "exists"}), |inner, _| json!({"not": inner}));
        assert_eq!(Condition::parse(&deep), Err(InvalidCondition::TooDeep));
    }
}
