//! Who did what.

use windlass_core::{WorkflowId, WorkspaceId};

use super::role;
use crate::model::JournalEntry;
use crate::page::{JournalCursor, Listed, Page};

role! {
    /// Who did what. Entries are written by the operations that they are about.
    pub trait JournalStore {
        /// A workflow's journal, oldest first.
        read async fn journal(
            &self,
            workspace: WorkspaceId,
            workflow: WorkflowId,
            page: Page<JournalCursor>,
        ) -> Result<Listed<JournalEntry, JournalCursor>>;

        /// What was done about one thing of a workflow, whose id is `subject`, oldest first.
        read async fn journal_for(
            &self,
            workspace: WorkspaceId,
            workflow: WorkflowId,
            subject: &str,
            page: Page<JournalCursor>,
        ) -> Result<Listed<JournalEntry, JournalCursor>>;
    }
}
