//! Graphs of nodes: the rules of plans, and of the recorded plans of a journal.
//!
//! A program of this kind is written as a [`Draft`]. [`normalise()`] completes it, [`validate()`] finds its mistakes, and [`compile()`] makes
//! a graph of it that never changes.
//!
//! A run of a graph is a [`GraphState`]. The store loads it, calls one of the functions here, writes the [`NodeChange`]s, and lets
//! [`advance()`] work out what follows, all in one transaction. Nothing here reads a clock or a database.

mod advance;
mod answer;
mod compile;
mod condition;
mod draft;
mod failure;
mod finding;
mod graph_type;
mod input;
mod judge;
mod normalise;
mod path;
mod schema;
mod state;
mod steer;
mod validate;
mod words;

pub use advance::{Advance, Begin, BeginHow, GraphEnd, advance, cancel};
pub use answer::{AnswerInvalid, after_answer};
pub use compile::{CompileError, compile};
pub use condition::{Condition, InvalidCondition, Operator};
pub use draft::{
    CompletionCheck, ContextPolicy, Deliverable, Draft, DraftEdge, DraftNode, FailureRule,
    MAX_DRAFT_BYTES, Owner, Recorded, RetryPolicy, ToolPolicy,
};
pub use failure::{NodeAt, NodeFailure, after_failure, after_result, after_stop};
pub use finding::{Finding, FindingCode, blocking_message, has_blocking};
pub use graph_type::{Edge, Graph, Node};
pub use input::outputs_needed;
pub use judge::{
    Attestation, Judged, MAX_OUTPUT_BYTES, MadeArtifact, NodeResult, ResultStatus, Verdict, judge,
};
pub use normalise::normalise;
pub use path::{InvalidPath, Root, SourcePath, SourceView};
pub use schema::{Mismatch, Schemas, mismatches, unknown_fields};
pub use state::{AttemptEnd, Budget, GraphState, NodeChange, NodeEffect, NodeState};
pub use steer::{
    Carried, Restart, SteerRefused, carry_over, effect_of_earlier_run, restart, resume, take_up,
};
pub use validate::{Known, KnownTool, MAX_ATTEMPTS, MAX_NODES, MAX_PARALLEL, Roster, validate};
pub use words::{
    ArtifactKind, ArtifactStatus, AttemptStatus, Cancellability, CheckType, FailureAction,
    FailureTrigger, GraphStatus, JoinMode, NodeFailureClass, NodeStatus, NodeType, OwnerType,
    Severity, Word,
};
