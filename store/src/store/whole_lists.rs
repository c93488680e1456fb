//! Whole lists, for callers that need one to its end.

use windlass_core::{Timestamp, WorkflowId, WorkspaceId};

use super::Store;
use crate::error::Result;
use crate::model::{
    Event, Input, JournalEntry, LogEntry, Mutation, Notification, Run, ScriptVersion, Workflow,
};
use crate::page::{ListOrder, Listed, Page};
use crate::params::{EventFilter, LogFilter, RunFilter};

/// How many items are read at a time.
const PAGE_SIZE: u32 = 1_000;

/// Reads what a page asks for in pages of a moderate size, however large it is. No function, because the future of a function that
/// takes an async closure cannot be sent to another thread.
macro_rules! read_pages {
    ($all:expr, |$page:ident| $read:expr) => {
        read_pages!($all, |$page| $read, |_item| true)
    };
    ($all:expr, |$page:ident| $read:expr, |$item:ident| $is_wanted:expr) => {{
        let mut found = Vec::new();
        let Page { limit: mut left, mut after } = $all;
        loop {
            let limit = left.min(PAGE_SIZE);
            let $page = Page { limit, after };
            let Listed { items, next } = $read.await?;
            for $item in items {
                if !$is_wanted {
                    return Ok(found);
                }
                found.push($item);
            }
            left -= limit;
            if next.is_none() || left == 0 {
                return Ok(found);
            }
            after = next;
        }
    }};
}

/// Each of these reads a list page by page with the method of the same name. The pages are not one snapshot: what changes
/// meanwhile may be seen or not, but nothing is returned twice. The errors are those of that method.
impl dyn Store + '_ {
    /// All workflows of a workspace, by name.
    ///
    /// # Errors
    /// As [`workflows`](super::WorkflowStore::workflows).
    pub async fn all_workflows(&self, workspace: WorkspaceId) -> Result<Vec<Workflow>> {
        read_pages!(Page::first(u32::MAX), |page| self.workflows(workspace, page))
    }

    /// All versions of a workflow's script, newest first.
    ///
    /// # Errors
    /// As [`scripts`](super::WorkflowStore::scripts).
    pub async fn all_scripts(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<ScriptVersion>> {
        read_pages!(Page::first(u32::MAX), |page| self.scripts(workspace, workflow, page))
    }

    /// The events that the filter's page asks for, however large that page is.
    ///
    /// # Errors
    /// As [`events`](super::EventStore::events).
    pub async fn all_events(&self, filter: EventFilter) -> Result<Vec<Event>> {
        read_pages!(filter.page, |page| self.events(EventFilter { page, ..filter.clone() }))
    }

    /// All inputs of a workflow, oldest first.
    ///
    /// # Errors
    /// As [`inputs`](super::EventStore::inputs).
    pub async fn all_inputs(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<Input>> {
        let order = ListOrder::OldestFirst;
        read_pages!(Page::first(u32::MAX), |page| self.inputs(workspace, workflow, order, page))
    }

    /// The newest inputs of a workflow, the newest first: at most `limit`, and those of `since` or later.
    ///
    /// # Errors
    /// As [`inputs`](super::EventStore::inputs).
    pub async fn newest_inputs(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Input>> {
        let order = ListOrder::NewestFirst;
        read_pages!(
            Page::first(limit),
            |page| self.inputs(workspace, workflow, order, page),
            |item| since.is_none_or(|since| item.created_at >= since)
        )
    }

    /// All mutations of a workflow, oldest first.
    ///
    /// # Errors
    /// As [`mutations`](super::LedgerStore::mutations).
    pub async fn all_mutations(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<Mutation>> {
        let order = ListOrder::OldestFirst;
        read_pages!(Page::first(u32::MAX), |page| self.mutations(workspace, workflow, order, page))
    }

    /// The newest mutations of a workflow, the newest first: at most `limit`, and those of `since` or later.
    ///
    /// # Errors
    /// As [`mutations`](super::LedgerStore::mutations).
    pub async fn newest_mutations(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        since: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Mutation>> {
        let order = ListOrder::NewestFirst;
        read_pages!(
            Page::first(limit),
            |page| self.mutations(workspace, workflow, order, page),
            |item| since.is_none_or(|since| item.created_at >= since)
        )
    }

    /// The runs that the filter's page asks for, however large that page is.
    ///
    /// # Errors
    /// As [`runs`](super::RunStore::runs).
    pub async fn all_runs(&self, filter: RunFilter) -> Result<Vec<Run>> {
        read_pages!(filter.page, |page| self.runs(RunFilter { page, ..filter }))
    }

    /// The log lines that the filter's page asks for, however large that page is.
    ///
    /// # Errors
    /// As [`logs`](super::RunStore::logs).
    pub async fn all_logs(&self, filter: LogFilter) -> Result<Vec<LogEntry>> {
        read_pages!(filter.page, |page| self.logs(LogFilter { page, ..filter }))
    }

    /// All notifications of a workspace, newest first.
    ///
    /// # Errors
    /// As [`notifications`](super::NotificationStore::notifications).
    pub async fn all_notifications(&self, workspace: WorkspaceId) -> Result<Vec<Notification>> {
        read_pages!(Page::first(u32::MAX), |page| self.notifications(workspace, page))
    }

    /// The whole journal of a workflow, oldest first.
    ///
    /// # Errors
    /// As [`journal`](super::JournalStore::journal).
    pub async fn all_journal(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<JournalEntry>> {
        read_pages!(Page::first(u32::MAX), |page| self.journal(workspace, workflow, page))
    }

    /// Everything that was done about one thing of a workflow, oldest first.
    ///
    /// # Errors
    /// As [`journal_for`](super::JournalStore::journal_for).
    pub async fn all_journal_for(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        subject: &str,
    ) -> Result<Vec<JournalEntry>> {
        read_pages!(Page::first(u32::MAX), |page| self
            .journal_for(workspace, workflow, subject, page))
    }
}
