//! What is remembered: one store, on SQLite and on PostgreSQL.
//!
//! (front page: to be completed with the implementation)

#![expect(
    clippy::duplicate_mod,
    reason = "the operations are one text, compiled once for each database's connection"
)]

#[cfg(feature = "testing")]
pub mod conformance;
mod convert;
mod error;
mod literals;
mod model;
mod open;
mod params;
mod postgres;
mod rows;
mod schema;
mod sqlite;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Result, StoreError};
pub use model::{
    BegunMutation, Claim, ClaimedRun, Committed, Event, EventCounts, HandlerState, Input,
    InputStatus, JournalEntry, LogEntry, Mutation, Notification, NotificationKind, RecoveredRun,
    Run, SavedScript, ScriptVersion, Session, Workflow, WorkflowOverview,
};
pub use open::{Options, migrate, open, revert};
pub use params::{
    ActivateScript, ApplyMutation, BeginMutation, Bump, CheckpointPrepare, ClaimRuns,
    CommitConsumer, CommitProducer, ControlWorkflow, DoubtMutation, EventFilter, FailMutation,
    FollowUp, LogFilter, NewEvent, NewInput, NewLog, ReconcileMutation, RecoverRuns, RenewLeases,
    Reservation, ResolveMutation, RunFilter, SaveScript, ScriptMessage, StartSession, StopRun,
};
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;
pub use store::{AnyId, Inspect, SharedStore, Store, WakeUps};
