//! The mutation ledger.

use async_trait::async_trait;
use windlass_core::{MutationId, MutationStatus, WorkflowId, WorkspaceId};

use super::Backend;
use super::ops::{Operation, Tx};
use super::reads::mutations;
use crate::error::Result;
use crate::model::{DueLookup, Mutation};
use crate::page::{ListOrder, Listed, MutationCursor, Page};
use crate::params::{ClaimLookups, ResolveMutation, SettleLookup};
use crate::store::LedgerStore;

reads! {
    Operation over Tx<'_>;
    Mutations { workspace: WorkspaceId, workflow: WorkflowId, order: ListOrder, page: Page<MutationCursor> } -> Listed<Mutation, MutationCursor>:
        |tx| mutations::mutations(tx.conn, (workspace, workflow), (order, page));
    OneMutation { workspace: WorkspaceId, mutation: MutationId } -> Mutation: |tx| mutations::mutation(tx.conn, workspace, mutation);
}

#[async_trait]
impl LedgerStore for Backend {
    async fn mutations(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        order: ListOrder,
        page: Page<MutationCursor>,
    ) -> Result<Listed<Mutation, MutationCursor>> {
        self.read(Mutations { workspace, workflow, order, page }).await
    }

    async fn mutation(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<Mutation> {
        self.read(OneMutation { workspace, mutation }).await
    }

    async fn claim_lookups(&self, params: ClaimLookups) -> Result<Vec<DueLookup>> {
        self.write(params).await
    }

    async fn settle_lookup(&self, params: SettleLookup) -> Result<MutationStatus> {
        self.write(params).await
    }

    async fn resolve_mutation(&self, params: ResolveMutation) -> Result<Mutation> {
        self.write(params).await
    }
}
