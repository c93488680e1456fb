//! Whether each connection has a session of its own.
//!
//! A pooler in transaction mode gives each transaction whatever session is free. Then nobody hears what is announced, a
//! setting holds for somebody else, a prepared statement is gone and a lock stays. Nothing of that is an error of its own, so
//! it is tried out: what is announced on one connection has to be heard on another.

use std::pin::pin;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::StreamExt;

use super::address::Address;
use super::failure;
use crate::error::{Result, StoreError};

/// How long an announcement may take; usually it is there at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// What makes an announcement that nobody else makes, and makes it.
const HAIL: &str = "
    WITH hail AS MATERIALIZED (
        SELECT 'hail ' || pg_backend_pid() || ' ' || extract(epoch FROM clock_timestamp()) AS text
    )
    SELECT text, pg_notify('windlass', text)::text AS sent FROM hail";

#[derive(diesel::QueryableByName)]
struct Hail {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Begins to hear what is announced. Afterwards nothing is under way on the connection: while something is, a pooler lets it
/// hear what the session of the moment hears.
pub(super) async fn listen(conn: &mut AsyncPgConnection, address: &Address) -> Result<()> {
    let failed = |error| failure::classify(StoreError::Database(error), address.shown());
    conn.batch_execute("LISTEN windlass").await.map_err(failed)
}

/// Refuses a server that does not let the listening connection hear what the other one announces.
pub(super) async fn check(
    listening: &mut AsyncPgConnection,
    other: &mut AsyncPgConnection,
    address: &Address,
) -> Result<()> {
    let failed = |error| failure::classify(StoreError::Database(error), address.shown());
    let hail: Hail = diesel::sql_query(HAIL).get_result(other).await.map_err(failed)?;
    let mut announcements = pin!(listening.notifications_stream());
    let heard = async {
        while let Some(announcement) = announcements.next().await {
            if announcement.map_err(failed)?.payload == hail.text {
                return Ok(true);
            }
        }
        Err(failure::lost(address.shown()))
    };
    match tokio::time::timeout(PATIENCE, heard).await {
        Ok(Ok(_heard)) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Err(StoreError::BadUrl {
            url: address.shown().to_owned(),
            reason: failure::POOLER.to_owned(),
        }),
    }
}
