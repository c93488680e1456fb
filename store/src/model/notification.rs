//! Notifications for people, and the journal of what was done.

use serde::Serialize;
use serde_json::Value;
use windlass_core::{
    JournalId, MutationId, NotificationId, RunId, SessionId, Text, Timestamp, UnknownText,
    WorkflowId,
};

/// Something a person should know.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// The workflow it is about.
    pub workflow_id: WorkflowId,
    /// That workflow's name.
    pub workflow: String,
    /// What kind.
    pub kind: NotificationKind,
    /// The run it is about.
    pub run_id: Option<RunId>,
    /// The mutation it is about, or that sent it.
    pub mutation_id: Option<MutationId>,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When its cause was settled.
    pub resolved_at: Option<Timestamp>,
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// A workflow waits for a person.
    Error,
    /// A workflow waits for a repair of its script.
    ScriptFailed,
    /// Nobody knows whether an effect happened.
    MutationInDoubt,
    /// The runs of an event were lost or failed too often, and it was taken out of the way.
    EventParked,
    /// What a worker learned late contradicts the ledger.
    EffectContradicted,
    /// A script sent it.
    ScriptMessage,
    /// A plan asks a person something.
    ApprovalRequested,
    /// A run of a plan is done.
    RunCompleted,
    /// A run of a plan failed.
    RunFailed,
}

impl NotificationKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::ScriptFailed => "script_failed",
            Self::MutationInDoubt => "mutation_in_doubt",
            Self::EventParked => "event_parked",
            Self::EffectContradicted => "effect_contradicted",
            Self::ScriptMessage => "script_message",
            Self::ApprovalRequested => "approval_requested",
            Self::RunCompleted => "run_completed",
            Self::RunFailed => "run_failed",
        }
    }
}

/// A notification that is to be sent through a channel now.
#[derive(Debug, Clone, PartialEq)]
pub struct DueDelivery {
    /// The notification.
    pub notification: Notification,
    /// Which attempt it is, the first being 1.
    pub attempt: u32,
}

/// What became of sending a notification through a channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// The notification.
    pub notification_id: NotificationId,
    /// Its title.
    pub title: String,
    /// The channel, for example `mail`.
    pub channel: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; none if it was sent or given up.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was entered.
    pub created_at: Timestamp,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// An entry of the journal: who did what, when, about what, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalEntry {
    /// Its id.
    pub id: JournalId,
    /// The workflow concerned.
    pub workflow_id: Option<WorkflowId>,
    /// Who: a person's name, or `windlass`.
    pub actor: String,
    /// What, for example `workflow.paused`.
    pub action: String,
    /// The id of what it is about.
    pub subject: String,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// More.
    pub details: Value,
    /// The run of a graph that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Its place in the journal of that run, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// When.
    pub created_at: Timestamp,
}

impl Text for NotificationKind {
    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }

    fn parse_text(text: &str) -> Result<Self, UnknownText> {
        match text {
            "error" => Ok(Self::Error),
            "script_failed" => Ok(Self::ScriptFailed),
            "mutation_in_doubt" => Ok(Self::MutationInDoubt),
            "event_parked" => Ok(Self::EventParked),
            "effect_contradicted" => Ok(Self::EffectContradicted),
            "script_message" => Ok(Self::ScriptMessage),
            "approval_requested" => Ok(Self::ApprovalRequested),
            "run_completed" => Ok(Self::RunCompleted),
            "run_failed" => Ok(Self::RunFailed),
            other => Err(UnknownText::new(other, "a kind of notification")),
        }
    }
}
