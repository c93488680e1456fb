//! Read-only connections. With WAL they can read while the writer writes.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::SimpleConnection;
use tokio::sync::Semaphore;

use super::ops::Staged;
use super::query::Conn;
use super::{OperationContext, connect, failure};
use crate::error::{Result, StoreError};

/// How many can read at once.
const READERS: usize = 4;

/// The pool of connections, which are opened when they are first needed.
#[derive(Debug)]
pub(super) struct Readers {
    shared: Arc<Shared>,
    free: Arc<Semaphore>,
}

struct Shared {
    context: OperationContext,
    idle: Mutex<Vec<Conn>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn new(context: OperationContext) -> Self {
        let shared = Shared { context, idle: Mutex::default() };
        Self { shared: Arc::new(shared), free: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs an operation on one snapshot.
    pub(super) async fn run<O: Staged>(&self, operation: O) -> Result<O::Output> {
        let closed = |_closed| StoreError::Stopped;
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(closed)?;
        let shared = Arc::clone(&self.shared);
        connect::blocking(move || {
            // Moved in here: the read continues even if its caller is cancelled.
            let _permit = permit;
            shared.run(operation)
        })
        .await
    }
}

impl Shared {
    fn run<O: Staged>(&self, operation: O) -> Result<O::Output> {
        self.context.check_in_place()?;
        let database = &self.context.database;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = idle.map_or_else(|| connect::for_reading(database).map(Conn::new), Ok)?;
        let result = self.run_on(&mut conn, operation);
        // A connection whose rollback failed is not used again.
        if conn.get_mut().batch_execute("ROLLBACK").is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
        result.map_err(|error| failure::classify(error, database))
    }

    fn run_on<O: Staged>(&self, conn: &mut Conn, operation: O) -> Result<O::Output> {
        conn.get_mut().batch_execute("BEGIN").map_err(StoreError::from_diesel)?;
        self.context.run(conn, operation).result
    }
}
