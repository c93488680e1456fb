//! Secrets: named in the configuration, filled into configured values, and kept out of everything that is shown or kept.

mod blot;
mod guard;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer};
use windlass_core::{Failure, FailureClass};
use windlass_scheduler::Tool;

use self::blot::Blotter;
use self::guard::Guarded;

/// What is longer is no secret, but the wrong file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// How a secret is written into the configuration.
const HOW_TO_NAME: &str = "a secret does not stand in the configuration: say where it comes from, as \
`{ env = \"NAME_OF_A_VARIABLE\" }` or `{ file = \"path/of/a/file\" }`";

/// `[secrets]`: where each secret comes from, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct SecretsConfig(BTreeMap<String, SecretOrigin>);

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOrigin {
    /// `{ env = "STRIPE_KEY" }`: a variable of the environment.
    Env(String),
    /// `{ file = "secrets/stripe" }`: a file, relative to the configuration. The end of its last line is no part of the secret.
    File(String),
}

/// By hand, because a derived error would repeat what was written there, and that may be the secret itself.
impl<'de> Deserialize<'de> for SecretOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || serde::de::Error::custom(HOW_TO_NAME);
        let toml::Value::Table(table) = toml::Value::deserialize(deserializer)? else {
            return Err(wrong());
        };
        let mut entries = table.into_iter();
        match (entries.next(), entries.next()) {
            (Some((key, toml::Value::String(name))), None) => match key.as_str() {
                "env" => Ok(Self::Env(name)),
                "file" => Ok(Self::File(name)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for SecretOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
        }
    }
}

/// Why a configured value cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The value begins to name a secret and does not end it.
    #[error("`${{secret:` is not closed: write `${{secret:NAME}}`")]
    Unclosed,
    /// The value names a secret that the configuration does not have.
    #[error("there is no secret `{name}`: add it to `[secrets]` of the configuration")]
    Undeclared {
        /// The name.
        name: String,
    },
    /// The secret is not where it should come from.
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

/// How a secret stands, for `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    Usable,
    /// It is used, but is too short to be told from other text: answers and messages may show it.
    TooShort,
    /// It is not where it should come from.
    Missing(SecretError),
}

/// The secrets of this process. Their values leave it only through [`fill`](Self::fill).
#[derive(Debug, Default)]
pub struct Secrets {
    known: BTreeMap<String, Known>,
    blotter: Blotter,
}

#[derive(Debug)]
struct Known {
    origin: SecretOrigin,
    /// Or why there is none.
    value: Result<SecretString, String>,
}

impl Secrets {
    /// Reads the secrets from where they come. One that is missing is so only for those who use it. Files are relative to
    /// `base_dir`.
    #[must_use]
    pub fn load(config: &SecretsConfig, base_dir: &Path) -> Self {
        let load =
            |origin: &SecretOrigin| Known { origin: origin.clone(), value: read(origin, base_dir) };
        let known: BTreeMap<_, _> =
            config.0.iter().map(|(name, origin)| (name.clone(), load(origin))).collect();
        let blotter = Blotter::new(known.values().filter_map(|known| known.value.as_ref().ok()));
        Self { known, blotter }
    }

    /// `text` with each `${secret:NAME}` replaced by that secret.
    ///
    /// # Errors
    /// [`SecretError`], of which only [`SecretError::Missing`] is no mistake in the configuration.
    pub fn fill(&self, text: &str) -> Result<SecretString, SecretError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${secret:") {
            let (name, after) = after.split_once('}').ok_or(SecretError::Unclosed)?;
            parts.extend([before, self.value(name)?.expose_secret()]);
            rest = after;
        }
        parts.push(rest);
        // Joined at once into memory of the right size, so that no part stays behind in memory that was outgrown.
        Ok(parts.concat().into())
    }

    /// `text` with every secret blotted out that it repeats: as it is, or percent-encoded, escaped, or in base64.
    #[must_use]
    pub fn blot<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.blotter.blot(text)
    }

    /// `tool`, of whose answers and failures the secrets are blotted out.
    #[must_use]
    pub fn guard(self: &Arc<Self>, tool: Arc<dyn Tool>) -> Arc<dyn Tool> {
        if self.blotter.is_idle() {
            return tool;
        }
        Arc::new(Guarded { inner: tool, secrets: Arc::clone(self) })
    }

    /// Each secret with its origin and how it stands, in the order of their names.
    pub fn standings(&self) -> impl Iterator<Item = (&str, &SecretOrigin, Standing)> {
        self.known.iter().map(|(name, known)| {
            let standing = match self.value(name) {
                Ok(value) if Blotter::can_blot(value) => Standing::Usable,
                Ok(_) => Standing::TooShort,
                Err(error) => Standing::Missing(error),
            };
            (name.as_str(), &known.origin, standing)
        })
    }

    fn value(&self, name: &str) -> Result<&SecretString, SecretError> {
        let known = self
            .known
            .get(name)
            .ok_or_else(|| SecretError::Undeclared { name: name.to_owned() })?;
        known.value.as_ref().map_err(|reason| SecretError::Missing {
            name: name.to_owned(),
            reason: reason.clone(),
        })
    }
}

/// The value, or why there is none and what to do about it.
fn read(origin: &SecretOrigin, base_dir: &Path) -> Result<SecretString, String> {
    let value = match origin {
        SecretOrigin::Env(name) => read_variable(name)?,
        SecretOrigin::File(path) => read_file(&base_dir.join(path))?,
    };
    if value.is_empty() {
        return Err(format!("{origin} is empty: put the secret there and start Windlass again"));
    }
    Ok(value.into())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the configuration says that the secret stands there"
)]
fn read_variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|error| match error {
        std::env::VarError::NotPresent => {
            format!("set the environment variable `{name}` and start Windlass again")
        }
        std::env::VarError::NotUnicode(_) => {
            format!("the environment variable `{name}` is no text: set it to one")
        }
    })
}

fn read_file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            format!("write it into the file `{shown}` and start Windlass again")
        } else {
            format!("the file `{shown}` cannot be read: {error}")
        }
    };
    // Opening a pipe must not wait for someone at its other end.
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(without_waiting)
        .open(path)
        .map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(format!("`{shown}` is no file"));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(format!(
            "others than its owner may read the file `{shown}`: `chmod 600` it, and start Windlass again"
        ));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(format!("the file `{shown}` is larger than a secret can be"));
    }
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    for end in ['\n', '\r'] {
        if text.ends_with(end) {
            text.pop();
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
