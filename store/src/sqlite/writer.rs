//! The one writer of a process: a thread that makes all waiting transactions durable with one commit.
//!
//! Nobody is answered before the commit. A group of which one fails, or which fails as a whole, is undone and run again one by
//! one, so that only who is at fault fails; that is rare enough for the others to pay nothing while all goes well.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tokio::sync::{oneshot, watch};

use super::ops::Staged;
use super::ready::Conn;
use super::watch::touch;
use super::{Ran, Surroundings, failure};
use crate::error::{Result, StoreError};
use crate::reused::Reuse;

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
        conn: Conn,
        surroundings: Surroundings,
        wake_ups: watch::Sender<u64>,
    ) -> Result<Self> {
        let (sender, requests) = mpsc::channel();
        let writer = WriterThread { conn, surroundings, wake_ups, others: None };
        let work = move || writer.serve(&requests);
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
    pub(super) async fn run<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        let (reply, answer) = oneshot::channel();
        let transaction = Transaction { operation: Some(operation), result: None, reply };
        let handed_over = self.0.0.send(Request::Run(Box::new(transaction)));
        handed_over.map_err(|_gone| StoreError::Stopped)?;
        let answer = answer.await.map_err(|_gone| StoreError::Stopped)?;
        answer.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// A transaction on its way, whatever its operation.
trait Waiting: Send {
    /// Runs it, for the last time or with another to follow; says whether it may have brought work.
    fn run(&mut self, attempt: Attempt, conn: &Conn, of: &Surroundings) -> Result<bool, Refused>;

    /// Answers, once it is known what became of the commit.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// It may not stay, and knows why.
struct Refused;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// In a group, after which it may have to run again alone.
    InGroup,
    Alone,
}

struct Transaction<O: Staged> {
    operation: Option<O>,
    result: Option<thread::Result<Result<O::Output>>>,
    reply: oneshot::Sender<thread::Result<Result<O::Output>>>,
}

impl<O: Staged + Clone> Waiting for Transaction<O> {
    fn run(&mut self, attempt: Attempt, conn: &Conn, of: &Surroundings) -> Result<bool, Refused> {
        let operation = match attempt {
            Attempt::InGroup => self.operation.clone(),
            Attempt::Alone => self.operation.take(),
        };
        let Some(operation) = operation else { return Ok(false) };
        let ran = catch_unwind(AssertUnwindSafe(|| of.run(conn, operation)));
        let (result, wakes) = match ran {
            Ok(Ran { result, wakes }) => {
                (Ok(result.map_err(|error| failure::classify(error, &of.place))), wakes)
            }
            Err(panic) => (Err(panic), false),
        };
        let stays = matches!(result, Ok(Ok(_)));
        self.result = Some(result);
        if stays { Ok(wakes) } else { Err(Refused) }
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // What an operation said for itself says more than what became of its group.
        let answer = match (self.result, committed) {
            (Some(Ok(Ok(_))) | None, Err(error)) => Ok(Err(error)),
            (None, Ok(())) => Ok(Err(StoreError::Stopped)),
            (Some(result), _) => result,
        };
        // Who does not wait any more has given up the answer, not the operation.
        let _unheard = self.reply.send(answer);
    }
}

/// What kept a group from being committed.
enum Undone {
    /// It could not begin: nobody in it is at fault.
    NotBegun(StoreError),
    /// One in it may not stay.
    Refused,
    /// It was undone on its way.
    OnTheWay(StoreError),
}

impl From<Refused> for Undone {
    fn from(Refused: Refused) -> Self {
        Self::Refused
    }
}

struct WriterThread {
    conn: Conn,
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
            self.commit(group);
            if looks {
                self.look_for_others();
            }
        }
    }

    /// Commits a group, or, where that fails, each of it alone.
    fn commit(&mut self, mut group: Vec<Box<dyn Waiting>>) {
        let attempt = if group.len() > 1 { Attempt::InGroup } else { Attempt::Alone };
        match self.try_commit(&mut group, attempt) {
            Ok(()) => group.into_iter().for_each(|transaction| transaction.answer(Ok(()))),
            Err(Undone::Refused | Undone::OnTheWay(_)) if attempt == Attempt::InGroup => {
                group.into_iter().for_each(|transaction| self.commit(vec![transaction]));
            }
            Err(Undone::Refused) => {
                // It says for itself why.
                group.into_iter().for_each(|transaction| transaction.answer(Ok(())));
            }
            Err(Undone::OnTheWay(error) | Undone::NotBegun(error)) => {
                tracing::warn!(%error, "a commit failed; nothing of it was written");
                for transaction in group {
                    transaction.answer(Err(failure::repeat(&error)));
                }
            }
        }
    }

    fn try_commit(
        &mut self,
        group: &mut [Box<dyn Waiting>],
        attempt: Attempt,
    ) -> Result<(), Undone> {
        if group.is_empty() {
            return Ok(());
        }
        self.execute("BEGIN IMMEDIATE").map_err(Undone::NotBegun)?;
        match self.run_and_commit(group, attempt) {
            Ok(wakes) => {
                if wakes {
                    self.ring();
                    self.surroundings.place.path().into_iter().for_each(touch);
                }
                Ok(())
            }
            Err(undone) => {
                // SQLite may have rolled back already; then there is nothing left to do.
                let _nothing_open = self.conn.get_mut().batch_execute("ROLLBACK");
                Err(undone)
            }
        }
    }

    /// Says whether any may have brought work.
    fn run_and_commit(
        &mut self,
        group: &mut [Box<dyn Waiting>],
        attempt: Attempt,
    ) -> Result<bool, Undone> {
        let mut wakes = false;
        for transaction in group {
            wakes |= transaction.run(attempt, &self.conn, &self.surroundings)?;
        }
        self.execute("COMMIT").map_err(Undone::OnTheWay)?;
        Ok(wakes)
    }

    fn execute(&mut self, statement: &str) -> Result<()> {
        let failed = |error| failure::classify(StoreError::from(error), &self.surroundings.place);
        self.conn.get_mut().batch_execute(statement).map_err(failed)
    }

    fn look_for_others(&mut self) {
        let query = diesel::sql_query("PRAGMA data_version").reused();
        match query.get_result(self.conn.get_mut()) {
            Ok(DataVersion { data_version }) => {
                if self.others.replace(data_version).is_some_and(|before| before != data_version) {
                    self.ring();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not see whether another process has committed");
            }
        }
    }

    fn ring(&self) {
        self.wake_ups.send_modify(|count| *count = count.wrapping_add(1));
    }
}
