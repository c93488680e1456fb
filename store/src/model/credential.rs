//! What callers from outside show.

use serde::Serialize;
use windlass_core::{
    Actor, CredentialId, CredentialKind, CredentialTimes, Scopes, Timestamp, WorkspaceId,
};

/// What a caller from outside shows. The digest of its secret stays in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// What its secret is.
    pub kind: CredentialKind,
    /// What a person calls it.
    pub name: String,
    /// As whom its holder acts.
    pub actor: Actor,
    /// The only workspace that it is good for; none for the whole instance.
    pub workspace_id: Option<WorkspaceId>,
    /// What it allows.
    pub scopes: Scopes,
    /// Who made it.
    pub created_by: String,
    /// When it was made, used and ended.
    #[serde(flatten)]
    pub times: CredentialTimes,
    /// Who ended it, or used it up.
    pub ended_by: Option<String>,
}

impl Credential {
    /// Whether it is good at `now`.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.times.are_good(self.kind, now)
    }
}

/// A credential that was good when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoodCredential {
    /// The credential.
    pub credential: Credential,
    /// Whether its last use is to be noted with
    /// [`note_credential_use`](crate::CredentialStore::note_credential_use): the last note is a minute old.
    pub is_stale: bool,
}
