//! The control that only a person moves. What the system has to say (an error, a repair under way, a back-off) is kept
//! beside it and never changes it.

use crate::text::text_enum;

text_enum! {
    /// What a person wants of a workflow.
    pub enum WorkflowStatus ("a workflow status") {
        /// It has no script yet.
        Draft = "draft",
        /// It has a script, and was never activated.
        Ready = "ready",
        /// It runs.
        Active = "active",
        /// It is stopped for now.
        Paused = "paused",
        /// It is put away.
        Archived = "archived",
    }
}

text_enum! {
    /// What a person does with a workflow.
    pub enum Action ("an action") {
        /// Chooses a script version and lets it run.
        Activate = "activate",
        /// Stops it for now; a handler under way finishes.
        Pause = "pause",
        /// Lets it go on, asserting that what stopped it is mended.
        Resume = "resume",
        /// Puts it away.
        Archive = "archive",
        /// Takes it back.
        Unarchive = "unarchive",
    }
}

/// An action that does not fit the workflow's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} a workflow that is {status}: {hint}")]
pub struct ActionRefused {
    /// What was wanted.
    pub action: Action,
    /// What the workflow is.
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
