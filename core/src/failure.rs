//! Why something failed. The code that sees the failure classifies it; nobody reads the class from a message.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Who must act on a failure. It decides what happens next.
    pub enum FailureClass ("a failure class") {
        /// A service does not accept the credentials, or they are missing: a person renews them, or gives them rights.
        Auth = "auth",
        /// This deployment does not allow it: a person changes its configuration, or grants it.
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

text_enum! {
    /// What is wrong with the thing that a call was about. A script may expect such a failure: it says nothing of the network, of
    /// anybody's rights or of Windlass.
    pub enum DataFault ("what is wrong with the data") {
        /// It does not exist.
        NotFound = "not_found",
        /// It is not what the call expects, such as a text in another encoding.
        Unreadable = "unreadable",
        /// It is larger than the limits allow.
        TooBig = "too_big",
        /// The other side understood the request and refuses its content.
        Refused = "refused",
    }
}

/// How long the text of a failure may be, in bytes. It is stored and shown several times.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// The longest wait that another side may ask for.
const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// How long the other side asked to wait before the next attempt, up to a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// What is wrong with the data, where the failure is about that and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<DataFault>,
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
        let (retry_after, data) = (None, None);
        Self { class, message: message.into(), service: None, retry_after, data, at: None }
    }

    /// The script is wrong.
    pub fn logic(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Logic, message)
    }

    /// The data is not what the script took it for. A script that expects this goes on; for another one it is a failure of its own.
    pub fn about_data(fault: DataFault, message: impl Into<String>) -> Self {
        Self { data: Some(fault), ..Self::logic(message) }
    }

    /// What is wrong with the data. None for a failure of another class, whatever the code that made it says of the data: then
    /// somebody else has to act.
    #[must_use]
    pub fn data_fault(&self) -> Option<DataFault> {
        self.data.filter(|_| self.class == FailureClass::Logic)
    }

    /// Windlass is wrong.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Internal, message)
    }

    /// The other side did not answer.
    pub fn network(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Network, message)
    }

    /// Adds that the other side asked to wait for so long from `now` before the next attempt. No more than a day is waited.
    #[must_use]
    pub fn asked_to_wait(mut self, wait: Duration, now: Timestamp) -> Self {
        let until = now.after(wait).to_utc().format("%Y-%m-%d %H:%M:%S UTC");
        self.message.push_str(&format!("; the server asked to wait until {until}"));
        if wait > LONGEST_ASKED_WAIT {
            self.message.push_str(", which is more than the day that is waited at most");
        }
        self.retry_after = Some(wait.min(LONGEST_ASKED_WAIT));
        self
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
    fn an_asked_wait_is_said_and_has_a_longest() {
        let now = Timestamp::parse("2026-03-01T09:00:00Z").unwrap();
        let asked = |wait| Failure::network("429").asked_to_wait(Duration::from_secs(wait), now);

        let hour = asked(3_600);
        assert_eq!(hour.retry_after, Some(Duration::from_secs(3_600)));
        assert_eq!(hour.message, "429; the server asked to wait until 2026-03-01 10:00:00 UTC");
        let week = asked(7 * 86_400);
        assert_eq!(week.retry_after, Some(Duration::from_secs(86_400)));
        assert!(week.message.contains("until 2026-03-08 09:00:00 UTC, which is more than the day"));
    }

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
