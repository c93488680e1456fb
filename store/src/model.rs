//! What the store remembers, as plain records. They serialise to the JSON that the command line prints.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use windlass_core::{
    EventId, EventStatus, FailureClass, HandlerKind, InputId, JournalId, LogLevel, Manifest,
    MutationId, MutationStatus, NotificationId, Outcome, Phase, ResolvedBy, RunId, RunState,
    Schedule, ScriptId, ScriptPosition, SessionId, SessionResult, Status, Text, Timestamp, Trigger,
    UnknownText, WorkflowId, WorkflowStatus, WorkspaceId,
};

/// A workflow and its three controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// The workspace it belongs to.
    pub workspace_id: WorkspaceId,
    /// Its name, unique in the workspace.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What a person wants.
    pub status: WorkflowStatus,
    /// What it waits for a person about.
    pub error: Option<String>,
    /// The class of that error.
    pub error_class: Option<FailureClass>,
    /// Whether its script has to be repaired first.
    pub maintenance: bool,
    /// The run that set the error or the maintenance.
    pub stopped_by_run_id: Option<RunId>,
    /// The run that must go forward before anything else.
    pub pending_retry_run_id: Option<RunId>,
    /// The script version that runs.
    pub active_script_id: Option<ScriptId>,
    /// Network failures in a row.
    pub transient_failures: u32,
    /// Until when it waits because of them.
    pub backoff_until: Option<Timestamp>,
    /// When it is looked at next, while it has no open run.
    pub due_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One immutable version of a workflow's script.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScriptVersion {
    /// Its id.
    pub id: ScriptId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The version: a new plan counts up.
    pub major: u32,
    /// The version: a repair counts up.
    pub minor: u32,
    /// The name of the file it came from.
    pub file_name: String,
    /// The text.
    pub source: String,
    /// SHA-256 of the text, hexadecimal.
    pub digest: String,
    /// What it declares.
    pub manifest: Manifest,
    /// What its author said of it.
    pub comment: String,
    /// When it was saved.
    pub created_at: Timestamp,
}

impl ScriptVersion {
    /// `major.minor`.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{}.{}", self.major, self.minor)
    }
}

/// What is kept of one handler between its runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HandlerState {
    /// Producer or consumer.
    pub kind: HandlerKind,
    /// Its name.
    pub name: String,
    /// What it returned last.
    pub state: Option<Value>,
    /// Whether something happened since it last found nothing to do.
    pub has_work: bool,
    /// When it asked to be woken.
    pub wake_at: Option<Timestamp>,
    /// A producer's schedule.
    pub schedule: Option<Schedule>,
    /// When a producer is due.
    pub next_run_at: Option<Timestamp>,
    /// When it last committed.
    pub last_run_at: Option<Timestamp>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its topic's name.
    pub topic: String,
    /// The script's id for it, unique in the topic.
    pub message_id: String,
    /// Where it stands.
    pub status: EventStatus,
    /// Counts the times it became pending.
    #[serde(rename = "attempt")]
    pub attempt_number: u32,
    /// What it says.
    pub payload: Value,
    /// The run that reserved, consumed or skipped it.
    pub reserved_by_run_id: Option<RunId>,
    /// The run that published it.
    pub created_by_run_id: RunId,
    /// When it was first published.
    pub created_at: Timestamp,
}

/// An entry of the input ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Input {
    /// Its id.
    pub id: InputId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The connector it came from.
    pub source: String,
    /// What it is there.
    #[serde(rename = "type")]
    pub input_type: String,
    /// What it is called there.
    pub external_id: String,
    /// What a person recognises it by.
    pub title: String,
    /// Pending while an event it caused is open or it has none yet; skipped when all were skipped; else done.
    pub status: InputStatus,
    /// The run that registered it.
    pub created_by_run_id: RunId,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// What became of an input, read off its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputStatus {
    /// Some work is left.
    Pending,
    /// All its events are consumed or skipped.
    Done,
    /// All its events were skipped.
    Skipped,
}

/// A handler run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its session.
    pub session_id: SessionId,
    /// The script version it is pinned to.
    pub script_id: ScriptId,
    /// Producer or consumer.
    pub kind: HandlerKind,
    /// Which one.
    pub handler: String,
    /// How far it came.
    pub phase: Phase,
    /// Whether it is under way, and why it stopped.
    pub status: Status,
    /// The run that it continues.
    pub retry_of: Option<RunId>,
    /// The ledger row of its effect, its own or that of the run it continues.
    pub mutation_id: Option<MutationId>,
    /// What that came to.
    pub mutation_outcome: Option<Outcome>,
    /// What `prepare` returned.
    pub prepare_result: Option<Value>,
    /// The handler's state before.
    pub input_state: Option<Value>,
    /// The state that it returned.
    pub output_state: Option<Value>,
    /// Why it stopped.
    pub error: Option<String>,
    /// The class of that.
    pub error_class: Option<FailureClass>,
    /// Where the script was.
    pub error_at: Option<ScriptPosition>,
    /// The worker that has it or had it.
    pub claimed_by: Option<String>,
    /// Counts its claims.
    pub fence: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When a worker took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Why it began.
    pub trigger: Trigger,
    /// How it ended; none while it is open.
    pub result: Option<SessionResult>,
    /// Why it failed.
    pub error: Option<String>,
    /// The class of that.
    pub error_class: Option<FailureClass>,
    /// How many of its runs committed.
    pub handler_run_count: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A row of the mutation ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mutation {
    /// Its id.
    pub id: MutationId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The run that made it.
    #[serde(rename = "run")]
    pub handler_run_id: RunId,
    /// The tool's namespace.
    #[serde(rename = "tool")]
    pub tool_namespace: String,
    /// The tool's method.
    #[serde(rename = "method")]
    pub tool_method: String,
    /// The exact input of the call.
    pub params: Value,
    /// The canonical digest of that.
    pub params_digest: String,
    /// What the provider was given to recognise a repetition.
    #[serde(skip)]
    pub idempotency_key: String,
    /// What is known of the effect.
    pub status: MutationStatus,
    /// The tool's answer.
    pub result: Option<Value>,
    /// Why it failed or is in doubt.
    pub error: Option<String>,
    /// The class of that.
    pub error_class: Option<FailureClass>,
    /// Whether the tool can look the effect up.
    pub reconcilable: bool,
    /// Who settled a doubt.
    pub resolved_by: Option<ResolvedBy>,
    /// When.
    pub resolved_at: Option<Timestamp>,
    /// What the script says it is.
    #[serde(rename = "title")]
    pub ui_title: String,
    /// What a worker reported after it had lost the run.
    pub late_evidence: Option<String>,
    /// The inputs that caused it.
    pub inputs: Vec<InputId>,
    /// When the row was written, before the request left.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A log line of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its place in the run's log, from 1.
    pub seq: u32,
    /// How loud.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// When it was checkpointed.
    pub created_at: Timestamp,
}

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
    /// A script sent it.
    ScriptMessage,
}

impl NotificationKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::ScriptFailed => "script_failed",
            Self::MutationInDoubt => "mutation_in_doubt",
            Self::ScriptMessage => "script_message",
        }
    }
}

impl Text for NotificationKind {
    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }

    fn parse_text(text: &str) -> Result<Self, UnknownText> {
        [Self::Error, Self::ScriptFailed, Self::MutationInDoubt, Self::ScriptMessage]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownText::new(text, "a kind of notification"))
    }
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
    /// When.
    pub created_at: Timestamp,
}

/// A workflow with everything that its status page says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkflowOverview {
    /// The workflow.
    #[serde(flatten)]
    pub workflow: Workflow,
    /// The version that runs, `major.minor`.
    pub active_version: Option<String>,
    /// The newest version, `major.minor`.
    pub latest_version: Option<String>,
    /// Its handlers.
    pub handlers: Vec<HandlerState>,
    /// Its queued or active run.
    pub open_run: Option<Run>,
    /// The run that stopped it.
    pub stopped_by: Option<Run>,
    /// Mutations nobody has settled.
    pub in_doubt: Vec<Mutation>,
    /// How many events each topic has, by status.
    pub events: BTreeMap<String, EventCounts>,
    /// How many inputs are pending.
    pub pending_inputs: u32,
    /// The last session.
    pub last_session: Option<Session>,
}

/// How many events a topic has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct EventCounts {
    /// Waiting.
    pub pending: u32,
    /// Bound to a run.
    pub reserved: u32,
    /// Done.
    pub consumed: u32,
    /// Skipped by a person.
    pub skipped: u32,
}

/// A worker's right to write to a run, until the lease ends or another claims it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// The fencing number: every write with an older one is refused.
    pub fence: i64,
}

/// A run that a worker has just taken, with all that driving it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedRun {
    /// The right to write.
    pub claim: Claim,
    /// Where the run stands.
    pub state: RunState,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// The workflow's name.
    pub workflow_name: String,
    /// Its session.
    pub session: SessionId,
    /// The script version to run.
    pub script: ScriptId,
    /// The handler's name.
    pub handler: String,
    /// The handler's state; none before it first returned one.
    pub input_state: Option<Value>,
    /// For a retry: what `prepare` returned.
    pub prepare_result: Option<Value>,
    /// For a retry: the settled mutation's answer, where it was applied.
    pub mutation_result: Option<Value>,
}

/// What the commit of a run brought about.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The workflow's next run, where the same worker took it in the same transaction.
    pub follow_up: Option<ClaimedRun>,
}

/// A run that was taken from a lost worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredRun {
    /// The run.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// What it became.
    pub status: Status,
    /// The mutation that is in doubt because of it.
    pub in_doubt: Option<MutationId>,
}

/// The identity under which the outside world knows a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunMutation {
    /// The ledger row.
    pub id: MutationId,
    /// The key that the provider is given.
    pub idempotency_key: String,
}

/// What saving a script came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedScript {
    /// The version.
    pub script: ScriptVersion,
    /// Whether it is new; the same text as the newest version makes none.
    pub is_new: bool,
}
