//! Makes a connection: the first of the named servers that takes one, encrypted as it was asked for.

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

/// What every connection is told. A hung statement, a hung lock and a hung client each end by themselves, and a commit is on
/// disk before it is answered, whatever the server's defaults are. A statement is planned once per connection and not again for
/// its first few sets of values: no plan here depends on them.
const SETTINGS: &str = "
    SET statement_timeout = '60s';
    SET lock_timeout = '20s';
    SET idle_in_transaction_session_timeout = '60s';
    SET default_transaction_isolation = 'read committed';
    SET plan_cache_mode = force_generic_plan;
    SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off';
";

/// Makes a connection and sets it up.
pub(super) async fn connect(address: &Address) -> Result<AsyncPgConnection> {
    let mut conn = reach_any(address).await?;
    let lost = |error| failure::classify(StoreError::Database(error), address.shown());
    conn.batch_execute(SETTINGS).await.map_err(lost)?;
    Ok(conn)
}

async fn reach_any(address: &Address) -> Result<AsyncPgConnection> {
    let mut unreached = Vec::new();
    for server in &address.servers {
        match reach(address, server).await {
            Ok(conn) => return Ok(conn),
            Err(Refusal::Final(error)) => return Err(error),
            Err(Refusal::Elsewhere(reason)) => {
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

/// Tries each address that the server's name has.
async fn reach(address: &Address, server: &Server) -> Result<AsyncPgConnection, Refusal> {
    let mut unreached = "its name stands for no address".to_owned();
    for config in resolve(address, server).await? {
        match reach_encrypted(address, server, &config).await {
            Err(Refusal::Elsewhere(reason)) => unreached = reason,
            reached_or_final => return reached_or_final,
        }
    }
    Err(Refusal::Elsewhere(unreached))
}

async fn resolve(address: &Address, server: &Server) -> Result<Vec<Config>, Refusal> {
    let config = &server.config;
    let ([Host::Tcp(name)], [], [port]) =
        (config.get_hosts(), config.get_hostaddrs(), config.get_ports())
    else {
        return Ok(vec![config.clone()]);
    };
    let found = within(address.patience, tokio::net::lookup_host((name.as_str(), *port))).await;
    let found = found.ok_or_else(|| Refusal::Elsewhere(SLOW.to_owned()))?;
    let found = found.map_err(|error| Refusal::Elsewhere(error.to_string()))?;
    Ok(found
        .map(|found| {
            let mut config = config.clone();
            config.hostaddr(found.ip());
            config
        })
        .collect())
}

/// Tries with and without encryption, as far as the mode allows. Told is what came of encryption where there was any.
async fn reach_encrypted(
    address: &Address,
    server: &Server,
    config: &Config,
) -> Result<AsyncPgConnection, Refusal> {
    let mut told: Option<tokio_postgres::Error> = None;
    for &way in server.mode.ways() {
        let made = within(address.patience, reach_once(address, config, way)).await;
        let error = match made.ok_or_else(|| Refusal::Elsewhere(SLOW.to_owned()))? {
            Ok(conn) => return Ok(conn),
            Err(Unmade::SetUp(error)) => return Err(Refusal::Final(error)),
            Err(Unmade::Refused(error)) => error,
        };
        let may_be_otherwise = failure::may_depend_on_encryption(&error);
        let tells_more = way != SslMode::Disable && !failure::lacks_encryption(&error);
        if told.is_none() || tells_more {
            told = Some(error);
        }
        if !may_be_otherwise {
            break;
        }
    }
    let told = told.map(|error| failure::of_connecting(error, address, server));
    Err(told.unwrap_or_else(|| Refusal::Elsewhere(SLOW.to_owned())))
}

/// Why there is no connection.
enum Unmade {
    Refused(tokio_postgres::Error),
    SetUp(StoreError),
}

async fn reach_once(
    address: &Address,
    config: &Config,
    way: SslMode,
) -> Result<AsyncPgConnection, Unmade> {
    let mut config = config.clone();
    config.ssl_mode(way);
    let tls = MakeRustlsConnect::new(address.tls.clone());
    let (client, connection) = config.connect(tls).await.map_err(Unmade::Refused)?;
    let set_up = AsyncPgConnection::try_from_client_and_connection(client, connection).await;
    set_up.map_err(|error| {
        Unmade::SetUp(if let ConnectionError::CouldntSetupConfiguration(error) = error {
            failure::classify(StoreError::Database(error), address.shown())
        } else {
            let what = format!("`{}`: a new connection could not be set up", address.shown());
            StoreError::Unavailable { what, source: Some(Box::new(error)) }
        })
    })
}

const SLOW: &str = "it took too long";

/// The output, if it comes in time.
async fn within<F: Future>(patience: Option<Duration>, future: F) -> Option<F::Output> {
    match patience {
        Some(patience) => tokio::time::timeout(patience, future).await.ok(),
        None => Some(future.await),
    }
}
