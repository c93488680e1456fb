//! Listens for the notifications of other processes, on its own connection.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use windlass_core::Backoff;

use super::address::Address;
use super::connect::connect;
use super::{ANSWER_TIME, encoding_check, failure, migrations, pooler_check};
use crate::error::{Result, StoreError};

/// The delays between attempts to reconnect.
const RECONNECT: Backoff =
    Backoff { base_ms: 100, cap_ms: 10_000, tries: u32::MAX, jitter_percent: 0 };

/// How often the listening connection is asked whether it is still there.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// Turns notifications into wake-ups, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    wake: Arc<watch::Sender<u64>>,
    /// Set while the database has a schema that this program does not know.
    is_outdated: Arc<AtomicBool>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Starts listening: every notification after this returns is received. A test notification, sent on `other`, proves it.
    pub(super) async fn start(address: &Address, other: &mut AsyncPgConnection) -> Result<Self> {
        encoding_check::check(other, address).await?;
        let mut conn = listen(address).await?;
        pooler_check::check(&mut conn, other, address).await?;
        let listening = ListeningConnection::start(conn, address).await?;
        let wake = Arc::new(watch::Sender::new(0));
        let is_outdated = Arc::default();
        let task = ListenerTask {
            address: address.clone(),
            wake: Arc::clone(&wake),
            is_outdated: Arc::clone(&is_outdated),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(task.run(listening)));
        Ok(Self { wake, is_outdated, _task: task })
    }

    /// Whether the schema was changed while the connection was lost, so that it has to be checked again.
    pub(super) fn is_outdated(&self) -> bool {
        AtomicBool::load(&self.is_outdated, Ordering::Relaxed)
    }

    /// Receives the wake-ups from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }
}

/// A connection that listens.
struct ListeningConnection {
    conn: AsyncPgConnection,
    /// The schema of this store; other stores may share the database and its notifications.
    schema: String,
}

#[derive(diesel::QueryableByName)]
struct Schema {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

impl ListeningConnection {
    /// Takes over a connection that listens, and locks the schema against migrations with it.
    async fn start(mut conn: AsyncPgConnection, address: &Address) -> Result<Self> {
        let failed = |error| failure::classify(StoreError::from_diesel(error), address.shown());
        let locked = migrations::lock_schema(&mut conn).await;
        locked.map_err(|error| failure::classify(error, address.shown()))?;
        let query = diesel::sql_query("SELECT current_schema()::text AS name");
        let schema: Schema = query.get_result(&mut conn).await.map_err(failed)?;
        let schema = schema.name.ok_or_else(|| StoreError::BadUrl {
            url: address.shown().to_owned(),
            reason: "its `search_path` names no schema that exists".to_owned(),
        })?;
        Ok(Self { conn, schema })
    }

    /// Turns notifications into wake-ups until the connection is lost. A connection on which nothing is heard is asked now and then:
    /// one that is open and dead would stay silent for ever.
    async fn forward_notifications(&mut self, wake: &watch::Sender<u64>) {
        loop {
            self.forward_for_a_while(wake).await;
            let answer = self.conn.batch_execute("SELECT 1");
            if !matches!(tokio::time::timeout(ANSWER_TIME, answer).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn forward_for_a_while(&mut self, wake: &watch::Sender<u64>) {
        let mut notifications = pin!(self.conn.notifications_stream());
        let until = tokio::time::Instant::now() + PROBE_INTERVAL;
        while let Ok(Some(Ok(notification))) =
            tokio::time::timeout_at(until, notifications.next()).await
        {
            if notification.payload == self.schema {
                wake.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }
}

async fn listen(address: &Address) -> Result<AsyncPgConnection> {
    let mut conn = connect(address).await?;
    pooler_check::listen(&mut conn, address).await?;
    Ok(conn)
}

/// The task that listens and reconnects.
struct ListenerTask {
    address: Address,
    wake: Arc<watch::Sender<u64>>,
    is_outdated: Arc<AtomicBool>,
}

impl ListenerTask {
    async fn run(self, mut listening: ListeningConnection) {
        loop {
            listening.forward_notifications(&self.wake).await;
            tracing::warn!(database = self.address.shown(), "the listening connection was lost");
            listening = self.reconnect().await;
            // A notification may have been missed meanwhile.
            self.wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    async fn reconnect(&self) -> ListeningConnection {
        let mut failures = 0_u32;
        loop {
            let error = match self.try_reconnect().await {
                Ok(listening) => {
                    self.is_outdated.store(false, Ordering::Relaxed);
                    return listening;
                }
                Err(error) => error,
            };
            let is_of_schema = matches!(
                error,
                StoreError::NewerSchema { .. }
                    | StoreError::MigrationPending { .. }
                    | StoreError::Moved { .. }
            );
            self.is_outdated.store(is_of_schema, Ordering::Relaxed);
            failures = failures.saturating_add(1);
            tracing::warn!(%error, failures, "cannot listen to the database");
            let delay = RECONNECT.delay(failures);
            tokio::time::sleep(delay.unwrap_or(Duration::from_millis(RECONNECT.cap_ms))).await;
        }
    }

    async fn try_reconnect(&self) -> Result<ListeningConnection> {
        let begun =
            async { ListeningConnection::start(listen(&self.address).await?, &self.address).await };
        let begun = tokio::time::timeout(ANSWER_TIME, begun).await;
        begun.unwrap_or_else(|_elapsed| Err(failure::silent(self.address.shown())))
    }
}
