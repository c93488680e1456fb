//! Why something failed. The code that sees the failure classifies it; nobody reads the class from a message.

use serde::{Deserialize, Serialize};

use crate::text::text_enum;

text_enum! {
    /// Who must act on a failure. It decides what happens next.
    pub enum FailureClass ("a failure class") {
        /// Credentials are missing, expired or revoked: a person reconnects.
        Auth = "auth",
        /// Credentials are good but do not allow this: a person changes rights.
        Permission = "permission",
        /// The other side did not answer, or asked to try again later: waiting helps.
        Network = "network",
        /// The script is wrong: its author repairs it.
        Logic = "logic",
        /// Windlass or a connector is wrong: its developers repair it.
        Internal = "internal",
        /// The key of a provider is not accepted: a person sets another.
        ApiKey = "api_key",
        /// The account with a provider has no balance: a person pays.
        Balance = "balance",
    }
}

text_enum! {
    /// Whether a request left this machine, as the tool that made it knows.
    pub enum Sent ("whether a request was sent") {
        /// It did not leave, or it was definitely refused: nothing happened outside.
        No = "no",
        /// It was accepted: the effect happened, whatever failed afterwards.
        Yes = "yes",
        /// It may have left and may have been obeyed.
        Maybe = "maybe",
    }
}

/// How long the text of a failure may be, in bytes. It is stored and shown several times.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// Where in a script something happened, as the author wrote the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptPosition {
    /// The script's file name.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// The column, counted from 1.
    pub column: u32,
    /// The text of that line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

impl std::fmt::Display for ScriptPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A classified failure. It contains no secret: the code that makes one leaves them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Who must act.
    pub class: FailureClass,
    /// What was attempted and what went wrong, for a person.
    pub message: String,
    /// The service concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Box<Service>>,
    /// Where the script was when it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Box<ScriptPosition>>,
}

/// The other side of a failed call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Which service, for example `http api.example.com`.
    pub name: String,
    /// The account there, where there is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Failure {
    /// A failure of `class`.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), service: None, at: None }
    }

    /// The script is wrong.
    pub fn logic(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Logic, message)
    }

    /// Windlass is wrong.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Internal, message)
    }

    /// The other side did not answer.
    pub fn network(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Network, message)
    }

    /// The failure with its text cut to 4 KiB. Whoever stores or passes on a failure calls this last, after secrets were removed: a
    /// secret that was cut in two would not be recognised.
    #[must_use]
    pub fn cropped(mut self) -> Self {
        let end = self.message.floor_char_boundary(MAX_TEXT_BYTES);
        let left_out = self.message.len() - end;
        if left_out > 0 {
            self.message.truncate(end);
            self.message.push_str(&format!("… ({left_out} more bytes)"));
        }
        self
    }

    /// Adds where in the script it happened, unless that is already known.
    #[must_use]
    pub fn at(mut self, position: Option<ScriptPosition>) -> Self {
        self.at = self.at.or_else(|| position.map(Box::new));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_two_characters_and_says_so() {
        let short = Failure::logic("ä".repeat(2_048));
        let long = Failure::logic(format!("x{}", "ä".repeat(3_000)));

        assert_eq!(short.clone().cropped(), short);
        let cut = long.cropped().message;
        assert!(cut.ends_with("ä… (1906 more bytes)"), "{cut}");
        assert!(cut.len() < 4_200);
    }
}
