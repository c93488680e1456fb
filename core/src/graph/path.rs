//! Paths to what a node made: `output.count`, `status`, `artifacts.report`.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::NodeStatus;
use crate::text::text_enum;

text_enum! {
    /// Where a path begins.
    pub enum Root ("where a path begins") {
        /// The output of the node.
        Output = "output",
        /// What a person answered: the output of a human node by another name.
        Response = "response",
        /// The status of the node.
        Status = "status",
        /// What the node made, by name.
        Artifacts = "artifacts",
    }
}

/// A path to what a node made. Its segments name fields, or items of a list by their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SourcePath {
    root: Root,
    segments: Vec<String>,
}

/// A text that is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path: write `output.FIELD`, `response.FIELD`, `status` or, to map, `artifacts.NAME`"
)]
pub struct InvalidPath(pub String);

/// What a path is looked up in.
#[derive(Debug, Clone, Copy)]
pub struct SourceView<'a> {
    /// The node's id.
    pub node_id: &'a str,
    /// Its status.
    pub status: NodeStatus,
    /// Its output; null where it has none.
    pub output: &'a Value,
}

impl SourcePath {
    /// Reads the path of a mapping. A path without a root is one into the output.
    ///
    /// # Errors
    /// [`InvalidPath`] where a segment is empty.
    pub fn of_mapping(text: &str) -> Result<Self, InvalidPath> {
        Self::rooted(text).or_else(|invalid| {
            let first = text.split('.').next().unwrap_or_default();
            if first.parse::<Root>().is_ok() {
                return Err(invalid);
            }
            Self::rooted(&format!("output.{text}")).map_err(|_invalid| invalid)
        })
    }

    /// Reads the path of a condition.
    ///
    /// # Errors
    /// [`InvalidPath`] where it has no root that a condition may look at, or a segment is empty.
    pub fn of_condition(text: &str) -> Result<Self, InvalidPath> {
        Self::rooted(text)
            .ok()
            .filter(|path| path.root != Root::Artifacts)
            .ok_or_else(|| InvalidPath(text.to_owned()))
    }

    fn rooted(text: &str) -> Result<Self, InvalidPath> {
        let invalid = || InvalidPath(text.to_owned());
        let mut parts = text.split('.');
        let root: Root = parts.next().unwrap_or_default().parse().map_err(|_unknown| invalid())?;
        let segments: Vec<String> = parts.map(str::to_owned).collect();
        let fits = match root {
            Root::Output | Root::Response => true,
            Root::Status => segments.is_empty(),
            Root::Artifacts => segments.len() == 1,
        };
        let is_named = segments.iter().all(|segment| !segment.trim().is_empty());
        (fits && is_named).then_some(Self { root, segments }).ok_or_else(invalid)
    }

    /// Where it begins.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.root
    }

    /// The names and numbers after the root.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// What it leads to; `None` where there is nothing.
    #[must_use]
    pub fn find<'a>(&self, source: SourceView<'a>) -> Option<Cow<'a, Value>> {
        match self.root {
            Root::Output | Root::Response => {
                find_in(source.output, &self.segments).map(Cow::Borrowed)
            }
            Root::Status => Some(Cow::Owned(Value::from(source.status.as_str()))),
            Root::Artifacts => self
                .segments
                .first()
                .map(|name| Cow::Owned(json!({"nodeId": source.node_id, "name": name}))),
        }
    }
}

/// What a path of fields and items leads to in a value.
pub(super) fn find_in<'a>(value: &'a Value, segments: &[String]) -> Option<&'a Value> {
    segments.iter().try_fold(value, |value, segment| match value {
        Value::Object(fields) => fields.get(segment),
        Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

impl fmt::Display for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)?;
        self.segments.iter().try_for_each(|segment| write!(f, ".{segment}"))
    }
}

impl From<SourcePath> for String {
    fn from(path: SourcePath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for SourcePath {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        Self::of_mapping(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_into_the_output_the_status_and_the_artifacts() {
        let output = json!({"items": [{"name": "Ü"}], "status": "x"});
        let source = SourceView { node_id: "a", status: NodeStatus::Partial, output: &output };
        let find =
            |path: &str| SourcePath::of_mapping(path).unwrap().find(source).map(Cow::into_owned);

        assert_eq!(find("output.items.0.name"), Some(json!("Ü")));
        assert_eq!(find("items.0.name"), Some(json!("Ü")));
        assert_eq!(find("output.items.1"), None);
        assert_eq!(find("output.items.0.name.x"), None);
        assert_eq!(find("status"), Some(json!("partial")));
        assert_eq!(find("artifacts.report"), Some(json!({"nodeId": "a", "name": "report"})));
        assert_eq!(find("response"), Some(output.clone()));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "output.", "a..b", "status.x", "artifacts", "artifacts.a.b"] {
            assert!(SourcePath::of_mapping(text).is_err(), "{text}");
        }
        for text in ["count", "artifacts.report", "outputs.count"] {
            assert!(SourcePath::of_condition(text).is_err(), "{text}");
        }
    }
}
