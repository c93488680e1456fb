//! Servers that are reached by a URL.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, redirect, retry};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use secrecy::ExposeSecret as _;
use windlass_core::Failure;

use super::result::MAX_RESULT_BYTES;
use crate::secrets::Secrets;
use crate::tls;

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The transport to a server.
pub(super) type HttpTransport = StreamableHttpClientTransport<Client>;

/// The transport to the server at `url`. Sends nothing yet.
pub(super) fn transport(
    url: &str,
    headers: &BTreeMap<String, String>,
    secrets: &Secrets,
) -> Result<HttpTransport, Failure> {
    let headers = headers.iter().map(|(name, value)| header(name, value, secrets));
    let headers = headers.collect::<Result<HashMap<_, _>, _>>()?;
    // We reconnect ourselves after a session has expired, because the server's tools may have changed.
    let config = StreamableHttpClientTransportConfig::with_uri(url)
        .custom_headers(headers)
        .reinit_on_expired_session(false)
        .max_sse_event_size(MAX_RESULT_BYTES);
    // Each request has a connection of its own. A reused connection could be closed by the server at any moment, and then
    // nobody could tell whether the server had read the request.
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
    let mut filled =
        HeaderValue::from_str(secrets.fill(value).map_err(Failure::from)?.expose_secret())
            .map_err(|_secret| wrong())?;
    filled.set_sensitive(true);
    Ok((HeaderName::try_from(name).map_err(|_wrong| wrong())?, filled))
}
