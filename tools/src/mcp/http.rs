//! Servers that are reached by a URL.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, redirect, retry};
use rmcp::model::ClientJsonRpcMessage;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{
    SseError, StreamableHttpClient, StreamableHttpClientTransportConfig, StreamableHttpError,
    StreamableHttpPostResponse,
};
use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use sse_stream::Sse;
use windlass_core::Failure;
use windlass_scheduler::CommitPoint;

use super::pipes::commit_point;
use super::result::MAX_RESULT_BYTES;
use crate::pass_connected::PassConnected;
use crate::secrets::Secrets;
use crate::tls;

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The transport to a server.
pub(super) type HttpTransport = StreamableHttpClientTransport<CheckedClient>;

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
    let tls = tls::client_config(url.starts_with("https:"))?;
    let client = client(&tls, None)
        .map_err(|error| Failure::internal(format!("could not set up a connection: {error}")))?;
    Ok(StreamableHttpClientTransport::with_client(CheckedClient { tls, client }, config))
}

/// A client that makes a connection of its own for each request. A reused connection could be closed by the server at any moment, and
/// then nobody could tell whether the server had read the request. With a `point`, the client is for one request.
fn client(tls: &ClientConfig, point: Option<CommitPoint>) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder();
    if let Some(point) = point {
        builder = builder.connector_layer(PassConnected(point));
    }
    builder
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(CONNECT_TIME)
        .pool_max_idle_per_host(0)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// A client whose calls pass their commit points.
#[derive(Debug, Clone)]
pub(super) struct CheckedClient {
    tls: ClientConfig,
    /// For messages without a commit point.
    client: Client,
}

type Headers = HashMap<HeaderName, HeaderValue>;
type HttpResult<T> = Result<T, StreamableHttpError<reqwest::Error>>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

impl CheckedClient {
    fn client_for(&self, message: &ClientJsonRpcMessage) -> HttpResult<Client> {
        match commit_point(message) {
            Some(point) => client(&self.tls, Some(point)).map_err(StreamableHttpError::Client),
            None => Ok(self.client.clone()),
        }
    }
}

impl StreamableHttpClient for CheckedClient {
    type Error = reqwest::Error;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
    ) -> HttpResult<StreamableHttpPostResponse> {
        let client = self.client_for(&message)?;
        client.post_message(uri, message, session, auth, headers).await
    }

    async fn post_message_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: Headers,
        max_event_bytes: usize,
    ) -> HttpResult<StreamableHttpPostResponse> {
        let client = self.client_for(&message)?;
        client
            .post_message_with_max_sse_event_size(
                uri,
                message,
                session,
                auth,
                headers,
                max_event_bytes,
            )
            .await
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        auth: Option<String>,
        headers: Headers,
    ) -> HttpResult<()> {
        self.client.delete_session(uri, session, auth, headers).await
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
    ) -> HttpResult<Events> {
        self.client.get_stream(uri, session, last_event, auth, headers).await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: Headers,
        max_event_bytes: usize,
    ) -> HttpResult<Events> {
        self.client
            .get_stream_with_max_sse_event_size(
                uri,
                session,
                last_event,
                auth,
                headers,
                max_event_bytes,
            )
            .await
    }
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
