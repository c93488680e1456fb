//! The status of a workflow, which only a person changes. Errors, repairs and back-offs are stored separately and never change it.

use crate::text::text_enum;

text_enum! {
    /// The status that a person gave a workflow.
    pub enum WorkflowStatus ("a workflow status") {
        /// It has no script yet.
        Draft = "draft",
        /// It has a script, and was never activated.
        Ready = "ready",
        /// It runs.
        Active = "active",
        /// It is stopped for now.
        Paused = "paused",
        /// It is archived.
        Archived = "archived",
    }
}

text_enum! {
    /// What a person does with a workflow.
    pub enum Action ("an action") {
        /// Chooses a script version and lets it run.
        Activate = "activate",
        /// Stops it for now. A handler that runs finishes.
        Pause = "pause",
        /// Lets it continue, and asserts that the cause of its stop is repaired.
        Resume = "resume",
        /// Archives it.
        Archive = "archive",
        /// Takes it out of the archive.
        Unarchive = "unarchive",
    }
}

/// An action that does not fit the workflow's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} a workflow that is {status}: {hint}")]
pub struct ActionRefused {
    /// The action that was refused.
    pub action: Action,
    /// The workflow's status.
    pub status: WorkflowStatus,
    /// What to do instead.
    pub hint: &'static str,
}

impl WorkflowStatus {
    /// The status after `action`.
    ///
    /// # Errors
    /// [`ActionRefused`] where the action does not fit.
    pub const fn after(
        self,
        action: Action,
        has_active_script: bool,
    ) -> Result<Self, ActionRefused> {
        let hint = match (self, action) {
            (Self::Archived, Action::Unarchive) => {
                return Ok(if has_active_script { Self::Paused } else { Self::Draft });
            }
            (Self::Archived, Action::Archive) => return Ok(Self::Archived),
            (Self::Archived, _) => "unarchive it first",
            (_, Action::Activate) => return Ok(Self::Active),
            (_, Action::Archive) => return Ok(Self::Archived),
            (_, Action::Unarchive) => "it is not archived",
            (Self::Active | Self::Paused, Action::Pause) => return Ok(Self::Paused),
            (Self::Active | Self::Paused, Action::Resume) => return Ok(Self::Active),
            (Self::Draft, Action::Pause | Action::Resume) => "deploy a script first",
            (Self::Ready, Action::Pause | Action::Resume) => "activate it first",
        };
        Err(ActionRefused { action, status: self, hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archived_workflow_never_becomes_active_directly() {
        for action in [Action::Activate, Action::Pause, Action::Resume] {
            assert!(WorkflowStatus::Archived.after(action, true).is_err());
        }
        assert_eq!(
            WorkflowStatus::Archived.after(Action::Unarchive, true),
            Ok(WorkflowStatus::Paused)
        );
        assert_eq!(
            WorkflowStatus::Archived.after(Action::Unarchive, false),
            Ok(WorkflowStatus::Draft)
        );
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = WorkflowStatus::Ready.after(Action::Resume, false).unwrap_err();

        assert_eq!(
            refused.to_string(),
            "cannot resume a workflow that is ready: activate it first"
        );
    }
}
