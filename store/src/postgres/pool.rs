//! The pool of connections.

use std::time::Duration;

use deadpool::managed::QueueMode;
use diesel::ConnectionError;
use diesel::result::Error;
use diesel_async::pooled_connection::deadpool::{Object, Pool, PoolError};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError as Cause, RecyclingMethod,
};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures::FutureExt;

use super::address::Address;
use super::connect::connect;
use crate::error::{Result, StoreError};

/// How long an operation waits for a connection.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the server works on one statement of an operation: it gives up before the client does.
const STATEMENT_TIME: &str = "SET statement_timeout = '25s'";

/// The pool of connections.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<AsyncPgConnection>,
    address: Address,
}

impl Connections {
    /// A pool of at most `size` connections, which are opened when they are first needed.
    pub(super) fn new(address: Address, size: usize) -> Result<Self> {
        let to = address.clone();
        let mut config = ManagerConfig::default();
        // A lost connection is noticed without a test query, which would cost a round trip per operation.
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_url| {
            let to = to.clone();
            async move {
                let mut conn = connect(&to).await.map_err(wrap)?;
                let set = conn.batch_execute(STATEMENT_TIME).await;
                set.map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(conn)
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::new_with_config("", config);
        // The connection that was used last is warm: its server process has tables and plans cached.
        let pool = Pool::builder(manager).max_size(size.max(1)).queue_mode(QueueMode::Lifo);
        let pool = pool.build().map_err(|error| StoreError::Unavailable {
            what: "the pool of connections".to_owned(),
            source: Some(Box::new(error)),
        })?;
        Ok(Self { pool, address })
    }

    /// Closes the connections that nobody uses at the moment.
    pub(super) fn discard_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Waits for a free connection.
    pub(super) async fn get(&self) -> Result<Object<AsyncPgConnection>> {
        match tokio::time::timeout(TIMEOUT, self.pool.get()).await {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(PoolError::Backend(Cause::ConnectionError(error)))) => {
                Err(self.unwrap_error(error))
            }
            Ok(Err(error)) => Err(self.unavailable("the pool of connections is closed", error)),
            Err(error) => {
                Err(self.unavailable("every connection has been in use for half a minute", error))
            }
        }
    }

    /// Where the connections lead.
    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    fn unwrap_error(&self, error: ConnectionError) -> StoreError {
        if let ConnectionError::CouldntSetupConfiguration(Error::QueryBuilderError(wrapped)) = error
        {
            return match wrapped.downcast::<StoreError>() {
                Ok(error) => *error,
                Err(other) => StoreError::from_diesel(Error::QueryBuilderError(other)),
            };
        }
        self.unavailable("no connection", error)
    }

    fn unavailable(
        &self,
        what: &str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> StoreError {
        let what = format!("`{}`: {what}", self.address.shown());
        StoreError::Unavailable { what, source: Some(Box::new(source)) }
    }
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("address", &self.address.shown())
            .finish_non_exhaustive()
    }
}

/// Wraps an error in one of Diesel's: the pool knows no others.
fn wrap(error: StoreError) -> ConnectionError {
    ConnectionError::CouldntSetupConfiguration(Error::QueryBuilderError(Box::new(error)))
}
