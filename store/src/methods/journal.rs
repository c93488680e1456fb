//! The journal: who did what.

use async_trait::async_trait;
use windlass_core::{WorkflowId, WorkspaceId};

use super::Backend;
use super::ops::{Operation, Tx};
use super::reads::notifications;
use crate::error::Result;
use crate::model::JournalEntry;
use crate::page::{JournalCursor, Listed, Page};
use crate::store::JournalStore;

type Entries = Listed<JournalEntry, JournalCursor>;

reads! {
    Operation over Tx<'_>;
    Journal { workspace: WorkspaceId, workflow: WorkflowId, subject: Option<String>, page: Page<JournalCursor> } -> Entries:
        |tx| notifications::journal(tx.conn, (workspace, workflow), subject.as_deref(), page);
}

#[async_trait]
impl JournalStore for Backend {
    async fn journal(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        page: Page<JournalCursor>,
    ) -> Result<Entries> {
        self.read(Journal { workspace, workflow, subject: None, page }).await
    }

    async fn journal_for(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        subject: &str,
        page: Page<JournalCursor>,
    ) -> Result<Entries> {
        let subject = Some(subject.to_owned());
        self.read(Journal { workspace, workflow, subject, page }).await
    }
}
