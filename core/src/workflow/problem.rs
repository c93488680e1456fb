//! Problems of a script, found before it runs.

use serde::{Deserialize, Serialize};

use super::rule::ProblemCode;

/// Stands for a function in the description of a workflow. No author writes this text.
pub const FUNCTION: &str = "\u{0}function";

/// A problem of a script, found before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A stable code for the kind of problem, for example `undeclared_topic`, and the address of its rule.
    #[serde(flatten)]
    pub code: ProblemCode,
    /// Whether the script is refused because of it.
    pub severity: Severity,
    /// What is wrong, for a person.
    pub message: String,
    /// Where in the declaration: keys from `workflow` down, for example `["consumers", "record", "subscribe", "0"]`.
    #[serde(skip)]
    pub path: Vec<String>,
    /// The line in the script, counted from 1, where it is known.
    pub line: Option<u32>,
    /// The column in that line, counted from 1, where it is known.
    pub column: Option<u32>,
    /// The line in which the part of the script ends that the problem is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// The first column behind that part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_column: Option<u32>,
    /// The text of the line, cut around the column if it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Other places that show why this is a problem, in the order in which to read them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Because>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The smallest change of the text that solves it, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

/// What follows from a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The script is refused.
    Error,
    /// The script may be right.
    Warning,
}

/// A place that shows why something is a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// The line in the script, counted from 1.
    pub line: u32,
    /// What is there.
    pub text: String,
}

/// A change of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// Whether the script then certainly does what its author meant.
    pub safe: bool,
    /// The texts to replace.
    pub edits: Vec<Edit>,
}

/// A text to replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// A part of the script that is there exactly once.
    pub old: String,
    /// What to write instead.
    pub new: String,
}

impl Problem {
    /// An error without a position.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            severity: Severity::Error,
            message: message.into(),
            path: Vec::new(),
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            source: None,
            because: Vec::new(),
            hint: None,
            fix: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
