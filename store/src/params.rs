//! What each operation of the store is given.

mod credential;
mod delivery;
mod doubt;
mod graph;
mod prune;
mod replay;
mod worker;

use std::time::Duration;

use serde_json::Value;
use windlass_core::{
    Action, EventId, EventStatus, Failure, Grant, LogLevel, Manifest, MutationId, NoEffect, Phase,
    ResolvedBy, RunId, ScriptId, SessionId, WorkerId, WorkflowId, WorkspaceId,
};

pub use self::credential::{CreateCredential, EndCredential, RedeemSignIn};
pub use self::delivery::{ClaimDeliveries, RecordDelivery};
pub use self::doubt::{
    ClaimLookups, EventAction, EventSelection, Resolution, ResolveMutation, SettleEvent,
    SettleEvents, SettleLookup,
};
pub use self::graph::{
    AddNote, ApprovalFilter, CommitNode, DeleteExecutions, EventsAfter, GraphFilter, GraphIncludes,
    GraphOrder, GraphSelector, GraphText, NoteKind, RecordPlan, Replaced, SetWorkspace,
    SettleApproval, StartExecution, StartPlan, Steer, SteerGraph, Submission, SubmitNode,
};
pub use self::prune::{Prune, PruneCursor, PruneStep};
pub use self::replay::{ReplayEvents, ReplaySelection};
pub use self::worker::{
    ClaimFilter, ClaimRuns, ClaimScope, ClockRun, EndedLeases, EndedRuns, Heartbeat, RecoverRuns,
    RouteWorkflow, SetLimit, WorkerInfo,
};
use crate::model::Claim;
use crate::page::{EventCursor, Page, RunCursor};

/// Saves a script version; the first one creates the workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct SaveScript {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow's name.
    pub name: String,
    /// The name of the file.
    pub file_name: String,
    /// The text.
    pub source: String,
    /// What the text declares.
    pub manifest: Manifest,
    /// What it may call.
    pub grant: Grant,
    /// The author's comment.
    pub comment: String,
    /// Which part of the version counts up.
    pub bump: Bump,
    /// Who saves it.
    pub actor: String,
}

/// Which part of a version counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// A new plan.
    Major,
    /// A repair: same topics, schedules and message ids.
    Minor,
}

/// Makes a version the one that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivateScript {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// One of its versions.
    pub script: ScriptId,
    /// Who activates it.
    pub actor: String,
}

/// Pauses, resumes, archives or unarchives a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlWorkflow {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// What to do with it; to activate is [`ActivateScript`].
    pub action: Action,
    /// Who does it.
    pub actor: String,
}

/// Begins a session now: every producer is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartSession {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Who asks.
    pub actor: String,
}

/// A line of a script's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLog {
    /// The level.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

/// Appends lines to the log while the run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendLogs {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The lines, in order.
    pub lines: Vec<NewLog>,
}

/// Events of one topic that a run reserves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The topic's name.
    pub topic: String,
    /// The events' message ids.
    pub ids: Vec<String>,
}

/// Checkpoints what `prepare` returned and reserves its events, all of them or none.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointPrepare {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The whole result.
    pub result: Value,
    /// The events; duplicates count once.
    pub reservations: Vec<Reservation>,
    /// When the consumer wants to be woken, as the script said it; unreadable or none: only by events.
    pub wake_at: Option<String>,
    /// What `prepare` logged.
    pub logs: Vec<NewLog>,
}

/// Writes the ledger row before the request leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct BeginMutation {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The tool's namespace.
    pub tool_namespace: String,
    /// The tool's method.
    pub tool_method: String,
    /// The exact input of the call.
    pub params: Value,
    /// Where the effect would be seen, for a person.
    pub target: String,
    /// Identifies where the effect is to happen; none if it does not matter where it is looked up.
    pub place: Option<String>,
    /// What the script says it is.
    pub ui_title: String,
    /// Whether the tool can look the effect up.
    pub reconcilable: bool,
    /// What it costs if it happens, in microdollars.
    pub price: i64,
    /// What `mutate` logged.
    pub logs: Vec<NewLog>,
}

/// The effect happened.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplyMutation {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The ledger row.
    pub mutation: MutationId,
    /// The tool's answer.
    pub result: Value,
    /// Who settled it, where the answer itself had been lost.
    pub resolved_by: Option<ResolvedBy>,
}

/// The effect definitely did not happen. The run stops, unless its consumer goes on with a refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct FailMutation {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The ledger row.
    pub mutation: MutationId,
    /// Why.
    pub failure: Failure,
    /// How the worker knows that nothing happened.
    pub no_effect: NoEffect,
    /// Whether the run goes on at `next`: the other side refused the request, and the consumer is to be told.
    pub goes_on: bool,
}

/// Nobody knows whether the effect happened, and the run stops.
#[derive(Debug, Clone, PartialEq)]
pub struct DoubtMutation {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The ledger row.
    pub mutation: MutationId,
    /// Why nobody knows.
    pub failure: Failure,
    /// Where the tool has looked the effect up already and found nothing: how long after the request a missing effect would prove something.
    pub looked_up: Option<Duration>,
}

/// A dry run captured the mutation instead of making it.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureMutation {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// An answer such as the tool might have given.
    pub result: Value,
}

/// An event to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The topics; the same message id may stand in several.
    pub topics: Vec<String>,
    /// The script's id for it.
    pub message_id: String,
    /// The payload.
    pub payload: Value,
    /// For a producer: the inputs that caused it. A consumer's events are caused by what its run reserved.
    pub caused_by: Vec<windlass_core::InputId>,
}

/// An input to enter, unless its workflow has it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInput {
    /// The id that the script was given for it.
    pub id: windlass_core::InputId,
    /// The connector it came from.
    pub source: String,
    /// Its type in that connector.
    pub input_type: String,
    /// Its id in that connector.
    pub external_id: String,
    /// What a person recognises it by; the first title stays.
    pub title: String,
}

/// Whether the worker takes the workflow's next run in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowUp {
    /// The worker.
    pub worker: WorkerId,
    /// How long it belongs to the worker.
    pub lease: Duration,
}

/// Commits a producer's run: inputs, events, state and schedule at once.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitProducer {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// What the handler returned; none leaves the state as it was.
    pub state: Option<Value>,
    /// What it registered.
    pub inputs: Vec<NewInput>,
    /// What it published.
    pub events: Vec<NewEvent>,
    /// What it logged.
    pub logs: Vec<NewLog>,
    /// Whether the worker goes on with the workflow's next run.
    pub follow_up: Option<FollowUp>,
}

/// Commits a consumer's run: events, state and consumed reservations at once.
#[derive(Debug, Clone, PartialEq)]
pub struct CommitConsumer {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// What `next` returned; none leaves the state as it was.
    pub state: Option<Value>,
    /// What `next` published.
    pub events: Vec<NewEvent>,
    /// What `next` logged.
    pub logs: Vec<NewLog>,
    /// Whether the worker goes on with the workflow's next run.
    pub follow_up: Option<FollowUp>,
}

/// Stops a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StopRun {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// The phase that the run had entered without a checkpoint of its own.
    pub entered: Option<Phase>,
    /// Why.
    pub failure: Failure,
    /// The events that this call of `prepare` was given: the failure is about them where nothing is reserved.
    pub seen: Vec<EventId>,
    /// What the phase logged.
    pub logs: Vec<NewLog>,
}

/// A script's message to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptMessage {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// The mutation that sends it: it is entered once.
    pub mutation: MutationId,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
}

/// Which events to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFilter {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Of this topic only.
    pub topic: Option<String>,
    /// In this status only.
    pub status: Option<EventStatus>,
    /// With these message ids only.
    pub message_ids: Option<Vec<String>>,
    /// Which part of the list, oldest first.
    pub page: Page<EventCursor>,
}

/// What an input is called outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputKey {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// The connector it came from.
    pub source: String,
    /// Its type in that connector.
    pub input_type: String,
    /// Its id in that connector.
    pub external_id: String,
}

/// Which runs to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFilter {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// Of this session only.
    pub session: Option<SessionId>,
    /// Which part of the list, newest first.
    pub page: Page<RunCursor>,
}

/// Whose log lines to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSource {
    /// Those of a run.
    Run(RunId),
    /// Those of a session: of all its runs, in order.
    Session(SessionId),
}

/// Which log lines to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFilter {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Whose lines.
    pub of: LogSource,
    /// Which part of the log, by the lines' numbers in their session.
    pub page: Page<u32>,
}
