//! The one writer thread of a process: it commits all waiting transactions together.
//!
//! A transaction is answered after the commit. If one transaction of a group fails, or the commit does, the group is rolled back
//! and each transaction runs again alone, so that only the one at fault fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::thread;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use tokio::sync::{oneshot, watch};

use super::file_watcher::touch;
use super::ops::Staged;
use super::query::Conn;
use super::{OperationContext, OperationOutcome, failure};
use crate::cached::CacheStatement;
use crate::error::{Result, StoreError};

/// The most transactions in one commit: enough to share a flush, few enough that the first one does not wait long.
const GROUP: usize = 128;

/// A request to the writer thread.
enum Request {
    /// Run this transaction and commit it.
    Run(Box<dyn PendingTransaction>),
    /// Check whether another process has committed.
    CheckForOtherCommits,
}

/// Sends requests to the writer thread, which ends when all handles are dropped.
#[derive(Debug, Clone)]
pub(super) struct WriterHandle(mpsc::Sender<Request>);

impl WriterHandle {
    /// Lets the writer check whether another process has committed, and wake the subscribers if so.
    pub(super) fn check_for_other_commits(&self) {
        // Without a writer there are no subscribers.
        let _no_receiver = self.0.send(Request::CheckForOtherCommits);
    }
}

/// The handle of the store to its writer thread.
#[derive(Debug)]
pub(super) struct Writer(WriterHandle);

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        conn: Conn,
        context: OperationContext,
        wake_ups: watch::Sender<u64>,
    ) -> Result<Self> {
        let (sender, requests) = mpsc::channel();
        let writer = WriterThread { conn, context, wake_ups, seen_data_version: None };
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
    /// An operation that was sent to the thread runs even if this future is dropped.
    pub(super) async fn run<O: Staged + Clone>(&self, operation: O) -> Result<O::Output> {
        let (reply, answer) = oneshot::channel();
        let transaction = Transaction { operation: Some(operation), result: None, reply };
        let sent = self.0.0.send(Request::Run(Box::new(transaction)));
        sent.map_err(|_gone| StoreError::Stopped)?;
        let answer = answer.await.map_err(|_gone| StoreError::Stopped)?;
        answer.unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// A transaction of any operation.
trait PendingTransaction: Send {
    /// Runs it; returns whether it may have created work.
    fn run(
        &mut self,
        attempt: Attempt,
        conn: &Conn,
        context: &OperationContext,
    ) -> Result<bool, OperationFailed>;

    /// Sends the answer, after the commit succeeded or failed.
    fn answer(self: Box<Self>, committed: Result<()>);
}

/// The operation returned an error, or panicked; the transaction keeps the reason.
struct OperationFailed;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// In a group, so it may have to run again alone.
    InGroup,
    Alone,
}

struct Transaction<O: Staged> {
    operation: Option<O>,
    result: Option<thread::Result<Result<O::Output>>>,
    reply: oneshot::Sender<thread::Result<Result<O::Output>>>,
}

impl<O: Staged + Clone> PendingTransaction for Transaction<O> {
    fn run(
        &mut self,
        attempt: Attempt,
        conn: &Conn,
        context: &OperationContext,
    ) -> Result<bool, OperationFailed> {
        let operation = match attempt {
            Attempt::InGroup => self.operation.clone(),
            Attempt::Alone => self.operation.take(),
        };
        let Some(operation) = operation else { return Ok(false) };
        let outcome = catch_unwind(AssertUnwindSafe(|| context.run(conn, operation)));
        let (result, wakes) = match outcome {
            Ok(OperationOutcome { result, wakes }) => {
                (Ok(result.map_err(|error| failure::classify(error, &context.database))), wakes)
            }
            Err(panic) => (Err(panic), false),
        };
        let succeeded = matches!(result, Ok(Ok(_)));
        self.result = Some(result);
        if succeeded { Ok(wakes) } else { Err(OperationFailed) }
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // The operation's own error says more than that of its group.
        let answer = match (self.result, committed) {
            (Some(Ok(Ok(_))) | None, Err(error)) => Ok(Err(error)),
            (None, Ok(())) => Ok(Err(StoreError::Stopped)),
            (Some(result), _) => result,
        };
        // The caller may have been cancelled.
        let _no_receiver = self.reply.send(answer);
    }
}

/// Why a group was not committed.
enum RollbackReason {
    /// `BEGIN` failed: no operation is at fault.
    NotStarted(StoreError),
    /// One of its operations failed.
    Operation,
    /// `COMMIT` failed.
    Commit(StoreError),
}

impl From<OperationFailed> for RollbackReason {
    fn from(OperationFailed: OperationFailed) -> Self {
        Self::Operation
    }
}

struct WriterThread {
    conn: Conn,
    context: OperationContext,
    wake_ups: watch::Sender<u64>,
    /// The last `data_version`: it changes when another connection commits, not with this connection's own commits.
    seen_data_version: Option<i64>,
}

#[derive(QueryableByName)]
struct DataVersion {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

impl WriterThread {
    fn serve(mut self, requests: &mpsc::Receiver<Request>) {
        self.check_for_other_commits();
        while let Ok(first) = requests.recv() {
            let mut group = Vec::new();
            let mut checks_others = false;
            for request in std::iter::once(first).chain(requests.try_iter().take(GROUP - 1)) {
                match request {
                    Request::Run(transaction) => group.push(transaction),
                    Request::CheckForOtherCommits => checks_others = true,
                }
            }
            self.commit(group);
            if checks_others {
                self.check_for_other_commits();
            }
        }
    }

    /// Commits a group, or, if that fails, each transaction alone.
    fn commit(&mut self, mut group: Vec<Box<dyn PendingTransaction>>) {
        let attempt = if group.len() > 1 { Attempt::InGroup } else { Attempt::Alone };
        match self.try_commit(&mut group, attempt) {
            Ok(()) => group.into_iter().for_each(|transaction| transaction.answer(Ok(()))),
            Err(RollbackReason::Operation | RollbackReason::Commit(_))
                if attempt == Attempt::InGroup =>
            {
                group.into_iter().for_each(|transaction| self.commit(vec![transaction]));
            }
            Err(RollbackReason::Operation) => {
                // The transaction has its own error.
                group.into_iter().for_each(|transaction| transaction.answer(Ok(())));
            }
            Err(RollbackReason::Commit(error) | RollbackReason::NotStarted(error)) => {
                tracing::warn!(%error, "a commit failed; nothing of it was written");
                for transaction in group {
                    transaction.answer(Err(failure::clone_error(&error)));
                }
            }
        }
    }

    fn try_commit(
        &mut self,
        group: &mut [Box<dyn PendingTransaction>],
        attempt: Attempt,
    ) -> Result<(), RollbackReason> {
        if group.is_empty() {
            return Ok(());
        }
        self.context.check_in_place().map_err(RollbackReason::NotStarted)?;
        self.execute("BEGIN IMMEDIATE").map_err(RollbackReason::NotStarted)?;
        match self.run_and_commit(group, attempt) {
            Ok(wakes) => {
                if wakes {
                    self.wake();
                    self.context.database.path().into_iter().for_each(touch);
                }
                Ok(())
            }
            Err(reason) => {
                // SQLite may have rolled back already.
                let _not_open = self.conn.get_mut().batch_execute("ROLLBACK");
                Err(reason)
            }
        }
    }

    /// Returns whether any of them may have created work.
    fn run_and_commit(
        &mut self,
        group: &mut [Box<dyn PendingTransaction>],
        attempt: Attempt,
    ) -> Result<bool, RollbackReason> {
        let mut wakes = false;
        for transaction in group {
            wakes |= transaction.run(attempt, &self.conn, &self.context)?;
        }
        self.execute("COMMIT").map_err(RollbackReason::Commit)?;
        Ok(wakes)
    }

    fn execute(&mut self, statement: &str) -> Result<()> {
        let failed =
            |error| failure::classify(StoreError::from_diesel(error), &self.context.database);
        self.conn.get_mut().batch_execute(statement).map_err(failed)
    }

    fn check_for_other_commits(&mut self) {
        if self.context.check_in_place().is_err() {
            // Whoever is woken asks the store, and is told.
            return self.wake();
        }
        let query = diesel::sql_query("PRAGMA data_version").cached();
        match query.get_result(self.conn.get_mut()) {
            Ok(DataVersion { data_version }) => {
                if self
                    .seen_data_version
                    .replace(data_version)
                    .is_some_and(|before| before != data_version)
                {
                    self.wake();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "could not see whether another process has committed");
            }
        }
    }

    fn wake(&self) {
        self.wake_ups.send_modify(|count| *count = count.wrapping_add(1));
    }
}
