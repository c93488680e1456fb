//! What flows through a workflow: inputs, events, and the effects they lead to.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use windlass_core::{
    EventId, EventStatus, FailureClass, InputId, MutationId, MutationStatus, ResolvedBy, RunId,
    Timestamp, WorkflowId,
};

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// Its topic's name.
    pub topic: String,
    /// The script's id for it, unique in the topic.
    pub message_id: String,
    /// Its status.
    pub status: EventStatus,
    /// Counts the times it became pending.
    #[serde(rename = "attempt")]
    pub attempt_number: u32,
    /// Which time it is processed: 1 until a person replays it. Effects of another round are other operations.
    pub round: u32,
    /// How often a run that had reserved it was lost or failed.
    pub blamed: u32,
    /// How the last of them was lost or failed.
    pub blamed_for: Option<String>,
    /// The payload.
    pub payload: Value,
    /// The run that reserved, consumed or skipped it.
    pub reserved_by_run_id: Option<RunId>,
    /// The run that published it.
    pub created_by_run_id: RunId,
    /// When it was first published.
    pub created_at: Timestamp,
}

/// An event with every round in which a run had it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventRounds {
    /// The event.
    pub event: Event,
    /// Its rounds, oldest first. A round that no run has begun is missing.
    pub rounds: Vec<Round>,
}

/// One time that an event is or was processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Which one, from 1.
    pub number: u32,
    /// The run that has it, or that consumed or skipped it.
    pub run_id: RunId,
    /// The mutation of that run. It may have failed.
    pub mutation_id: Option<MutationId>,
}

/// What became of the events that a person settled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SettledEvents {
    /// How many were put back, skipped or replayed.
    pub settled: usize,
    /// How many were left: their run had come to its effect, or they were not consumed and so not replayed.
    pub left: usize,
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
    /// Its type in that connector.
    #[serde(rename = "type")]
    pub input_type: String,
    /// Its id in that connector.
    pub external_id: String,
    /// What a person recognises it by.
    pub title: String,
    /// Pending while an event it caused is open or it has none yet; skipped when all were skipped; else done.
    pub status: InputStatus,
    /// The run that registered it; none where that one is no longer kept.
    pub created_by_run_id: Option<RunId>,
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
    /// Where the effect would be seen.
    pub target: String,
    /// The same for the same consumer, tool, input and events.
    pub operation_id: String,
    /// The key by which the provider recognises a repetition.
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
    /// How often it was looked up.
    pub reconcile_attempts: u32,
    /// When it will be looked up again.
    pub next_reconcile_at: Option<Timestamp>,
    /// Who settled a doubt.
    pub resolved_by: Option<ResolvedBy>,
    /// When.
    pub resolved_at: Option<Timestamp>,
    /// What the script says it is.
    #[serde(rename = "title")]
    pub ui_title: String,
    /// What a worker reported after it had lost the run.
    pub late_evidence: Option<String>,
    /// What it cost, in microdollars; nothing unless it happened.
    #[serde(rename = "cost_microdollars")]
    pub cost: i64,
    /// The inputs that caused it.
    pub inputs: Vec<InputId>,
    /// When the row was written, before the request left.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The identity under which the outside world knows a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunMutation {
    /// The ledger row.
    pub id: MutationId,
    /// The key that the provider is given.
    pub idempotency_key: String,
    /// How long ago that key was first sent; none where the clock does not tell.
    pub key_age: Option<Duration>,
}
