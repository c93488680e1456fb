//! The write operations. Each operation is the body of one transaction, written over the `Conn` and the `RunQueryDsl` of the
//! backend's module `dialect`. Both backends mount this folder, so it is compiled once for each.
//!
//! An operation that changes a workflow first locks the workflow's row and then reads, so the operations on one workflow run one
//! after the other. It asks `windlass-core` for the state transition and writes the result with [`outcome::write`]. At the end,
//! [`advance::advance_workflow`] decides what the workflow does next.
//!
//! Statements that do not need one another's answers are sent in one `pipeline!`, which saves round trips on PostgreSQL. It polls
//! them in the order in which they are written. If one of its futures runs several statements, only the first of them is sure to
//! run before the next future's.

/// Inserts rows. A single row uses a statement that is prepared once; the statement for a list is not cached.
macro_rules! insert_all {
    ($tx:expr, $table:expr, $rows:expr) => {
        for batch in $rows.chunks(super::BATCH) {
            match batch {
                [row] => diesel::insert_into($table).values(row).execute($tx.conn).await?,
                rows => diesel::insert_into($table).values(rows).execute($tx.conn).await?,
            };
        }
    };
}

mod activate;
pub(super) mod advance;
mod attempts;
mod blame;
mod cause;
mod claim;
mod clock;
mod commit;
mod control;
pub(super) mod credentials;
mod deliveries;
mod doubt;
mod event;
mod evidence;
pub(super) mod graph;
mod inputs;
mod journal;
pub(super) mod limits;
mod locked_run;
mod logs;
mod lookup;
mod mutate;
mod notifications;
mod outcome;
mod prepare;
pub(super) mod prune;
mod publish;
mod queue;
mod recover;
mod replay;
mod replay_events;
mod reservations;
mod resolve;
mod route;
mod script;
mod sessions;
mod stop;
pub(super) mod worker;
pub(super) mod workspace;

use std::sync::atomic::{AtomicBool, Ordering};

use windlass_core::{Id, IdSource, Policy, Timestamp, WorkflowId, WorkspaceId};

use super::{dialect, reads};
use crate::error::{Result, StoreError};
use crate::graph_cache::GraphCache;
use crate::rows::WorkflowRow;

/// The most rows in one statement: both databases limit the number of bound values.
const BATCH: usize = 500;

/// The body of one transaction. The struct with its parameters is the operation.
///
/// A backend runs it with `write`, or, if it only reads, with `read`, on one snapshot.
pub(super) trait Operation: Send + Sync + 'static {
    /// What it returns.
    type Output: Send + 'static;

    /// Runs it. An `Err` rolls the transaction back.
    fn run(self, tx: &Tx<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// An operation whose first reads do not need the transaction's time: PostgreSQL gets them together with `BEGIN`, in one round
/// trip.
pub(super) trait Staged: Send + Sync + 'static {
    /// What it returns.
    type Output: Send + 'static;
    /// What it reads first.
    type Preloaded: Send;

    /// Reads in the transaction, before its time is known.
    fn preload(&self, conn: &dialect::Conn)
    -> impl Future<Output = Result<Self::Preloaded>> + Send;

    /// Does the rest. An `Err` of either part rolls the transaction back.
    fn execute(
        self,
        tx: &Tx<'_>,
        preloaded: Self::Preloaded,
    ) -> impl Future<Output = Result<Self::Output>> + Send;
}

impl<O: Operation> Staged for O {
    type Output = O::Output;
    type Preloaded = ();

    async fn preload(&self, _conn: &dialect::Conn) -> Result<()> {
        Ok(())
    }

    async fn execute(self, tx: &Tx<'_>, (): ()) -> Result<O::Output> {
        self.run(tx).await
    }
}

/// A read of one statement: it needs no transaction.
pub(super) trait Query: Send + Sync + 'static {
    /// What it returns.
    type Output: Send + 'static;

    /// Runs the statement.
    fn run(self, conn: &dialect::Conn) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// An open transaction.
pub(super) struct Tx<'conn> {
    /// Its connection.
    pub(super) conn: &'conn dialect::Conn,
    /// The time of the transaction.
    pub(super) now: Timestamp,
    /// Where new ids come from, if they are not random.
    pub(super) ids: Option<&'conn IdSource>,
    /// The configured limits.
    pub(super) policy: &'conn Policy,
    /// The graphs that were used lately.
    pub(super) graphs: &'conn GraphCache,
    /// Whether the commit may give workers something to do: then it wakes them.
    pub(super) wakes: AtomicBool,
}

impl Tx<'_> {
    /// Returns a new id of the transaction's time.
    fn mint<I: Id>(&self) -> I {
        self.ids.map_or_else(|| I::mint(self.now), |ids| I::mint_from(ids, self.now))
    }

    /// Lets the commit wake the workers if there is `new_work`.
    fn wake_if(&self, new_work: bool) {
        self.wakes.fetch_or(new_work, Ordering::Relaxed);
    }

    /// Lets the commit wake the workers.
    fn wake(&self) {
        self.wake_if(true);
    }

    /// Locks a workflow of a workspace until the transaction ends.
    async fn lock(&self, workspace: WorkspaceId, workflow: WorkflowId) -> Result<WorkflowRow> {
        let row = dialect::lock_workflow(self.conn, workspace, workflow).await?;
        row.ok_or_else(|| StoreError::not_found("workflow", &workflow))
    }
}
