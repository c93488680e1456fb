//! The interface of the store: one trait for each subject, and [`Store`] for all of them together.
//!
//! After a method has returned `Ok`, what it wrote survives a crash of the machine. An `Err` means that nothing was written,
//! but for [`StoreError::Unavailable`](crate::StoreError::Unavailable), where the answer may have been lost: every method is
//! safe to call again. What a run's worker asks for a second time is answered as the first time, and written once; anything else
//! the claim or the state machine refuses.
//!
//! Every method that changes a workflow also decides, in the same transaction, what the workflow does next: it enqueues the
//! next run, or notes when the workflow is due. So a crash needs no repair.
//!
//! Workspaces do not see each other: each call that names a thing also names its workspace, and a thing of another workspace is
//! not found, as if it did not exist.

mod credential;
mod event;
mod graph;
mod journal;
mod ledger;
mod notification;
mod pruning;
mod role;
mod run;
mod whole_lists;
mod worker;
mod workflow;

use std::sync::Arc;

use windlass_core::{
    ApprovalId, ArtifactId, EventId, InputId, MutationId, NotificationId, RunId, ScriptId,
    SessionId, WorkflowId,
};

pub use self::credential::CredentialStore;
pub use self::event::EventStore;
pub use self::graph::GraphStore;
pub use self::journal::JournalStore;
pub use self::ledger::LedgerStore;
pub use self::notification::NotificationStore;
pub use self::pruning::PruningStore;
use self::role::role;
pub use self::run::RunStore;
pub use self::worker::WorkerStore;
pub use self::workflow::WorkflowStore;
use crate::error::Result;

/// Lists the roles once: they are what a [`Store`] is, and where the names of its methods come from.
macro_rules! roles {
    ($( $module:ident: $role:ident, )+) => {
        /// A whole store: each of its methods is one transaction, which happened wholly or not at all.
        pub trait Store: InPlace + WakeUpSource $( + $role )+ {}

        impl<S: InPlace + WakeUpSource $( + $role )+> Store for S {}

        /// The names of all methods of a [`Store`], as a [`Layer`](crate::Layer) is told them.
        pub fn method_names() -> impl Iterator<Item = &'static str> {
            [$( $module::METHODS ),+].into_iter().flatten().copied()
        }
    };
}

roles! {
    workflow: WorkflowStore,
    worker: WorkerStore,
    run: RunStore,
    ledger: LedgerStore,
    event: EventStore,
    notification: NotificationStore,
    graph: GraphStore,
    journal: JournalStore,
    credential: CredentialStore,
    pruning: PruningStore,
}

/// A store that is shared by everything in a process.
pub type SharedStore = Arc<dyn Store>;

/// Knows whether everything is still where it was opened.
pub trait InPlace {
    /// Checks that the open database is still the one that its location names. It waits for nobody, so it can be asked right before an
    /// effect.
    ///
    /// # Errors
    /// [`StoreError::Replaced`](crate::StoreError::Replaced) where it was deleted, moved away or replaced, and
    /// [`StoreError::Unavailable`](crate::StoreError::Unavailable) where that cannot be seen.
    fn check_in_place(&self) -> Result<()>;
}

/// Tells of changes that may have brought work.
pub trait WakeUpSource {
    /// Hears of everything that may have brought work, from any process. Call it before looking for work, to miss nothing.
    fn wake_ups(&self) -> WakeUps;
}

/// An id of any kind that a person may ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyId {
    /// A workflow.
    Workflow(WorkflowId),
    /// A script version.
    Script(ScriptId),
    /// An event.
    Event(EventId),
    /// An input.
    Input(InputId),
    /// A handler run.
    Run(RunId),
    /// A mutation.
    Mutation(MutationId),
    /// A session.
    Session(SessionId),
    /// A notification.
    Notification(NotificationId),
    /// Something that a person is asked.
    Approval(ApprovalId),
    /// A version of something that a node made.
    Artifact(ArtifactId),
}

impl std::fmt::Display for AnyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workflow(id) => id.fmt(f),
            Self::Script(id) => id.fmt(f),
            Self::Event(id) => id.fmt(f),
            Self::Input(id) => id.fmt(f),
            Self::Run(id) => id.fmt(f),
            Self::Mutation(id) => id.fmt(f),
            Self::Session(id) => id.fmt(f),
            Self::Notification(id) => id.fmt(f),
            Self::Approval(id) => id.fmt(f),
            Self::Artifact(id) => id.fmt(f),
        }
    }
}

/// Hears of changes that may have brought work.
#[derive(Debug)]
pub struct WakeUps(tokio::sync::watch::Receiver<u64>);

impl WakeUps {
    pub(crate) const fn new(receiver: tokio::sync::watch::Receiver<u64>) -> Self {
        Self(receiver)
    }

    /// Waits for a change after the last one that was heard of; for ever where the store is gone.
    ///
    /// # Cancel safety
    /// Nothing is missed when the future is dropped.
    pub async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
