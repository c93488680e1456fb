//! Stores everything that Windlass keeps, on SQLite or on PostgreSQL.
//!
//! [`Store`] is the interface. It consists of one trait for each subject: [`WorkflowStore`], [`RunStore`], [`LedgerStore`] and so
//! on. Each method is one transaction, which happens completely or not at all. A method that writes locks the workflow, reads, asks
//! `windlass-core`, and writes the answer. A method that reads sees one snapshot.
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
//! `README.md` of this crate is the guide for operators: databases, connections, upgrades, moving and retention.
//!
//! # Guarantees
//! - Everything that a method has written survives a crash of the machine once the method has returned.
//! - A worker that lost a run can no longer change it: every write shows the fencing number of the claim.
//! - Each change also decides what the workflow does next, in the same transaction. A crash needs no repair.
//! - Both databases behave the same. The tests of the crate `windlass-store-conformance` are the contract; both pass all of them.
//!
//! # What it never does
//! It runs nothing, has no timer and decides no transition. Its interface has no type of the libraries below it, errors included.
//!
//! # Features
//! `sqlite` and `postgres` are the two backends, and both are default features. A program that needs one of them turns the default
//! features off and compiles half of this crate. To open the database of a backend that was left out is a
//! [`StoreError::BadUrl`], and [`move_instance`] exists only with both.
//!
//! # How it works
//! The operations (`ops`) and the reads (`reads`) are written once and compiled twice: with `diesel-async` for PostgreSQL, and with
//! Diesel's blocking calls for SQLite. Each backend's module `dialect` has what differs. SQLite has one writer thread, which commits
//! all waiting transactions together, and a few readers.

#![expect(
    clippy::duplicate_mod,
    reason = "the operations are one text, compiled once for each database's connection"
)]

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("a store needs the feature `sqlite` or `postgres`");

mod cached;
mod convert;
mod effect_window;
mod error;
mod graph_cache;
mod keyset;
mod layer;
mod literals;
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        dead_code,
        unused_imports,
        reason = "only a connection to a server has parameters and passwords"
    )
)]
mod location;
mod model;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod moving;
mod open;
mod page;
mod params;
mod pipeline;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod rows;
mod schema;
mod schema_check;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod tenant;

pub use error::{DatabaseError, Result, StoreError};
pub use layer::{Layer, LayeredStore, WriteOutcome};
pub use location::{Location, PostgresEnvironment};
pub use model::{
    Agenda, Approval, Artifact, Attempt, BegunMutation, Claim, ClaimedRun, Committed, Credential,
    DeletedExecutions, Delivery, DueDelivery, DueLookup, Event, EventCounts, EventRounds,
    GoodCredential, GraphRun, GraphRuns, GraphVersion, GraphView, HandlerState, HeartbeatAnswer,
    Input, InputStatus, JournalEntry, LeaseRenewal, Limit, LimitHolder, LogEntry, Mutation,
    NodeRun, Notification, NotificationKind, OpenWork, RecordedPlan, RecoveredRun, Round, Run,
    SavedScript, ScriptVersion, Session, SettledApproval, SettledEvents, StartedGraph,
    SteeredGraph, SubmittedNode, TrialRun, Worker, Workflow, WorkflowMarks, WorkflowOverview,
    Workspace,
};
#[cfg(all(feature = "sqlite", feature = "postgres"))]
pub use moving::{MovedTable, move_instance};
pub use open::{Options, migrate, migrations, open, revert};
pub use page::{
    ApprovalCursor, CredentialCursor, EventCursor, InputCursor, JournalCursor, ListOrder, Listed,
    MutationCursor, NotificationCursor, Page, Position, RunCursor, SessionCursor, VersionCursor,
};
pub use params::{
    ActivateScript, AddNote, AppendLogs, ApplyMutation, ApprovalFilter, BeginMutation, Bump,
    CaptureMutation, CheckpointPrepare, ClaimDeliveries, ClaimFilter, ClaimLookups, ClaimRuns,
    ClaimScope, ClockRun, CommitConsumer, CommitNode, CommitProducer, ControlWorkflow,
    CreateCredential, DeleteExecutions, DoubtMutation, EndCredential, EndedLeases, EndedRuns,
    EventAction, EventFilter, EventSelection, EventsAfter, FailMutation, FollowUp, GraphFilter,
    GraphIncludes, GraphOrder, GraphSelector, GraphText, Heartbeat, InputKey, LogFilter, LogSource,
    NewEvent, NewInput, NewLog, NoteKind, Prune, PruneCursor, PruneStep, RecordDelivery,
    RecordPlan, RecoverRuns, RedeemSignIn, Replaced, ReplayEvents, ReplaySelection, Reservation,
    Resolution, ResolveMutation, RouteWorkflow, RunFilter, SaveScript, ScriptMessage, SetLimit,
    SetWorkspace, SettleApproval, SettleEvent, SettleEvents, SettleLookup, StartExecution,
    StartPlan, StartSession, Steer, SteerGraph, StopRun, Submission, SubmitNode, WorkerInfo,
};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use schema_check::{Migration, MigrationStatus};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{
    AnyId, CredentialStore, EventStore, GraphStore, InPlace, JournalStore, LedgerStore,
    NotificationStore, PruningStore, RunStore, SharedStore, Store, WakeUpSource, WakeUps,
    WorkerStore, WorkflowStore, method_names,
};
