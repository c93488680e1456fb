//! Runs and sessions, and the right to drive a run.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use windlass_core::graph::Graph;
use windlass_core::{
    FailureClass, HandlerKind, LogLevel, MutationId, Outcome, Phase, RunId, RunState, ScriptId,
    ScriptPosition, SessionId, SessionResult, Status, Timestamp, Trial, Trigger, WorkflowId,
    WorkspaceId,
};

use super::ledger::Mutation;

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
    /// The outcome of that.
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
    /// What its effect cost, in microdollars.
    #[serde(rename = "cost_microdollars")]
    pub cost: i64,
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
    /// How many lines its runs logged.
    pub log_line_count: u32,
    /// What the effects of its runs cost, in microdollars.
    #[serde(rename = "cost_microdollars")]
    pub cost: i64,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A log line of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its number in the log of its session, from 1.
    pub seq: u32,
    /// The run that logged it, as long as that is kept.
    pub handler_run_id: Option<RunId>,
    /// The handler or node of that run.
    pub handler: Option<String>,
    /// The level.
    pub level: LogLevel,
    /// The text.
    pub message: String,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// A worker's right to write to a run, until the run ends or is taken from it. That its lease has run out alone takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The run's workspace.
    pub workspace: WorkspaceId,
    /// The run's workflow.
    pub workflow: WorkflowId,
    /// The run.
    pub run: RunId,
    /// The fencing number: every write with an older one is refused.
    pub fence: i64,
}

/// A run that a worker has just taken, with all that driving it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedRun {
    /// The claim, which is the right to write.
    pub claim: Claim,
    /// Where the run stands.
    pub state: RunState,
    /// The workflow's name.
    pub workflow_name: String,
    /// Its session.
    pub session: SessionId,
    /// The script version to run.
    pub script: ScriptId,
    /// The graph of the run of a node.
    pub graph: Option<Arc<Graph>>,
    /// The handler's name.
    pub handler: String,
    /// Where one of several events is suspected: the only one that the run may see.
    pub trial: Option<TrialRun>,
    /// The handler's state; none before it first returned one.
    pub input_state: Option<Value>,
    /// For a retry: what `prepare` returned.
    pub prepare_result: Option<Value>,
    /// For a retry: the settled mutation's answer, where it was applied.
    pub mutation_result: Option<Value>,
    /// For a retry: why the mutation was refused, where the consumer goes on with that.
    pub refusal: Option<String>,
}

/// A run that sees one suspected event only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRun {
    /// How far it goes.
    pub trial: Trial,
    /// The event's topic.
    pub topic: String,
    /// The event's message id.
    pub message_id: String,
}

impl TrialRun {
    /// The message ids that a script sees of a topic, or of those that it asks for.
    #[must_use]
    pub fn visible(&self, topic: &str, wanted: Option<Vec<String>>) -> Vec<String> {
        let is_there = topic == self.topic;
        let is_wanted = wanted.is_none_or(|wanted| wanted.contains(&self.message_id));
        if is_there && is_wanted { vec![self.message_id.clone()] } else { Vec::new() }
    }
}

/// What the commit of a run brought about.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The workflow's next run, where the same worker took it in the same transaction.
    pub follow_up: Option<ClaimedRun>,
}

/// An effect that this worker is to look up.
#[derive(Debug, Clone, PartialEq)]
pub struct DueLookup {
    /// The ledger row; its attempts include this one.
    pub mutation: Mutation,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// The workflow's name.
    pub workflow_name: String,
    /// Identifies where the effect was to happen. What is missing elsewhere proves nothing.
    pub place: Option<String>,
    /// How long ago its key was first sent; none where the clock does not tell.
    pub key_age: Option<Duration>,
}

/// A run that was taken from a lost worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredRun {
    /// The run.
    pub run: RunId,
    /// Its workflow's name.
    pub workflow_name: String,
    /// Its handler's name.
    pub handler: String,
    /// What it became.
    pub status: Status,
}
