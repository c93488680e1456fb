//! Tokens for programs, links that sign people in, and the browsers in which they have.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use windlass_core::{
    Actor, CredentialId, CredentialKind, Scopes, Timestamp, WorkspaceId, digest_text,
};
use windlass_store::{CreateCredential, Credential};

use super::error::Result;
use super::handle::Service;

/// What every secret begins with, so that it is recognised where it lies around.
const PREFIX: &str = "wdl_";

/// A new secret, which is shown once and stored nowhere.
#[derive(Debug, Serialize)]
pub struct NewCredential {
    /// Its id.
    pub id: CredentialId,
    /// The secret.
    pub token: String,
    /// What a person calls it.
    pub name: String,
    /// What its holder may do.
    pub scopes: Scopes,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What a new credential is to be.
#[derive(Debug, Clone)]
pub struct CredentialRequest {
    /// What kind.
    pub kind: CredentialKind,
    /// What a person calls it.
    pub name: String,
    /// In whose name its holder acts.
    pub actor: Actor,
    /// Where it is good; none for the whole instance.
    pub workspace: Option<WorkspaceId>,
    /// What its holder may do.
    pub scopes: Scopes,
    /// How long it is good; none for as long as its kind usually is.
    pub lifetime: Option<std::time::Duration>,
}

/// What is stored of a secret.
#[must_use]
pub fn digest_secret(secret: &str) -> String {
    digest_text(secret)
}

/// A new secret: 32 random bytes, written so that they fit into a header, a path and a cookie.
///
/// # Errors
/// Where the operating system gives no random bytes.
pub fn new_secret() -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

impl Service {
    /// Makes a credential. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// Those of the store, for example that an agent cannot have these scopes.
    pub async fn create_credential(&self, request: CredentialRequest) -> Result<NewCredential> {
        let secret = new_secret()?;
        let params = CreateCredential {
            kind: request.kind,
            name: request.name,
            actor: request.actor,
            workspace: request.workspace,
            scopes: request.scopes,
            digest: digest_secret(&secret),
            lifetime: request.lifetime.unwrap_or_else(|| request.kind.lifetime()),
            created_by: self.actor.clone(),
        };
        let made: Credential = self.store.create_credential(params).await?;
        Ok(NewCredential {
            id: made.id,
            token: secret,
            name: made.name,
            scopes: made.scopes,
            expires_at: made.times.expires_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_only_their_digests_are_kept() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());

        assert_ne!(one, other);
        assert!(one.starts_with(PREFIX) && one.len() == PREFIX.len() + 43, "{one}");
        assert_eq!(digest_secret(&one).len(), 64);
        assert!(!digest_secret(&one).contains(&one[PREFIX.len()..]));
    }
}
