//! The section `[notify]` of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Deserializer};
use windlass_core::span;

/// Where notifications are sent, and when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyConfig {
    /// When nothing is sent; what comes meanwhile is sent afterwards.
    pub quiet: Option<QuietHours>,
    /// Notifications that come within this time are sent together.
    #[serde(deserialize_with = "read_span")]
    pub group: Duration,
    /// By mail.
    pub mail: Option<MailChannel>,
    /// To an HTTP endpoint.
    pub http: Option<HttpChannel>,
    /// To a command.
    pub command: Option<CommandChannel>,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        let group = Duration::from_secs(30);
        Self { quiet: None, group, mail: None, http: None, command: None }
    }
}

/// Mails through an SMTP server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailChannel {
    /// The server, `host` or `host:port`.
    pub server: String,
    /// How the connection is encrypted.
    #[serde(default)]
    pub encryption: MailEncryption,
    /// Who logs in; nobody does without it.
    pub user: Option<String>,
    /// The password, which may name a secret.
    pub password: Option<String>,
    /// The sender's address.
    pub from: String,
    /// The addresses that get each mail.
    pub to: Vec<String>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailEncryption {
    /// The client asks for encryption on the open connection, and refuses to go on without.
    #[default]
    StartTls,
    /// From the beginning.
    Tls,
    /// Not at all: for a server on the same machine.
    None,
}

/// Requests to an HTTP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpChannel {
    /// Where each message is posted as JSON. It may name a secret.
    pub url: String,
    /// More headers, whose values may name secrets.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// A command that gets each message as JSON on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandChannel {
    /// The program: a name that is looked for in `PATH`, or a path relative to the configuration.
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
}

/// A part of the day, which may go past midnight: `22:00-07:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    from: NaiveTime,
    to: NaiveTime,
}

impl QuietHours {
    /// Whether a time of the day belongs to them.
    #[must_use]
    pub fn covers(self, time: NaiveTime) -> bool {
        let Self { from, to } = self;
        if from <= to { from <= time && time < to } else { from <= time || time < to }
    }
}

impl std::str::FromStr for QuietHours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
        let parts = text.split_once('-').and_then(|(from, to)| Some((time(from)?, time(to)?)));
        let (from, to) = parts.filter(|(from, to)| from != to).ok_or_else(|| {
            format!("`{text}` is no part of a day: write for example `22:00-07:00`")
        })?;
        Ok(Self { from, to })
    }
}

impl<'de> Deserialize<'de> for QuietHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn read_span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    span(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_go_past_midnight() {
        let at = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
        let night: QuietHours = "22:00-07:00".parse().unwrap();
        let noon: QuietHours = "12:00-13:30".parse().unwrap();

        let quiet = [(22, 0), (23, 59), (0, 0), (6, 59)];
        assert!(quiet.iter().all(|(hour, minute)| night.covers(at(*hour, *minute))));
        assert!(!night.covers(at(7, 0)) && !night.covers(at(21, 59)));
        assert!(noon.covers(at(13, 29)) && !noon.covers(at(13, 30)) && !noon.covers(at(11, 59)));
        for wrong in ["22-7", "22:00", "25:00-07:00", "07:00-07:00", ""] {
            assert!(wrong.parse::<QuietHours>().is_err(), "{wrong}");
        }
    }
}
