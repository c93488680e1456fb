//! The one place where configured values of `env` and `headers` become the text that a server is given.

use secrecy::SecretString;
use windlass_core::Failure;

use crate::secrets::Secrets;

/// The text of a value, with the secrets that it names.
pub(super) fn plain_text(value: &str, secrets: &Secrets) -> Result<SecretString, Failure> {
    Ok(secrets.fill(value)?)
}
