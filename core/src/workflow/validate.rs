//! Whether a declaration makes sense, before anything runs.

use serde::{Deserialize, Serialize};

/// Something wrong with a script, found before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A stable word for the kind of problem, for example `unknown_topic`.
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
