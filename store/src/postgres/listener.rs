//! Hears what other processes announce, on a connection of its own.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::{Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures::StreamExt;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use windlass_core::Backoff;

use super::address::Address;
use super::{failure, pool};
use crate::error::{Result, StoreError};

/// How long after the first, second, … failure to reconnect it is tried again.
const RECONNECT: Backoff =
    Backoff { base_ms: 100, cap_ms: 10_000, tries: u32::MAX, jitter_percent: 0 };

/// Turns announcements into wake-ups, until it is dropped.
#[derive(Debug)]
pub(super) struct Listener {
    wake: Arc<watch::Sender<u64>>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Listens: whatever is announced after this returned is heard.
    pub(super) async fn start(address: &Address) -> Result<Self> {
        let hearing = Hearing::start(address).await?;
        let wake = Arc::new(watch::Sender::new(0));
        let task = tokio::spawn(keep_hearing(address.clone(), hearing, Arc::clone(&wake)));
        Ok(Self { wake, _task: AbortOnDropHandle::new(task) })
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
    async fn start(address: &Address) -> Result<Self> {
        let mut conn = pool::connect(address).await?;
        let failed = |error| failure::classify(StoreError::Database(error), address.shown());
        diesel::sql_query("LISTEN windlass").execute(&mut conn).await.map_err(failed)?;
        let query = diesel::sql_query("SELECT current_schema()::text AS name");
        let schema: Schema = query.get_result(&mut conn).await.map_err(failed)?;
        let schema = schema.name.ok_or_else(|| StoreError::BadUrl {
            url: address.shown().to_owned(),
            reason: "its `search_path` names no schema that exists".to_owned(),
        })?;
        share(&mut conn, &schema, address).await?;
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

#[derive(diesel::QueryableByName)]
struct Shared {
    #[diesel(sql_type = Bool)]
    shared: bool,
}

/// Takes a share of the lock that whoever moves the instance wants alone; the server ends it with the connection.
async fn share(conn: &mut AsyncPgConnection, schema: &str, address: &Address) -> Result<()> {
    let query = "SELECT pg_try_advisory_lock_shared(hashtext('windlass'), hashtext($1)) AS shared";
    let query = diesel::sql_query(query).bind::<Text, _>(schema);
    let shared: Shared = query
        .get_result(conn)
        .await
        .map_err(|error| failure::classify(StoreError::Database(error), address.shown()))?;
    if shared.shared {
        return Ok(());
    }
    Err(StoreError::NotNow {
        what: format!("`{}` is being moved", address.shown()),
        hint: "wait until the move has ended".to_owned(),
    })
}

async fn keep_hearing(address: Address, mut hearing: Hearing, wake: Arc<watch::Sender<u64>>) {
    loop {
        hearing.pass_on(&wake).await;
        tracing::warn!(database = address.shown(), "the listening connection was lost");
        hearing = hear_again(&address).await;
        // Something may have been announced while nobody listened.
        wake.send_modify(|count| *count = count.wrapping_add(1));
    }
}

async fn hear_again(address: &Address) -> Hearing {
    let mut failures = 0_u32;
    loop {
        match Hearing::start(address).await {
            Ok(hearing) => return hearing,
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(%error, failures, "cannot listen to the database");
                let delay = RECONNECT.delay(failures);
                tokio::time::sleep(delay.unwrap_or(Duration::from_millis(RECONNECT.cap_ms))).await;
            }
        }
    }
}
