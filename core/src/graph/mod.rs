//! Graphs of nodes: the rules of plans, and of the recorded plans of a journal.
//!
//! A program of this kind is written as a [`Draft`]. [`normalise`] completes it, [`validate`] finds its mistakes, and [`compile`] makes
//! a graph of it that never changes.

mod compile;
mod condition;
mod draft;
mod finding;
mod graph_type;
mod normalise;
mod path;
mod schema;
mod validate;
mod words;

pub use compile::{CompileError, compile};
pub use condition::{Condition, InvalidCondition, Operator};
pub use draft::{
    CompletionCheck, ContextPolicy, Deliverable, Draft, DraftEdge, DraftNode, FailureRule,
    MAX_DRAFT_BYTES, Owner, Recorded, RetryPolicy, ToolPolicy,
};
pub use finding::{Finding, FindingCode, blocking_message, has_blocking};
pub use graph_type::{Edge, Graph, Node};
pub use normalise::normalise;
pub use path::{InvalidPath, Root, SourcePath, SourceView};
pub use schema::{Mismatch, Schemas, mismatches, unknown_fields};
pub use validate::{Known, KnownTool, MAX_ATTEMPTS, MAX_NODES, MAX_PARALLEL, Roster, validate};
pub use words::{
    ArtifactKind, AttemptStatus, Cancellability, CheckType, FailureAction, FailureTrigger,
    GraphStatus, JoinMode, NodeFailureClass, NodeStatus, NodeType, OwnerType, Severity, Word,
};
