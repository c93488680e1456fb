//! Connections that only look. WAL lets them look while the writer writes.

use std::sync::{Arc, Mutex, PoisonError};

use diesel::connection::SimpleConnection;
use tokio::sync::Semaphore;

use super::ops::Operation;
use super::ready::Conn;
use super::{Surroundings, connect, failure};
use crate::error::{Result, StoreError};

/// How many may look at once.
const READERS: usize = 4;

/// The connections, made when they are first wanted.
#[derive(Debug)]
pub(super) struct Readers {
    shared: Arc<Shared>,
    free: Arc<Semaphore>,
}

struct Shared {
    surroundings: Surroundings,
    idle: Mutex<Vec<Conn>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("surroundings", &self.surroundings).finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn new(surroundings: Surroundings) -> Self {
        let shared = Shared { surroundings, idle: Mutex::default() };
        Self { shared: Arc::new(shared), free: Arc::new(Semaphore::new(READERS)) }
    }

    /// Runs an operation on one snapshot.
    pub(super) async fn run<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let closed = |_closed| StoreError::Stopped;
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(closed)?;
        let shared = Arc::clone(&self.shared);
        connect::blocking(move || {
            // Held here: the look goes on when nobody waits for it any more.
            let _permit = permit;
            shared.run(operation)
        })
        .await
    }
}

impl Shared {
    fn run<O: Operation>(&self, operation: O) -> Result<O::Output> {
        let place = &self.surroundings.place;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = idle.map_or_else(|| connect::for_reading(place).map(Conn::new), Ok)?;
        let result = self.run_on(&mut conn, operation);
        // A connection that did not come back from its transaction is not used again.
        if conn.get_mut().batch_execute("ROLLBACK").is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        }
        result.map_err(|error| failure::classify(error, place))
    }

    fn run_on<O: Operation>(&self, conn: &mut Conn, operation: O) -> Result<O::Output> {
        conn.get_mut().batch_execute("BEGIN")?;
        self.surroundings.run(conn, operation).result
    }
}
