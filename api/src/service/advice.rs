//! Advice as data: what a person can do next. A front end words each step as its own command, link or button.

use serde::Serialize;
use windlass_core::{EventStatus, MutationId, ResolutionKind};
use windlass_store::{Notification, NotificationKind};

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The operation that does it, where there is one.
    pub step: Option<NextStep>,
    /// What to do, or what the step will do.
    pub effect: String,
}

/// Something that a person should know before acting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is about.
    pub label: &'static str,
    /// The fact itself.
    pub text: String,
    /// The operation that lists more of it.
    pub listed_by: Option<NextStep>,
}

/// An operation that is advised, with what it acts on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum NextStep {
    /// Deploy a script under this name and activate it.
    Deploy {
        /// The workflow's name.
        workflow: String,
    },
    /// Deploy a repaired script as a fix and activate it.
    DeployFix {
        /// The workflow's name.
        workflow: String,
    },
    /// Activate the newest version.
    Activate {
        /// The workflow's name.
        workflow: String,
    },
    /// Resume a stopped or paused workflow.
    Resume {
        /// The workflow's name.
        workflow: String,
    },
    /// Take a workflow back from the archive.
    Unarchive {
        /// The workflow's name.
        workflow: String,
    },
    /// Run one session of a workflow now.
    RunOnce {
        /// The workflow's name.
        workflow: String,
    },
    /// Show how a workflow is and what it needs.
    ShowStatus {
        /// The workflow's name.
        workflow: String,
    },
    /// Show a plan.
    ShowPlan {
        /// The workstream.
        workflow: String,
    },
    /// Start a worker, with this label where one is asked for.
    StartWorker {
        /// The label.
        label: Option<String>,
    },
    /// Show a limit, or change it.
    Limit {
        /// The limit's key.
        key: String,
    },
    /// List a workflow's events in one status.
    ListEvents {
        /// The workflow's name.
        workflow: String,
        /// The status.
        status: EventStatus,
    },
    /// Skip the events of a topic.
    SkipTopic {
        /// The workflow's name.
        workflow: String,
        /// The topic's name.
        topic: String,
    },
    /// Settle a mutation of which nobody knows whether it happened.
    Resolve {
        /// The mutation.
        mutation: MutationId,
        /// What to say of it; none where the person has to choose.
        resolution: Option<ResolutionKind>,
    },
}

impl NextStep {
    /// What to do about a notification; none where its cause is settled or its text is all there is.
    #[must_use]
    pub fn after(notification: &Notification) -> Option<Self> {
        if notification.resolved_at.is_some() {
            return None;
        }
        let workflow = notification.workflow.clone();
        match notification.kind {
            NotificationKind::Error
            | NotificationKind::ScriptFailed
            | NotificationKind::MutationInDoubt
            | NotificationKind::EffectContradicted => Some(Self::ShowStatus { workflow }),
            NotificationKind::EventParked => {
                Some(Self::ListEvents { workflow, status: EventStatus::Parked })
            }
            NotificationKind::ScriptMessage
            | NotificationKind::ApprovalRequested
            | NotificationKind::RunCompleted
            | NotificationKind::RunFailed => None,
        }
    }
}
