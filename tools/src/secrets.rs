//! Secrets: the configuration names them, configured values refer to them, and no output may contain them.

mod origin;
mod redacted_tool;
mod redactor;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use windlass_core::{Failure, FailureClass};
use windlass_scheduler::Tool;

use self::redacted_tool::RedactedTool;
use self::redactor::Redactor;
use crate::environment::Environment;

pub use self::origin::{SecretOrigin, SecretsConfig};
pub(crate) use self::redactor::MIN_SECRET_BYTES;

/// Why a configured value cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// A reference to a secret has no closing brace.
    #[error("`${{secret:` is not closed: write `${{secret:NAME}}`")]
    Unclosed,
    /// The value refers to a secret that the configuration does not have.
    #[error("there is no secret `{name}`: add it to `[secrets]` of the configuration")]
    Undeclared {
        /// The name.
        name: String,
    },
    /// The secret could not be read from its origin.
    #[error("cannot use the secret `{name}`: {reason}")]
    Missing {
        /// The name.
        name: String,
        /// What is wrong there, and what to do.
        reason: String,
    },
}

impl From<SecretError> for Failure {
    fn from(error: SecretError) -> Self {
        Self::new(FailureClass::ApiKey, error.to_string())
    }
}

/// Whether a secret can be used and redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretStatus {
    /// It was read.
    Usable,
    /// It was read, but it is so short that other text contains it by chance. So it is used but never redacted.
    TooShort,
    /// It could not be read.
    Missing(SecretError),
}

/// The secrets of this process. Their values leave it only through [`fill`](Self::fill).
#[derive(Debug, Default)]
pub struct Secrets {
    loaded: BTreeMap<String, LoadedSecret>,
    redactor: Redactor,
}

#[derive(Debug)]
struct LoadedSecret {
    origin: SecretOrigin,
    /// The secret, or why it could not be read.
    value: Result<SecretString, String>,
}

impl Secrets {
    /// Reads all secrets. A missing one is an error only for the values that refer to it. Files are relative to `base_dir`.
    #[must_use]
    pub fn load(config: &SecretsConfig, base_dir: &Path, environment: Environment) -> Self {
        let load = |origin: &SecretOrigin| LoadedSecret {
            origin: origin.clone(),
            value: origin.read(base_dir, environment),
        };
        let loaded: BTreeMap<_, _> =
            config.0.iter().map(|(name, origin)| (name.clone(), load(origin))).collect();
        let redactor = Redactor::new(loaded.values().filter_map(|it| it.value.as_ref().ok()));
        Self { loaded, redactor }
    }

    /// `text` with each `${secret:NAME}` replaced by that secret.
    ///
    /// # Errors
    /// [`SecretError`]. All but [`SecretError::Missing`] are mistakes in the configuration.
    pub fn fill(&self, text: &str) -> Result<SecretString, SecretError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${secret:") {
            let (name, after) = after.split_once('}').ok_or(SecretError::Unclosed)?;
            parts.extend([before, self.value(name)?.expose_secret()]);
            rest = after;
        }
        parts.push(rest);
        // One allocation of the right size: a string that grows would leave parts of the secret in freed memory.
        Ok(parts.concat().into())
    }

    /// `text` with each secret in it replaced by `***`, whether the secret is plain, in hexadecimal digits, in base64 (also in lines), or
    /// escaped as in URLs, JSON, HTML, mails or program texts, also twice.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redactor.redact(text)
    }

    /// `tool` with all secrets redacted in its results and failures.
    #[must_use]
    pub fn redact_tool(self: &Arc<Self>, tool: Arc<dyn Tool>) -> Arc<dyn Tool> {
        if self.redactor.is_empty() {
            return tool;
        }
        Arc::new(RedactedTool { inner: tool, secrets: Arc::clone(self) })
    }

    /// Each secret with its origin and status, in the order of their names.
    pub fn statuses(&self) -> impl Iterator<Item = (&str, &SecretOrigin, SecretStatus)> {
        self.loaded.iter().map(|(name, loaded)| {
            let status = match self.value(name) {
                Ok(value) if Redactor::can_redact(value) => SecretStatus::Usable,
                Ok(_) => SecretStatus::TooShort,
                Err(error) => SecretStatus::Missing(error),
            };
            (name.as_str(), &loaded.origin, status)
        })
    }

    fn value(&self, name: &str) -> Result<&SecretString, SecretError> {
        let loaded = self
            .loaded
            .get(name)
            .ok_or_else(|| SecretError::Undeclared { name: name.to_owned() })?;
        loaded.value.as_ref().map_err(|reason| SecretError::Missing {
            name: name.to_owned(),
            reason: reason.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
