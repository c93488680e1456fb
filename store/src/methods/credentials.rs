//! Credentials.

use async_trait::async_trait;
use windlass_core::{CredentialId, WorkspaceId};

use super::Backend;
use super::ops::credentials::{FindCredential, NoteUse};
use super::ops::{Operation, Tx};
use super::reads::credentials;
use crate::error::Result;
use crate::model::{Credential, GoodCredential};
use crate::page::{CredentialCursor, Listed, Page};
use crate::params::{CreateCredential, EndCredential, RedeemSignIn};
use crate::store::CredentialStore;

reads! {
    Operation over Tx<'_>;
    Credentials { workspace: Option<WorkspaceId>, page: Page<CredentialCursor> } -> Listed<Credential, CredentialCursor>:
        |tx| credentials::credentials(tx.conn, workspace, page);
}

#[async_trait]
impl CredentialStore for Backend {
    async fn create_credential(&self, params: CreateCredential) -> Result<Credential> {
        self.write(params).await
    }

    async fn credential(&self, digest: &str) -> Result<Option<GoodCredential>> {
        self.read(FindCredential { digest: digest.to_owned() }).await
    }

    async fn note_credential_use(&self, credential: CredentialId) -> Result<()> {
        self.write(NoteUse { credential }).await
    }

    async fn redeem_sign_in(&self, params: RedeemSignIn) -> Result<Option<Credential>> {
        self.write(params).await
    }

    async fn end_credential(&self, params: EndCredential) -> Result<Credential> {
        self.write(params).await
    }

    async fn credentials(
        &self,
        workspace: Option<WorkspaceId>,
        page: Page<CredentialCursor>,
    ) -> Result<Listed<Credential, CredentialCursor>> {
        self.read(Credentials { workspace, page }).await
    }
}
