//! Hears what other processes announce, on a connection of its own.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use windlass_core::Backoff;

use super::address::Address;
use super::connect::connect;
use super::{failure, migrations, sessions};
use crate::error::{Result, StoreError};

/// How long after the first, second, … failure to reconnect it is tried again.
const RECONNECT: Backoff =
    Backoff { base_ms: 100, cap_ms: 10_000, tries: u32::MAX, jitter_percent: 0 };

/// Turns announcements into wake-ups, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    wake: Arc<watch::Sender<u64>>,
    /// Set while the database has another schema than this program knows.
    is_outdated: Arc<AtomicBool>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Listens: whatever is announced after this returned is heard, of which a hail on `other` is the proof.
    pub(super) async fn start(address: &Address, other: &mut AsyncPgConnection) -> Result<Self> {
        let mut conn = listen(address).await?;
        sessions::check(&mut conn, other, address).await?;
        let hearing = Hearing::start(conn, address).await?;
        let wake = Arc::new(watch::Sender::new(0));
        let is_outdated = Arc::default();
        let hearer = Hearer {
            address: address.clone(),
            wake: Arc::clone(&wake),
            is_outdated: Arc::clone(&is_outdated),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(hearer.keep_hearing(hearing)));
        Ok(Self { wake, is_outdated, _task: task })
    }

    /// Whether the schema was changed while the connection was lost, so that it has to be checked again.
    pub(super) fn is_outdated(&self) -> bool {
        AtomicBool::load(&self.is_outdated, Ordering::Relaxed)
    }

    /// Hears of announcements from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }
}

/// A connection that listens.
struct Hearing {
    conn: AsyncPgConnection,
    /// The schema that this store lives in; others share the database and its announcements.
    schema: String,
}

#[derive(diesel::QueryableByName)]
struct Schema {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

impl Hearing {
    /// Goes on with a listening connection, which keeps the schema as it is.
    async fn start(mut conn: AsyncPgConnection, address: &Address) -> Result<Self> {
        let failed = |error| failure::classify(StoreError::Database(error), address.shown());
        let locked = migrations::lock_claimed_run(&mut conn).await;
        locked.map_err(|error| failure::classify(error, address.shown()))?;
        let query = diesel::sql_query("SELECT current_schema()::text AS name");
        let schema: Schema = query.get_result(&mut conn).await.map_err(failed)?;
        let schema = schema.name.ok_or_else(|| StoreError::BadUrl {
            url: address.shown().to_owned(),
            reason: "its `search_path` names no schema that exists".to_owned(),
        })?;
        Ok(Self { conn, schema })
    }

    /// Passes on what is announced until the connection is lost.
    async fn pass_on(&mut self, wake: &watch::Sender<u64>) {
        let mut announcements = pin!(self.conn.notifications_stream());
        while let Some(Ok(announcement)) = announcements.next().await {
            if announcement.payload == self.schema {
                wake.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }
}

async fn listen(address: &Address) -> Result<AsyncPgConnection> {
    let mut conn = connect(address).await?;
    sessions::listen(&mut conn, address).await?;
    Ok(conn)
}

/// Listens, and listens again.
struct Hearer {
    address: Address,
    wake: Arc<watch::Sender<u64>>,
    is_outdated: Arc<AtomicBool>,
}

impl Hearer {
    async fn keep_hearing(self, mut hearing: Hearing) {
        loop {
            hearing.pass_on(&self.wake).await;
            tracing::warn!(database = self.address.shown(), "the listening connection was lost");
            hearing = self.hear_again().await;
            // Something may have been announced while nobody listened.
            self.wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    async fn hear_again(&self) -> Hearing {
        let mut failures = 0_u32;
        loop {
            let error = match self.hear().await {
                Ok(hearing) => {
                    self.is_outdated.store(false, Ordering::Relaxed);
                    return hearing;
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

    async fn hear(&self) -> Result<Hearing> {
        Hearing::start(listen(&self.address).await?, &self.address).await
    }
}
