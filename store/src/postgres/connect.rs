//! Connects to the first of the named servers that accepts a connection, with the encryption that was asked for.

use std::future::Future;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{Address, Server};
use super::failure::{self, Refusal};
use crate::error::{Result, StoreError};

/// The settings of every connection. Hung statements, locks and clients time out, and a commit is on disk before it is answered,
/// whatever the server's defaults are. A statement is planned once per connection, not again for its first few sets of values: no
/// plan here depends on them.
const SETTINGS: &str = "
    SET statement_timeout = '60s';
    SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '60s';
    SET default_transaction_isolation = 'read committed';
    SET plan_cache_mode = force_generic_plan;
    SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off';
";

/// Connects and applies the settings.
pub(super) async fn connect(address: &Address) -> Result<AsyncPgConnection> {
    let mut conn = reach_any(address).await?;
    let lost = |error| failure::classify(StoreError::from_diesel(error), address.shown());
    conn.batch_execute(SETTINGS).await.map_err(lost)?;
    Ok(conn)
}

async fn reach_any(address: &Address) -> Result<AsyncPgConnection> {
    let mut unreached = Vec::new();
    for server in &address.servers {
        match reach(address, server).await {
            Ok(conn) => return Ok(conn),
            Err(Refusal::Final(error)) => return Err(error),
            Err(Refusal::TryNextServer(reason)) => {
                unreached.push(format!("`{}` ({reason})", server.place));
            }
        }
    }
    Err(StoreError::Unavailable {
        what: format!(
            "`{}`: no connection to {}; check that the server runs and can be reached from here",
            address.shown(),
            unreached.join(", nor to ")
        ),
        source: None,
    })
}

/// Tries each address of the server's name.
async fn reach(address: &Address, server: &Server) -> Result<AsyncPgConnection, Refusal> {
    let mut unreached = "its name has no address".to_owned();
    for config in resolve(address, server).await? {
        match reach_encrypted(address, server, &config).await {
            Err(Refusal::TryNextServer(reason)) => unreached = reason,
            reached_or_final => return reached_or_final,
        }
    }
    Err(Refusal::TryNextServer(unreached))
}

async fn resolve(address: &Address, server: &Server) -> Result<Vec<Config>, Refusal> {
    let config = &server.config;
    let ([Host::Tcp(name)], [], [port]) =
        (config.get_hosts(), config.get_hostaddrs(), config.get_ports())
    else {
        return Ok(vec![config.clone()]);
    };
    let found =
        within(address.connect_timeout, tokio::net::lookup_host((name.as_str(), *port))).await;
    let found = found.ok_or_else(|| Refusal::TryNextServer(SLOW.to_owned()))?;
    let found = found.map_err(|error| Refusal::TryNextServer(error.to_string()))?;
    Ok(found
        .map(|found| {
            let mut config = config.clone();
            config.hostaddr(found.ip());
            config
        })
        .collect())
}

/// Tries with and without encryption, as the mode allows. The error is that of the encrypted attempt, if there was one.
async fn reach_encrypted(
    address: &Address,
    server: &Server,
    config: &Config,
) -> Result<AsyncPgConnection, Refusal> {
    let mut reported: Option<tokio_postgres::Error> = None;
    for &way in server.mode.ways() {
        let made = within(address.connect_timeout, reach_once(address, config, way)).await;
        let error = match made.ok_or_else(|| Refusal::TryNextServer(SLOW.to_owned()))? {
            Ok(conn) => return Ok(conn),
            Err(ConnectError::SetUp(error)) => return Err(Refusal::Final(error)),
            Err(ConnectError::Refused(error)) => error,
        };
        let next_may_succeed = failure::may_depend_on_encryption(&error);
        let tells_more = way != SslMode::Disable && !failure::lacks_encryption(&error);
        if reported.is_none() || tells_more {
            reported = Some(error);
        }
        if !next_may_succeed {
            break;
        }
    }
    let reported = reported.map(|error| failure::of_connecting(error, address, server));
    Err(reported.unwrap_or_else(|| Refusal::TryNextServer(SLOW.to_owned())))
}

/// Why connecting failed.
enum ConnectError {
    Refused(tokio_postgres::Error),
    SetUp(StoreError),
}

async fn reach_once(
    address: &Address,
    config: &Config,
    way: SslMode,
) -> Result<AsyncPgConnection, ConnectError> {
    let mut config = config.clone();
    config.ssl_mode(way);
    let tls = MakeRustlsConnect::new(address.tls.clone());
    let (client, connection) = config.connect(tls).await.map_err(ConnectError::Refused)?;
    let set_up = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
    set_up.map_err(|error| {
        ConnectError::SetUp(if let ConnectionError::CouldntSetupConfiguration(error) = error {
            failure::classify(StoreError::from_diesel(error), address.shown())
        } else {
            let what = format!("`{}`: a new connection could not be set up", address.shown());
            StoreError::Unavailable { what, source: Some(Box::new(error)) }
        })
    })
}

const SLOW: &str = "it took too long";

/// The output of a future, unless it takes longer than the timeout.
async fn within<F: Future>(timeout: Option<Duration>, future: F) -> Option<F::Output> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, future).await.ok(),
        None => Some(future.await),
    }
}
