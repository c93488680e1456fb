//! A transaction: with its first question it is begun, and what it announces leaves with its commit.
//!
//! Statements that are sent one after the other are answered in that order, so not each has to wait for the answer of the one
//! before. Diesel's own transactions do wait.

use std::sync::atomic::AtomicBool;

use diesel::sql_types::BigInt;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures::future::{join, try_join};
use scopeguard::ScopeGuard;
use windlass_core::{Clock, Policy, Timestamp};

use super::ops::{Staged, Tx};
use super::query::RunQueryDsl;
use crate::error::Result;
use crate::reused::Reuse;

/// What a transaction is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// It writes: each of its statements sees what was committed before it.
    Writing,
    /// It only looks, at one snapshot.
    Reading,
}

impl Kind {
    const fn begin(self) -> &'static str {
        match self {
            Self::Writing => "BEGIN",
            Self::Reading => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

type Pooled = Object<AsyncPgConnection>;

/// An open transaction. Dropped before its end it takes its connection along: the server undoes it at once, and nobody finds it
/// open.
pub(super) struct Transaction {
    conn: ScopeGuard<Pooled, fn(Pooled)>,
    now: Timestamp,
}

impl Transaction {
    /// Begins one, and makes the first look of its operation meanwhile. Its instant comes from `clock`, or else from the server,
    /// so that all machines agree.
    pub(super) async fn begin<O: Staged>(
        conn: Pooled,
        kind: Kind,
        clock: Option<&dyn Clock>,
        operation: &O,
    ) -> Result<(Self, Result<O::Preloaded>)> {
        let close: fn(Pooled) = |conn| drop(Pooled::take(conn));
        let conn = scopeguard::guard(conn, close);
        let shared: &AsyncPgConnection = &conn;
        let mut begins = shared;
        let begun = async { Ok(begins.batch_execute(kind.begin()).await?) };
        let begun = async {
            match clock {
                Some(clock) => begun.await.map(|()| clock.now()),
                None => try_join(begun, server_time(shared)).await.map(|((), now)| now),
            }
        };
        // In this order: what is polled first is sent first.
        let (now, seen) = join(begun, operation.preload(shared)).await;
        Ok((Self { now: now?, conn }, seen))
    }

    /// What its operation works on.
    pub(super) fn tx<'tx>(&'tx self, policy: &'tx Policy) -> Tx<'tx> {
        Tx { conn: &self.conn, now: self.now, policy, wakes: AtomicBool::new(false) }
    }

    /// Makes it durable; `wakes` tells those who wait for work.
    pub(super) async fn commit(self, wakes: bool) -> Result<()> {
        let announced = "SELECT pg_notify('windlass', current_schema()); COMMIT";
        self.end(if wakes { announced } else { "COMMIT" }).await
    }

    /// Undoes it. Where that fails the connection is lost, and with it the transaction.
    pub(super) async fn roll_back(self) {
        let _lost = self.end("ROLLBACK").await;
    }

    async fn end(mut self, statement: &str) -> Result<()> {
        self.conn.batch_execute(statement).await?;
        drop(ScopeGuard::into_inner(self.conn));
        Ok(())
    }
}

/// The server's clock, the same for every machine that works on this database.
async fn server_time(conn: &AsyncPgConnection) -> Result<Timestamp> {
    #[derive(diesel::QueryableByName)]
    struct Now {
        #[diesel(sql_type = BigInt)]
        micros: i64,
    }

    let query = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros";
    let now: Now = diesel::sql_query(query).reused().get_result(conn).await?;
    Ok(Timestamp::from_micros(now.micros))
}
