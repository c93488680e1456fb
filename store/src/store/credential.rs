//! What callers from outside show: tokens, links that sign a person in, and cookies of browsers.

use windlass_core::{CredentialId, WorkspaceId};

use super::role;
use crate::model::{Credential, GoodCredential};
use crate::page::{CredentialCursor, Listed, Page};
use crate::params::{CreateCredential, EndCredential, RedeemSignIn};

role! {
    /// What callers from outside show: tokens, links that sign a person in, and cookies of browsers.
    ///
    /// Only digests of secrets are stored. All instants are those of the store's clock. What is made, redeemed and ended in a
    /// workspace is in its journal; of those for the whole instance, the records alone say who made and who ended them.
    pub trait CredentialStore {
        /// Makes a credential. The same call again, after a lost answer, returns the one that exists.
        ///
        /// [`StoreError::Scopes`](crate::StoreError::Scopes) where an agent would get a scope that is for people,
        /// [`StoreError::NotFound`](crate::StoreError::NotFound) where there is no such workspace, and
        /// [`StoreError::NotNow`](crate::StoreError::NotNow) where another credential has that secret.
        ///
        /// It also removes up to 100 credentials of any kind that ended or expired more than 30 days ago, so their number does not
        /// grow with history.
        write async fn create_credential(&self, params: CreateCredential) -> Result<Credential>;

        /// The credential of that digest if it is good now; else none. It reads one record.
        read async fn credential(&self, digest: &str) -> Result<Option<GoodCredential>>;

        /// Notes that a credential is used now. It changes nothing where a use was noted within the last minute, and where the
        /// credential is no longer good.
        write async fn note_credential_use(&self, credential: CredentialId) -> Result<()>;

        /// Signs a person in: uses up the link and makes a credential for the browser with the link's name, actor, workspace and
        /// scopes. None where the link is unknown, used up or no longer good. The same call again, after a lost answer, returns the
        /// credential that it made.
        ///
        /// [`StoreError::NotNow`](crate::StoreError::NotNow) where another credential has the browser's secret: then the link stays
        /// good.
        write async fn redeem_sign_in(&self, params: RedeemSignIn) -> Result<Option<Credential>>;

        /// Ends a credential. One that has ended already stays as it is.
        write async fn end_credential(&self, params: EndCredential) -> Result<Credential>;

        /// The credentials of a workspace, or all of the instance, newest first. Those that are over are among them until they are
        /// removed.
        read async fn credentials(
            &self,
            workspace: Option<WorkspaceId>,
            page: Page<CredentialCursor>,
        ) -> Result<Listed<Credential, CredentialCursor>>;
    }
}
