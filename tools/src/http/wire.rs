//! Sends a request: to an address that was checked, over a connection of its own.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use reqwest::{Client, Response, redirect, retry};
use tokio::time::{Instant, timeout_at};
use windlass_core::{Failure, FailureClass, Service};
use windlass_scheduler::ToolError;

use super::allow::{AllowList, Server};
use super::request::Outgoing;
use crate::error_text::innermost_message;
use crate::tls;

/// Finds the addresses of a name.
#[async_trait]
pub(super) trait Lookup: Send + Sync + Debug {
    async fn addresses(&self, server: &Server) -> io::Result<Vec<SocketAddr>>;
}

/// As the system does.
#[derive(Debug)]
pub(super) struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, server: &Server) -> io::Result<Vec<SocketAddr>> {
        let host = server.host.trim_matches(['[', ']']);
        Ok(tokio::net::lookup_host((host, server.port)).await?.collect())
    }
}

/// The way out.
#[derive(Debug)]
pub(super) struct Wire {
    allow: AllowList,
    lookup: Box<dyn Lookup>,
}

impl Wire {
    pub(super) fn new(allow: AllowList, lookup: Box<dyn Lookup>) -> Self {
        Self { allow, lookup }
    }

    /// Sends `outgoing` and waits for the head of the answer. Follows no redirect.
    ///
    /// The connection is made for this request: one that was kept could be closed by the other side at any moment, and
    /// whether the request was read before could then not be told.
    pub(super) async fn send(
        &self,
        outgoing: &Outgoing,
        until: Instant,
    ) -> Result<Response, ToolError> {
        let client = self.connectable(outgoing, until).await.map_err(ToolError::not_sent)?;
        let mut request = client
            .request(outgoing.method.clone(), outgoing.url.clone())
            .headers(outgoing.headers.clone())
            .headers(outgoing.added.clone());
        if let Some(body) = &outgoing.body {
            request = request.body(body.clone());
        }
        let host = outgoing.url.host_str().unwrap_or_default();
        match timeout_at(until, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(err)) if err.is_connect() || err.is_builder() => {
                Err(ToolError::not_sent(unanswered(
                    host,
                    &format!("could not connect to `{host}`: {}", innermost_message(&err)),
                )))
            }
            Ok(Err(err)) => {
                let message = format!(
                    "the connection to `{host}` broke before its answer: {}",
                    innermost_message(&err)
                );
                Err(ToolError::maybe_sent(unanswered(host, &message)))
            }
            Err(_elapsed) => Err(ToolError::maybe_sent(unanswered(
                host,
                &format!("`{host}` did not answer in time"),
            ))),
        }
    }

    /// A client that can reach the server of `outgoing` and no other.
    async fn connectable(&self, outgoing: &Outgoing, until: Instant) -> Result<Client, Failure> {
        let server = self.allow.server(&outgoing.url)?;
        let addresses = self.addresses(&server, until).await?;
        // A connection that is not made in half of the time leaves enough of it for this error, which is definite.
        let connect_timeout = until.duration_since(Instant::now()) / 2;
        Client::builder()
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

    /// The addresses of `server`, of which each may be connected to.
    async fn addresses(&self, server: &Server, until: Instant) -> Result<Vec<SocketAddr>, Failure> {
        let Server { host, .. } = server;
        let found = timeout_at(until, self.lookup.addresses(server))
            .await
            .map_err(|_elapsed| unanswered(host, &format!("`{host}` was not found in time")))?
            .map_err(|err| unanswered(host, &format!("could not find `{host}`: {err}")))?;
        if found.is_empty() {
            return Err(unanswered(
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

fn unanswered(host: &str, message: &str) -> Failure {
    of_server(host, FailureClass::Network, message.to_owned())
}

/// A failure that a server has a part in.
pub(super) fn of_server(host: &str, class: FailureClass, message: String) -> Failure {
    let service = Service { name: format!("http {host}"), account: None };
    Failure { service: Some(Box::new(service)), ..Failure::new(class, message) }
}

#[cfg(test)]
mod tests;
