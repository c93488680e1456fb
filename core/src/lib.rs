//! What is true in Windlass: domain types, ids, state machines and validation.
//!
//! Everything here is pure: no I/O, no async, no SQL. A change of state is a function from what is known to what has to be
//! written ([`Changes`]); the store loads, asks, and writes in one transaction.
//!
//! ```
//! use windlass_core::{HandlerKind, Phase, RunState};
//!
//! let queued = RunState::queued(HandlerKind::Consumer);
//! let preparing = queued.claim()?.run;
//! assert_eq!(preparing.phase, Phase::Preparing);
//!
//! // What must never happen cannot be said: a run that prepared nothing cannot commit.
//! assert!(preparing.commit().is_err());
//! # Ok::<(), windlass_core::IllegalTransition>(())
//! ```
//!
//! # What it promises
//! - A phase only moves forward, and a stop never changes it backwards.
//! - A run whose mutation is open is never taken for failed: it is in doubt, and a person is asked.
//! - After a known effect a run may only go forward; before it, it starts again from scratch.

mod capability;
mod event;
mod failure;
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
mod workflow;

pub use capability::{Capability, Grant, NoCapability};
pub use event::EventStatus;
pub use failure::{Failure, FailureClass, ScriptPosition, Sent, Service};
pub use id::{
    EventId, Id, InputId, JournalId, MutationId, NotificationId, RunId, ScriptId, SessionId,
    TopicId, WorkerId, WorkflowId, WorkspaceId,
};
pub use limit::{
    LimitKey, LimitReached, LimitUsage, PRIORITY_HEAD_START, Rate, RunLimit, queue_rank,
};
pub use log::LogLevel;
pub use mutation::{
    MutationStatus, OperationKey, Outcome, Recourse, ResolutionKind, ResolvedBy, digest,
    digest_text, idempotency_key,
};
pub use policy::{
    EffectLimits, EventPolicy, LeasePolicy, LookupPolicy, Policy, RunPolicy, ScriptLimits,
    SessionLimits,
};
pub use price::Prices;
pub use retention::{Age, RecordKind, Retention};
pub use retry::Backoff;
pub use run::{
    Changes, HandlerKind, IllegalTransition, PendingRetry, Phase, Reservations, RunState, Status,
    StopContext, WorkflowChange,
};
pub use schedule::{CronSchedule, Interval, Schedule, ScheduleError};
pub use script::{Operation, ScriptPhase};
pub use session::{SessionResult, Trigger};
pub use text::{Text, UnknownText};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use workflow::{
    Action, ActionRefused, Consumer, ConsumerDue, DueView, FUNCTION, Manifest, NextStep,
    PendingRetryView, Problem, Producer, ProducerDue, Step, WorkflowStatus, next_step, validate,
    wake_at,
};
