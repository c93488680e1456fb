//! The one writer of a process: a thread that makes all waiting transactions durable with one commit.
//!
//! Each transaction has a savepoint of its own, so that one that fails is undone alone. Nobody is answered before the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tokio::sync::{oneshot, watch};

use super::ops::Operation;
use super::{Ran, Surroundings, failure};
use crate::error::{Result, StoreError};

/// The most transactions of one commit: enough to share a flush, few enough that the first does not wait for long.
const GROUP: usize = 128;

/// What the thread is asked.
enum Request {
    /// A transaction that waits for the commit.
    Run(Box<dyn Waiting>),
    /// To see whether another process has committed since.
    LookForOthers,
}

/// Asks the writer thread; it ends when all handles are gone.
#[derive(Debug, Clone)]
pub(super) struct WriterHandle(mpsc::Sender<Request>);

impl WriterHandle {
    /// Lets the writer see whether another process has committed, and ring if so.
    pub(super) fn look_for_others(&self) {
        // Without a writer nobody waits for a ring.
        let _unheard = self.0.send(Request::LookForOthers);
    }
}

/// The writer thread, as seen from outside.
#[derive(Debug)]
pub(super) struct Writer(WriterHandle);

impl Writer {
    /// Starts the thread over a connection.
    pub(super) fn start(
        conn: SqliteConnection,
        surroundings: Surroundings,
        wake_ups: watch::Sender<u64>,
    ) -> Result<Self> {
        let (sender, requests) = mpsc::channel();
        let work =
            move || WriterThread { conn, surroundings, wake_ups, others: None }.serve(&requests);
        let spawned = thread::Builder::new().name("windlass-sqlite".to_owned()).spawn(work);
        spawned.map_err(|source| StoreError::Unavailable {
            what: "could not start the thread of the writer".to_owned(),
            source: Some(Box::new(source)),
        })?;
        Ok(Self(WriterHandle(sender)))
    }

    pub(super) fn handle(&self) -> WriterHandle {
        self.0.clone()
    }

    /// Runs an operation; it is durable when this returns.
    ///
    /// # Cancel safety
    /// An operation that was handed over happens, whether or not anyone still waits for it.
    pub(super) async fn run<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let (reply, answer) = oneshot::channel();
        let transaction = Transaction::<O> { operation: Some(operation), result: None, reply };
        let handed_over = self.0.0.send(Request::Run(Box::new(transaction)));
        handed_over.map_err(|_gone| StoreError::Stopped)?;
        answer.await.map_err(|_gone| StoreError::Stopped)?
    }
}

/// A transaction on its way, whatever its operation.
trait Waiting: Send {
    /// Runs it; says whether it may stay, and whether it may have brought work.
    fn run(&mut self, surroundings: &Surroundings, conn: &mut SqliteConnection) -> Ran<()>;

    /// Answers with its own result, where the group is durable.
    fn answer(self: Box<Self>);

    /// Answers that nothing was written.
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Transaction<O: Operation> {
    operation: Option<O>,
    result: Option<Result<O::Output>>,
    reply: oneshot::Sender<Result<O::Output>>,
}

impl<O: Operation> Waiting for Transaction<O> {
    fn run(&mut self, surroundings: &Surroundings, conn: &mut SqliteConnection) -> Ran<()> {
        let Some(operation) = self.operation.take() else {
            return Ran { result: Ok(()), wakes: false };
        };
        let Ran { result, wakes } = surroundings.run(conn, operation);
        let stays = if result.is_ok() { Ok(()) } else { Err(StoreError::Stopped) };
        self.result = Some(result.map_err(failure::classify));
        Ran { result: stays, wakes }
    }

    fn answer(self: Box<Self>) {
        // Who does not wait any more has given up the answer, not the operation.
        let _unheard = self.reply.send(self.result.unwrap_or(Err(StoreError::Stopped)));
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        // An operation that failed by itself says more than the failure of its group.
        let own = self.result.and_then(Result::err);
        let _unheard = self.reply.send(Err(own.unwrap_or(error)));
    }
}

struct WriterThread {
    conn: SqliteConnection,
    surroundings: Surroundings,
    wake_ups: watch::Sender<u64>,
    /// What `data_version` was: it changes when another connection commits, and not with this one's commits.
    others: Option<i64>,
}

#[derive(QueryableByName)]
struct DataVersion {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

impl WriterThread {
    fn serve(mut self, requests: &mpsc::Receiver<Request>) {
        self.look_for_others();
        while let Ok(first) = requests.recv() {
            let mut group = Vec::new();
            let mut looks = false;
            for request in std::iter::once(first).chain(requests.try_iter().take(GROUP - 1)) {
                match request {
                    Request::Run(transaction) => group.push(transaction),
                    Request::LookForOthers => looks = true,
                }
            }
            if !group.is_empty() {
                self.commit_group(group);
            }
            if looks {
                self.look_for_others();
            }
        }
    }

    fn commit_group(&mut self, mut group: Vec<Box<dyn Waiting>>) {
        match self.run_group(&mut group) {
            Ok(wakes) => {
                group.into_iter().for_each(Waiting::answer);
                if wakes {
                    self.ring();
                }
            }
            Err(error) => {
                // The transaction may be gone already; then there is nothing to roll back.
                let _nothing_open = self.conn.batch_execute("ROLLBACK");
                tracing::warn!(%error, "a commit failed; nothing of it was written");
                refuse_all(group, error);
            }
        }
    }

    /// Runs and commits; says whether anything may have brought work.
    fn run_group(&mut self, group: &mut [Box<dyn Waiting>]) -> Result<bool> {
        let mut wakes = false;
        self.execute("BEGIN IMMEDIATE")?;
        for transaction in group {
            self.execute("SAVEPOINT one")?;
            let (conn, surroundings) = (&mut self.conn, &self.surroundings);
            let ran = catch_unwind(AssertUnwindSafe(|| transaction.run(surroundings, conn)));
            let Ran { result, wakes: own } =
                ran.unwrap_or(Ran { result: Err(StoreError::Stopped), wakes: false });
            if result.is_ok() {
                wakes |= own;
            } else {
                self.execute("ROLLBACK TO one")?;
            }
            self.execute("RELEASE one")?;
        }
        self.execute("COMMIT")?;
        Ok(wakes)
    }

    fn execute(&mut self, statement: &str) -> Result<()> {
        self.conn
            .batch_execute(statement)
            .map_err(|error| failure::classify(StoreError::from(error)))
    }

    fn look_for_others(&mut self) {
        let looked = diesel::sql_query("SELECT data_version FROM pragma_data_version")
            .get_result(&mut self.conn);
        match looked {
            Ok(DataVersion { data_version }) => {
                if self.others.replace(data_version).is_some_and(|before| before != data_version) {
                    self.ring();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not see whether another process has committed")
            }
        }
    }

    fn ring(&self) {
        self.wake_ups.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Answers a whole group that one error ended: the first hears the cause, the others the same in words.
fn refuse_all(group: Vec<Box<dyn Waiting>>, error: StoreError) {
    let repeat = |error: &StoreError| match error {
        StoreError::DiskFull => StoreError::DiskFull,
        StoreError::ReadOnly { what } => StoreError::ReadOnly { what: what.clone() },
        StoreError::Corrupt { what } => StoreError::Corrupt { what: what.clone() },
        other => StoreError::Unavailable {
            what: format!("a commit shared with others failed: {other}"),
            source: None,
        },
    };
    let mut group = group.into_iter();
    let first = group.next();
    for transaction in group {
        transaction.refuse(repeat(&error));
    }
    if let Some(first) = first {
        first.refuse(error);
    }
}
