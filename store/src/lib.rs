//! What is remembered: one store, on SQLite and on PostgreSQL.
//!
//! A [`Store`] has one trait for each subject: [`WorkflowStore`], [`RunStore`], [`LedgerStore`] and so on. Each method is one
//! transaction, named by intent, which happened wholly or not at all. A writing method locks the workflow, reads, asks
//! `windlass-core`, and writes what the core answers. A reading method sees one snapshot.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> windlass_store::Result<()> {
//! let store = windlass_store::open("sqlite::memory:", windlass_store::Options::default()).await?;
//!
//! let workspace = store.ensure_workspace("default").await?;
//!
//! assert_eq!(store.ensure_workspace("default").await?, workspace);
//! assert!(store.workflows(workspace, windlass_store::Page::first(10)).await?.items.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//! - What a method has returned survives a crash of the machine.
//! - A worker that lost its run changes nothing any more: every write names the claim's fencing number.
//! - After each change it is decided what the workflow does next; nothing has to be put right afterwards.
//! - Both databases mean the same. The contract is a list of tests, the crate `windlass-store-conformance`, that all pass.
//!
//! # What it does not do
//! It runs nothing, keeps no time of its own and decides no transition. Its interface has no type of the libraries below it.
//!
//! # How it is made
//! The text of the operations (`ops`) and of the reads (`reads`) is written once, over a connection and a `RunQueryDsl`, and
//! compiled twice: with `diesel-async` for PostgreSQL, and for SQLite with Diesel's blocking calls behind futures that are ready
//! at once. What differs is in each backend's `dialect`: locks. SQLite has one writer, a thread that commits all waiting
//! transactions together, and a few readers beside it.

#![expect(
    clippy::duplicate_mod,
    reason = "the operations are one text, compiled once for each database's connection"
)]

mod cached;
mod convert;
mod error;
mod keyset;
mod layer;
mod literals;
mod location;
mod model;
mod moving;
mod open;
mod page;
mod params;
mod pipeline;
mod postgres;
mod queue;
mod rows;
mod schema;
mod schema_check;
mod sqlite;
mod store;
mod tenant;

pub use error::{DatabaseError, Result, StoreError};
pub use layer::{Layer, LayeredStore, WriteOutcome};
pub use location::{Location, PostgresEnvironment};
pub use model::{
    Agenda, BegunMutation, Claim, ClaimedRun, Committed, DueLookup, Event, EventCounts,
    HandlerState, Holder, Input, InputStatus, JournalEntry, LeaseRenewal, Limit, LogEntry,
    Mutation, Notification, NotificationKind, RecoveredRun, Run, SavedScript, ScriptVersion,
    Session, Worker, Workflow, WorkflowOverview, Workspace,
};
pub use moving::{MovedTable, move_instance};
pub use open::{Options, migrate, migrations, open, revert};
pub use page::{
    EventCursor, InputCursor, JournalCursor, Listed, MutationCursor, NotificationCursor, Page,
    Position, RunCursor, VersionCursor,
};
pub use params::{
    ActivateScript, ApplyMutation, BeginMutation, Bump, CaptureMutation, CheckpointPrepare,
    ClaimFilter, ClaimLookups, ClaimRuns, ClaimScope, CommitConsumer, CommitProducer,
    ControlWorkflow, DoubtMutation, EndedRuns, EventFilter, FailMutation, FollowUp, Heartbeat,
    InputKey, LogFilter, NewEvent, NewInput, NewLog, ParkedEventAction, Prune, PruneCursor,
    PruneStep, RecoverRuns, Reservation, Resolution, ResolveMutation, RouteWorkflow, RunFilter,
    SaveScript, ScriptMessage, SetLimit, SettleEvent, SettleLookup, StartSession, StopRun,
    WorkerInfo,
};
pub use postgres::PostgresStore;
pub use schema_check::{Migration, MigrationStatus};
pub use sqlite::SqliteStore;
pub use store::{
    AnyId, EventStore, JournalStore, LedgerStore, NotificationStore, PruningStore, RunStore,
    SharedStore, Store, WakeUpSource, WakeUps, WorkerStore, WorkflowStore, method_names,
};
