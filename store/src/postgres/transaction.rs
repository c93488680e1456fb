//! A transaction that needs few round trips: `BEGIN` is sent with its first statements, and its notification with `COMMIT`.
//!
//! The server answers statements in the order in which they are sent, so a statement can be sent before the previous one is
//! answered. Diesel's own transactions wait for each answer.

use std::sync::atomic::AtomicBool;

use diesel::sql_types::BigInt;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures::future::{join, try_join};
use scopeguard::ScopeGuard;
use windlass_core::{Clock, IdSource, Policy, Timestamp};

use super::ops::{Staged, Tx};
use super::query::RunQueryDsl;
use super::{Closing, closing};
use crate::cached::CacheStatement;
use crate::error::{Result, StoreError};
use crate::graph_cache::GraphCache;

/// What a transaction may do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// Write; each statement sees what was committed before it.
    Write,
    /// Read one snapshot.
    ReadOnly,
}

impl Access {
    const fn begin(self) -> &'static str {
        match self {
            Self::Write => "BEGIN",
            Self::ReadOnly => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

/// An open transaction. If it is dropped before its end, its connection is closed: the server rolls it back at once, and the
/// connection does not go back to the pool.
pub(super) struct Transaction {
    conn: Closing,
    now: Timestamp,
}

impl Transaction {
    /// Begins a transaction and runs the first reads of its operation. The time comes from `clock`, or else from the server, so that
    /// all machines agree.
    pub(super) async fn begin<O: Staged>(
        conn: Object<AsyncPgConnection>,
        access: Access,
        clock: Option<&dyn Clock>,
        operation: &O,
    ) -> Result<(Self, Result<O::Preloaded>)> {
        let conn = closing(conn);
        let shared: &AsyncPgConnection = &conn;
        let mut begins = shared;
        let begun =
            async { begins.batch_execute(access.begin()).await.map_err(StoreError::from_diesel) };
        let begun = async {
            match clock {
                Some(clock) => begun.await.map(|()| clock.now()),
                None => try_join(begun, server_time(shared)).await.map(|((), now)| now),
            }
        };
        // In this order: the future that is polled first is sent first.
        let (now, preloaded) = join(begun, operation.preload(shared)).await;
        Ok((Self { now: now?, conn }, preloaded))
    }

    /// The transaction as its operation sees it.
    pub(super) fn tx<'tx>(
        &'tx self,
        (policy, graphs): (&'tx Policy, &'tx GraphCache),
        ids: Option<&'tx IdSource>,
    ) -> Tx<'tx> {
        let wakes = AtomicBool::new(false);
        Tx { conn: &self.conn, now: self.now, ids, policy, graphs, wakes }
    }

    /// Commits it; `wakes` notifies the workers.
    pub(super) async fn commit(self, wakes: bool) -> Result<()> {
        let with_notification = "SELECT pg_notify('windlass', current_schema()); COMMIT";
        self.end(if wakes { with_notification } else { "COMMIT" }).await
    }

    /// Rolls it back. If that fails, the connection is lost, and the transaction with it.
    pub(super) async fn roll_back(self) {
        let _lost = self.end("ROLLBACK").await;
    }

    async fn end(mut self, statement: &str) -> Result<()> {
        self.conn.batch_execute(statement).await.map_err(StoreError::from_diesel)?;
        drop(ScopeGuard::into_inner(self.conn));
        Ok(())
    }
}

/// The server's time, the same for every machine that uses this database.
async fn server_time(conn: &AsyncPgConnection) -> Result<Timestamp> {
    #[derive(diesel::QueryableByName)]
    struct Now {
        #[diesel(sql_type = BigInt)]
        micros: i64,
    }

    let query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros";
    let now: Now = diesel::sql_query(query).cached().get_result(conn).await?;
    Ok(Timestamp::from_micros(now.micros))
}
