//! Servers behind a URL.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, redirect, retry};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use secrecy::ExposeSecret as _;
use windlass_core::Failure;

use super::MAX_ANSWER_BYTES;
use super::plain::plain_text;
use crate::secrets::Secrets;
use crate::tls;

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The way to a server.
pub(super) type Channel = StreamableHttpClientTransport<Client>;

/// Prepares the way to the server at `url`; nothing is sent yet.
pub(super) fn open(
    url: &str,
    headers: &BTreeMap<String, String>,
    secrets: &Secrets,
) -> Result<Channel, Failure> {
    let headers = headers.iter().map(|(name, value)| header(name, value, secrets));
    let headers = headers.collect::<Result<HashMap<_, _>, _>>()?;
    // A session that the server forgot is begun anew by us: its tools may be others now.
    let config = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(headers)
        .reinit_on_expired_session(false)
        .max_sse_event_size(MAX_ANSWER_BYTES);
    // Each request has a connection of its own: one that was kept could be closed by the other side at any moment, and
    // whether a request was read before could then not be told.
    let client = Client::builder()
        .tls_backend_preconfigured(tls::client_config(url.starts_with("https:"))?)
        .connect_timeout(CONNECT_TIME)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::internal(format!("could not set up a connection: {error}")))?;
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

fn header(
    name: &str,
    value: &str,
    secrets: &Secrets,
) -> Result<(HeaderName, HeaderValue), Failure> {
    let wrong = || Failure::internal(format!("`{name}` cannot be sent as a header"));
    let mut plain = HeaderValue::from_str(plain_text(value, secrets)?.expose_secret())
        .map_err(|_secret| wrong())?;
    plain.set_sensitive(true);
    Ok((HeaderName::try_from(name).map_err(|_wrong| wrong())?, plain))
}
