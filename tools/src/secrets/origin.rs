//! Where secrets come from, and how they are read from there.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::environment::Environment;

/// A larger file is not a secret but the wrong file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// How to name a secret in the configuration.
const HOW_TO_NAME: &str = "a secret does not stand in the configuration: say where it comes from, as \
`{ env = \"NAME_OF_A_VARIABLE\" }` or `{ file = \"path/of/a/file\" }`";

/// `[secrets]`: where each secret comes from, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct SecretsConfig(pub(super) BTreeMap<String, SecretOrigin>);

impl SecretsConfig {
    /// The variables of the environment that secrets are read from.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.values().filter_map(|origin| match origin {
            SecretOrigin::Env(name) => Some(name.as_str()),
            SecretOrigin::File(_) => None,
        })
    }

    /// The files that secrets are read from, relative to the configuration.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.values().filter_map(|origin| match origin {
            SecretOrigin::File(path) => Some(Path::new(path)),
            SecretOrigin::Env(_) => None,
        })
    }
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOrigin {
    /// `{ env = "STRIPE_KEY" }`: a variable of the environment.
    Env(String),
    /// `{ file = "secrets/stripe" }`: a file, relative to the configuration. The secret does not include the last line break.
    File(String),
}

/// Written by hand, because a derived error would quote the value, and that may be the secret itself.
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

impl SecretOrigin {
    /// The secret. The error says why it cannot be read and what to do about it. Files are relative to `base_dir`.
    pub(super) fn read(
        &self,
        base_dir: &Path,
        environment: Environment,
    ) -> Result<SecretString, String> {
        let value = match self {
            Self::Env(name) => read_variable(name, environment)?,
            Self::File(path) => read_file(&base_dir.join(path))?,
        };
        // Editors and shells end a text with line ends, and no secret does.
        let value = value.trim_end_matches(['\n', '\r']).to_owned();
        if value.is_empty() {
            return Err(format!("{self} is empty: put the secret there and start Windlass again"));
        }
        Ok(value.into())
    }
}

fn read_variable(name: &str, environment: Environment) -> Result<String, String> {
    let value = environment(name)
        .ok_or_else(|| format!("set the environment variable `{name}` and start Windlass again"))?;
    value.into_string().map_err(|_not_unicode| {
        format!("the environment variable `{name}` is no text: set it to one")
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
    // Without this flag, opening a named pipe would wait until another process opens its other end.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file =
        OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(unreadable)?;
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
    Ok(text)
}
