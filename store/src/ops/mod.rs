//! The operations, once: the body of each transaction, written over a `Conn` and a `RunQueryDsl` that the backend provides in
//! its module `dialect`. This folder is mounted by both backends.
//!
//! An operation that changes a workflow locks the workflow's row first and reads afterwards, so that what happens to one
//! workflow happens one after the other. Then it asks the core, and writes what the core answers with [`outcome::write`]. At
//! its end stands [`advance::advance_workflow`], which decides what the workflow does next.
//!
//! Statements that do not need one another's answers are joined, which on PostgreSQL saves the waiting between them. They happen
//! in the order in which they stand there: `joined!` polls the first one first. Of a part that has more than one statement only
//! the first is sure to happen before what stands after it.

/// Inserts rows; a single one by a statement that is prepared once, as that of a list is not.
macro_rules! insert_all {
    ($tx:expr, $table:expr, $rows:expr) => {
        for batch in $rows.chunks(super::BATCH) {
            match batch {
                [one] => diesel::insert_into($table).values(one).execute($tx.conn).await?,
                many => diesel::insert_into($table).values(many).execute($tx.conn).await?,
            };
        }
    };
}

mod activate;
mod advance;
mod claim;
mod commit;
mod control;
mod event;
mod inputs;
pub(super) mod limits;
mod locked_run;
mod logs;
mod lookup;
mod mutate;
mod notices;
mod outcome;
mod prepare;
pub(super) mod prune;
mod publish;
mod queue;
mod recover;
mod replay;
mod reservations;
mod resolve;
mod route;
mod script;
mod sessions;
mod stop;
mod store;
pub(super) mod window;
mod worker;
mod workspace;

use std::sync::atomic::{AtomicBool, Ordering};

use windlass_core::{Policy, Timestamp, WorkflowId, WorkspaceId};

use super::{dialect, reads};
use crate::error::{Result, StoreError};
use crate::rows::WorkflowRow;

/// How many rows go into one statement: SQLite and PostgreSQL both bind a limited number of values.
const BATCH: usize = 500;

/// What happens, or is looked at, in one transaction. The parameters of an operation are the operation.
///
/// A backend runs a writing one with `write`, and a looking one with `read`, which sees one snapshot.
pub(super) trait Operation: Send + Sync + 'static {
    /// What comes of it.
    type Output: Send + 'static;

    /// The body. An `Err` undoes all of it.
    fn run(self, tx: &Tx<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// An operation that begins with a look which needs no instant: PostgreSQL is sent the look along with what begins the
/// transaction, and has answered both before the operation acts.
pub(super) trait Staged: Send + Sync + 'static {
    /// What comes of it.
    type Output: Send + 'static;
    /// What it sees at first.
    type Preloaded: Send;

    /// The look; it belongs to the transaction.
    fn preload(&self, conn: &dialect::Conn)
    -> impl Future<Output = Result<Self::Preloaded>> + Send;

    /// The rest. An `Err` of either undoes all of it.
    fn execute(
        self,
        tx: &Tx<'_>,
        seen: Self::Preloaded,
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

/// What one statement sees: it needs no transaction around it.
pub(super) trait Query: Send + Sync + 'static {
    /// What it sees.
    type Output: Send + 'static;

    /// The statement.
    fn run(self, conn: &dialect::Conn) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// An open transaction.
pub(super) struct Tx<'conn> {
    /// The connection; everything on it belongs to the transaction.
    pub(super) conn: &'conn dialect::Conn,
    /// The instant of the transaction.
    pub(super) now: Timestamp,
    /// The limits.
    pub(super) policy: &'conn Policy,
    /// Whether the commit may bring work: then whoever waits for some is woken.
    pub(super) wakes: AtomicBool,
}

impl Tx<'_> {
    /// The commit may bring work, where that is so.
    fn wake_if(&self, it_may: bool) {
        self.wakes.fetch_or(it_may, Ordering::Relaxed);
    }

    /// The workflow of that workspace, which nobody else changes until this transaction ends.
    async fn lock(&self, workspace: WorkspaceId, workflow: WorkflowId) -> Result<WorkflowRow> {
        let row = dialect::lock_workflow(self.conn, workspace, workflow).await?;
        row.ok_or_else(|| StoreError::not_found("workflow", &workflow))
    }
}

/// A count as it is stored; the databases have no unsigned numbers.
fn stored(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
