//! How notifications reach people outside of Windlass: by mail, at an HTTP endpoint, or through a command.
//!
//! A channel may get a message again whose answer was lost. Each message has a key, the same at every attempt: it is the message id of
//! a mail and the `Idempotency-Key` of a request.

mod command;
mod config;
mod http;
mod mail;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use windlass_core::escape_line;

use crate::environment::Environment;
use crate::secrets::{SecretError, Secrets};

pub use self::config::{
    CommandChannel, HttpChannel, MailChannel, MailEncryption, NotifyConfig, QuietHours,
};

/// How long one attempt may take.
const SEND_TIME: Duration = Duration::from_secs(30);

/// One message, about one notification or several.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// The same at every attempt, and different for every message.
    pub key: String,
    /// One line.
    pub title: String,
    /// Everything there is to say.
    pub text: String,
    /// The notifications, one by one, for programs.
    pub notifications: Vec<MessageItem>,
}

/// A notification in a message.
#[derive(Debug, Clone, Serialize)]
pub struct MessageItem {
    /// Its id.
    pub id: String,
    /// What kind it is.
    pub kind: String,
    /// The name of its workflow.
    pub workflow: String,
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// When it was entered, as an ISO 8601 instant.
    pub at: String,
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// A setting of the channel cannot be used.
    #[error("`[notify.{channel}] {setting}` cannot be used: {reason}")]
    Setting {
        /// The channel.
        channel: &'static str,
        /// The setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// A setting names a secret that cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The other side refused it or could not be reached.
    #[error("{message}")]
    Refused {
        /// What it said, or what went wrong.
        message: String,
    },
    /// No channel of this name is configured.
    #[error("`[notify.{channel}]` is not configured")]
    Unknown {
        /// The channel.
        channel: String,
    },
}

impl DeliveryError {
    fn refused(message: impl std::fmt::Display) -> Self {
        Self::Refused { message: message.to_string() }
    }
}

/// The channels of a configuration.
#[derive(Debug, Clone)]
pub struct Channels {
    config: NotifyConfig,
    secrets: Arc<Secrets>,
    /// The folder that paths are relative to.
    root: PathBuf,
    environment: Environment,
}

impl Channels {
    /// The channels of `config`, with the `secrets` that it names. A command runs in `root`.
    #[must_use]
    pub fn new(
        config: &NotifyConfig,
        secrets: &Arc<Secrets>,
        root: PathBuf,
        environment: Environment,
    ) -> Self {
        Self { config: config.clone(), secrets: Arc::clone(secrets), root, environment }
    }

    /// The names of the channels that are configured, for example `mail`.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let NotifyConfig { mail, http, command, .. } = &self.config;
        let all =
            [("mail", mail.is_some()), ("http", http.is_some()), ("command", command.is_some())];
        all.into_iter().filter(|(_, is_configured)| *is_configured).map(|(name, _)| name).collect()
    }

    /// Sends a message through the channel of that name. Secrets are removed from it first.
    ///
    /// # Errors
    /// [`DeliveryError`] if it was not delivered, or if that is not known.
    ///
    /// # Cancel safety
    /// The message may have been delivered although the future was dropped.
    pub async fn send(&self, channel: &str, message: &Message) -> Result<(), DeliveryError> {
        let message = self.without_secrets(message);
        let NotifyConfig { mail, http, command, .. } = &self.config;
        let sent = async {
            match (channel, mail, http, command) {
                ("mail", Some(config), _, _) => mail::send(config, &self.secrets, &message).await,
                ("http", _, Some(config), _) => http::send(config, &self.secrets, &message).await,
                ("command", _, _, Some(config)) => {
                    command::send(config, (&self.root, self.environment), &message).await
                }
                _ => Err(DeliveryError::Unknown { channel: channel.to_owned() }),
            }
        };
        let sent = tokio::time::timeout(SEND_TIME, sent).await;
        let sent = sent.unwrap_or_else(|_elapsed| {
            Err(DeliveryError::refused(format!("no answer came within {} s", SEND_TIME.as_secs())))
        });
        sent.map_err(|error| self.error_without_secrets(error))
    }

    fn without_secrets(&self, message: &Message) -> Message {
        let clean = |text: &str| self.secrets.redact(text).into_owned();
        let item = |item: &MessageItem| MessageItem {
            title: clean(&item.title),
            text: clean(&item.text),
            ..item.clone()
        };
        Message {
            key: message.key.clone(),
            title: escape_line(&clean(&message.title)).into_owned(),
            text: clean(&message.text),
            notifications: message.notifications.iter().map(item).collect(),
        }
    }

    /// What the other side said may contain what it was given.
    fn error_without_secrets(&self, error: DeliveryError) -> DeliveryError {
        match error {
            DeliveryError::Refused { message } => {
                DeliveryError::Refused { message: self.secrets.redact(&message).into_owned() }
            }
            other @ (DeliveryError::Setting { .. }
            | DeliveryError::Secret(_)
            | DeliveryError::Unknown { .. }) => other,
        }
    }
}

/// Configured values with their secrets filled in.
fn fill_all(
    secrets: &Secrets,
    values: &BTreeMap<String, String>,
) -> Result<Vec<(String, secrecy::SecretString)>, SecretError> {
    values.iter().map(|(name, value)| Ok((name.clone(), secrets.fill(value)?))).collect()
}
