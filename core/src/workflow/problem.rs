//! Problems of a script, found before it runs.

use serde::{Deserialize, Serialize};

/// Stands for a function in the description of a workflow. No author writes this text.
pub const FUNCTION: &str = "\u{0}function";

/// A problem of a script, found before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable code for the kind of problem, for example `undeclared_topic`.
    pub code: String,
    /// What is wrong, for a person.
    pub message: String,
    /// Where in the declaration: keys from `workflow` down, for example `["consumers", "record", "subscribe", "0"]`.
    #[serde(skip)]
    pub path: Vec<String>,
    /// The line in the script, counted from 1, where it is known.
    pub line: Option<u32>,
    /// The column in that line, counted from 1, where it is known.
    pub column: Option<u32>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without a position.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            path: Vec::new(),
            line: None,
            column: None,
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
