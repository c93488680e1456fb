//! How credentials are made, redeemed and ended.

use std::time::Duration;

use windlass_core::{Actor, CredentialId, CredentialKind, Scopes, WorkspaceId};

/// Makes a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateCredential {
    /// What its secret is.
    pub kind: CredentialKind,
    /// What a person calls it.
    pub name: String,
    /// As whom its holder acts.
    pub actor: Actor,
    /// The only workspace that it is good for; none for the whole instance.
    pub workspace: Option<WorkspaceId>,
    /// What it allows.
    pub scopes: Scopes,
    /// SHA-256 of its secret, in hexadecimal digits in lower case.
    pub digest: String,
    /// How long it is good, from now.
    pub lifetime: Duration,
    /// Who makes it.
    pub created_by: String,
}

/// Uses up a link that signs a person in, and makes a credential for the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeemSignIn {
    /// The digest of the link's secret.
    pub digest: String,
    /// The digest of the browser's secret.
    pub browser_digest: String,
    /// How long the browser's credential is good, from now.
    pub lifetime: Duration,
}

/// Ends a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndCredential {
    /// Where it is looked for: among those of a workspace, or among all of the instance.
    pub workspace: Option<WorkspaceId>,
    /// Which one.
    pub credential: CredentialId,
    /// Who ends it.
    pub actor: String,
}
