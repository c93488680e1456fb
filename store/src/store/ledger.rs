//! The mutation ledger, and how effects in doubt are settled.

use windlass_core::{MutationId, MutationStatus, WorkflowId, WorkspaceId};

use super::role;
use crate::model::{DueLookup, Mutation};
use crate::page::{ListOrder, Listed, MutationCursor, Page};
use crate::params::{ClaimLookups, ResolveMutation, SettleLookup};

role! {
    /// The mutation ledger, and how effects in doubt are settled.
    pub trait LedgerStore {
        /// A workflow's mutations.
        read async fn mutations(
            &self,
            workspace: WorkspaceId,
            workflow: WorkflowId,
            order: ListOrder,
            page: Page<MutationCursor>,
        ) -> Result<Listed<Mutation, MutationCursor>>;

        /// One mutation.
        read async fn mutation(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<Mutation>;

        /// Takes effects in doubt whose time to be looked up has come, of any workflow. An attempt is counted when it is taken, so
        /// that one whose worker is lost counts too.
        write async fn claim_lookups(&self, params: ClaimLookups) -> Result<Vec<DueLookup>>;

        /// Writes the finding of an attempt: the mutation is settled, or looked up again later, or put before a person after the
        /// last attempt. Returns what it is now.
        write async fn settle_lookup(&self, params: SettleLookup) -> Result<MutationStatus>;

        /// A person settles a mutation in doubt.
        write async fn resolve_mutation(&self, params: ResolveMutation) -> Result<Mutation>;
    }
}
