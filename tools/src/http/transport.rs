//! Sends a request to a checked address, over a connection of its own.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use reqwest::header::ACCEPT_ENCODING;
use reqwest::{Client, Response, redirect, retry};
use tokio::time::{Instant, timeout_at};
use windlass_core::{Failure, FailureClass, Service};
use windlass_scheduler::{CommitPoint, Refused, ToolError};

use super::allow::{AllowList, Server};
use super::request::OutgoingRequest;
use crate::error_text::innermost_message;
use crate::pass_connected::{PassConnected, refusal};
use crate::tls;

/// Resolves a host name.
#[async_trait]
pub(super) trait Resolver: Send + Sync + Debug {
    async fn addresses(&self, server: &Server) -> io::Result<Vec<SocketAddr>>;
}

/// The resolver of the operating system.
#[derive(Debug)]
pub(super) struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, server: &Server) -> io::Result<Vec<SocketAddr>> {
        let host = server.host.trim_matches(['[', ']']);
        Ok(tokio::net::lookup_host((host, server.port)).await?.collect())
    }
}

/// Sends requests to the allowed servers.
#[derive(Debug)]
pub(super) struct Transport {
    allow: AllowList,
    resolver: Box<dyn Resolver>,
}

impl Transport {
    pub(super) fn new(allow: AllowList, resolver: Box<dyn Resolver>) -> Self {
        Self { allow, resolver }
    }

    /// Sends `outgoing` and waits for the status and headers of the response. Follows no redirect. With a `point`, the request leaves
    /// only if the point lets it pass after the connection was made.
    ///
    /// The connection is made for this request. A reused connection could be closed by the server at any moment, and then
    /// nobody could tell whether the server had read the request.
    pub(super) async fn send(
        &self,
        outgoing: &OutgoingRequest,
        point: Option<CommitPoint>,
        until: Instant,
    ) -> Result<Response, ToolError> {
        let client = self.client(outgoing, point, until).await.map_err(ToolError::not_sent)?;
        let mut request = client
            .request(outgoing.method.clone(), outgoing.url.clone())
            .header(ACCEPT_ENCODING, "identity")
            .headers(outgoing.headers.clone())
            .headers(outgoing.configured.clone());
        if let Some(body) = &outgoing.body {
            request = request.body(body.clone());
        }
        let host = outgoing.url.host_str().unwrap_or_default();
        match timeout_at(until, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(err)) if refusal(&err).is_some() => Err(Refused.into()),
            Ok(Err(err)) if err.is_connect() || err.is_builder() => {
                Err(ToolError::not_sent(network_failure(
                    host,
                    &format!("could not connect to `{host}`: {}", innermost_message(&err)),
                )))
            }
            Ok(Err(err)) => {
                let message = format!(
                    "the connection to `{host}` broke before its answer: {}",
                    innermost_message(&err)
                );
                Err(ToolError::maybe_sent(network_failure(host, &message)))
            }
            Err(_elapsed) => Err(ToolError::maybe_sent(network_failure(
                host,
                &format!("`{host}` did not answer in time"),
            ))),
        }
    }

    /// A client that connects only to the server of `outgoing`, for one request.
    async fn client(
        &self,
        outgoing: &OutgoingRequest,
        point: Option<CommitPoint>,
        until: Instant,
    ) -> Result<Client, Failure> {
        let server = self.allow.server(&outgoing.url)?;
        let addresses = self.addresses(&server, until).await?;
        // Half of the time, so that a connection that cannot be made is reported as that: then nothing was sent.
        let connect_timeout = until.duration_since(Instant::now()) / 2;
        let mut builder = Client::builder();
        if let Some(point) = point {
            builder = builder.connector_layer(PassConnected(point));
        }
        builder
            .tls_backend_preconfigured(tls::client_config(outgoing.url.scheme() == "https")?)
            .resolve_to_addrs(&server.host, &addresses)
            .connect_timeout(connect_timeout)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|err| {
                Failure::internal(format!(
                    "could not set up a connection: {}",
                    innermost_message(&err)
                ))
            })
    }

    /// The addresses of `server`. Each of them is allowed.
    async fn addresses(&self, server: &Server, until: Instant) -> Result<Vec<SocketAddr>, Failure> {
        let Server { host, .. } = server;
        let found = timeout_at(until, self.resolver.addresses(server))
            .await
            .map_err(|_elapsed| network_failure(host, &format!("`{host}` was not found in time")))?
            .map_err(|err| network_failure(host, &format!("could not find `{host}`: {err}")))?;
        if found.is_empty() {
            return Err(network_failure(
                host,
                &format!("could not find `{host}`: its name has no address"),
            ));
        }
        for address in &found {
            self.allow.check_address(server, *address)?;
        }
        Ok(found)
    }
}

fn network_failure(host: &str, message: &str) -> Failure {
    server_failure(host, FailureClass::Network, message.to_owned())
}

/// A failure that names the server as its service.
pub(super) fn server_failure(host: &str, class: FailureClass, message: String) -> Failure {
    let service = Service { name: format!("http {host}"), account: None };
    Failure { service: Some(Box::new(service)), ..Failure::new(class, message) }
}

#[cfg(test)]
mod tests;
