//! Checks that each connection has its own session.
//!
//! A pooler in transaction mode gives each transaction any free session. Then notifications are not received, settings apply to
//! other clients, prepared statements are missing and locks are kept. None of that is an error by itself, so it is tested: a
//! notification that is sent on one connection has to arrive on another.

use std::pin::pin;
use std::time::Duration;

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::StreamExt;

use super::address::Address;
use super::failure;
use crate::error::{Result, StoreError};

/// How long the notification may take; usually it arrives at once.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends a unique notification and returns its text.
const NOTIFY: &str = "
    WITH probe AS MATERIALIZED (
        SELECT 'probe ' || pg_backend_pid() || ' ' || extract(epoch FROM clock_timestamp()) AS text
    )
    SELECT text, pg_notify('windlass', text)::text AS sent FROM probe";

#[derive(diesel::QueryableByName)]
struct Probe {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Starts to listen. Nothing else may run on the connection afterwards: during a transaction, a pooler forwards the notifications of
/// the current session.
pub(super) async fn listen(conn: &mut AsyncPgConnection, address: &Address) -> Result<()> {
    let failed = |error| failure::classify(StoreError::from_diesel(error), address.shown());
    conn.batch_execute("LISTEN windlass").await.map_err(failed)
}

/// Refuses a server if the listening connection does not receive a notification of the other one.
pub(super) async fn check(
    listening: &mut AsyncPgConnection,
    other: &mut AsyncPgConnection,
    address: &Address,
) -> Result<()> {
    let failed = |error| failure::classify(StoreError::from_diesel(error), address.shown());
    let probe: Probe = diesel::sql_query(NOTIFY).get_result(other).await.map_err(failed)?;
    let mut notifications = pin!(listening.notifications_stream());
    let received = async {
        while let Some(notification) = notifications.next().await {
            if notification.map_err(failed)?.payload == probe.text {
                return Ok(true);
            }
        }
        Err(failure::lost(address.shown()))
    };
    match tokio::time::timeout(TIMEOUT, received).await {
        Ok(Ok(_received)) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Err(StoreError::BadUrl {
            url: address.shown().to_owned(),
            reason: failure::POOLER.to_owned(),
        }),
    }
}
