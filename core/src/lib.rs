//! The domain of Windlass: types, ids, state machines and validation.
//!
//! Everything here is pure: no I/O, no async, no SQL. A transition is a function. It takes what is known of a run and returns
//! [`Changes`], everything that has to be written. The store loads the run, calls the function and writes its result in one
//! transaction.
//!
//! ```
//! use windlass_core::{HandlerKind, Phase, RunState};
//!
//! let queued = RunState::queued(HandlerKind::Consumer);
//! let preparing = queued.claim()?.run;
//! assert_eq!(preparing.phase, Phase::Preparing);
//!
//! // A run that has prepared nothing cannot commit.
//! assert!(preparing.commit().is_err());
//! # Ok::<(), windlass_core::IllegalTransition>(())
//! ```
//!
//! # Guarantees
//! - The phase of a run only moves forward. A stop never moves it back.
//! - A run whose mutation is open never counts as failed. It is in doubt, and the effect is looked up or a person is asked.
//! - After a known effect a run may only continue. Before it, a new run starts from scratch.
//!
//! # Where to begin
//! - [`RunState`] and its transitions: the life of a handler run.
//! - [`next_step`]: which run a workflow begins next, and when.
//! - [`Suspects`]: which event a failure is blamed on.
//! - [`graph`]: plans, whose program is a graph of nodes.
//! - [`validate`]: whether the declaration of a script makes sense.
//! - [`Policy`]: every limit, with its default.
//! - [`Backoff`] and [`ExponentialDelay`]: how long to wait after failures.

mod access;
mod actor;
mod approval;
mod blame;
mod capability;
mod display_text;
mod error_text;
mod event;
mod failure;
pub mod graph;
mod id;
mod limit;
mod log;
mod mutation;
mod policy;
mod price;
mod retention;
mod retry;
mod run;
mod schedule;
mod script;
mod session;
mod text;
mod time;
mod turn;
mod whole_characters;
mod workflow;

pub use access::{CredentialKind, CredentialTimes, Scope, ScopeRefused, Scopes};
pub use actor::Actor;
pub use approval::{
    ApprovalAnswer, ApprovalKind, ApprovalRefused, ApprovalStatus, Asked, ChatMessage, ChatRole,
    Settled, from_messages, from_text, settle,
};
pub use blame::{Blame, OnFailure, OnRefusal, Suspects, Trial, reason_of};
pub use capability::{Capability, Grant, InvalidCapability};
pub use display_text::{crop, escape_json, escape_line, escape_text};
pub use error_text::{error_chain, panic_message};
pub use event::EventStatus;
pub use failure::{DataFault, Failure, FailureClass, ScriptPosition, Sent, Service};
pub use id::{
    ApprovalId, ArtifactId, AttemptId, CredentialId, EventId, Id, IdSource, InputId, JournalId,
    MutationId, NodeRunId, NotificationId, RunId, ScriptId, SessionId, TopicId, WorkerId,
    WorkflowId, WorkspaceId,
};
pub use limit::{
    LimitKey, LimitReached, LimitUsage, PRIORITY_HEAD_START, Rate, RunLimit, queue_rank,
};
pub use log::LogLevel;
pub use mutation::{
    EventInRound, EventName, LateEvidence, LookupResult, MutationStatus, NoEffect, OperationKey,
    Outcome, Recourse, ResolutionKind, ResolvedBy, digest, digest_text, idempotency_key,
    operation_of_node,
};
pub use policy::{
    EffectLimits, EventPolicy, LeasePolicy, LookupPolicy, Policy, RunPolicy, ScriptLimits,
    SessionLimits,
};
pub use price::Prices;
pub use retention::{Age, RecordKind, Retention};
pub use retry::{Backoff, ExponentialDelay};
pub use run::{
    Changes, HandlerKind, IllegalTransition, PendingRetry, Phase, Reservations, RunState, Status,
    StopContext, WorkflowChange,
};
pub use schedule::{CronSchedule, Interval, Schedule, ScheduleError, span};
pub use script::{Operation, ScriptPhase};
pub use session::{SessionKind, SessionResult, Trigger};
pub use text::{Text, UnknownText};
pub use time::{CLOCK_TOLERANCE, Clock, ManualClock, SystemClock, Timestamp};
pub use turn::slot_shares;
pub use whole_characters::with_whole_characters;
pub use workflow::{
    Action, ActionRefused, Because, Consumer, ConsumerDue, DueView, Edit, FUNCTION, Fix, Manifest,
    NextStep, PendingRetryView, Problem, ProblemCode, Producer, ProducerDue, RULE_URI, RULES, Rule,
    Severity, Step, WorkflowKind, WorkflowStatus, nearest, next_step, validate, wake_at,
};
