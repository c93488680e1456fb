//! `serve`: the HTTP server, without a worker.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use windlass_api::http::{Server, ServerParts};
use windlass_api::metrics::Metrics;
use windlass_store::SharedStore;

use super::engine::described_registry;
use super::signals::{self, Signals};
use crate::cli::ServeArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Stopped {
    /// Whether the requests under way were answered before it stopped.
    #[serde(rename = "tidy")]
    is_tidy: bool,
}

/// What the first signal does, and the second.
const NOTES: [&str; 2] = [
    "Stopping when the requests under way are answered; signal again to stop at once.",
    "Stopping at once.",
];

pub(crate) async fn run(context: &Context, args: &ServeArgs) -> Result<ExitStatus> {
    let Signals { stop, stop_at_once } = signals::listen(context, NOTES)?;
    let store = context.open_or_create().await?.store;
    let parts = parts(context, store, (Arc::default(), stop)).await?;
    let server = bind(context, args.listen).await?;
    let is_tidy = tokio::select! {
        () = server.serve(parts) => true,
        () = stop_at_once.cancelled() => false,
    };
    context.output.print(&Stopped { is_tidy })?;
    Ok(if is_tidy { ExitStatus::Done } else { ExitStatus::Failed })
}

/// Listens, and says where. Refuses an address that other machines reach without encryption.
pub(super) async fn bind(context: &Context, named: Option<SocketAddr>) -> Result<Server> {
    let config = &context.settings.server;
    let address = named.unwrap_or(config.listen);
    if config.is_exposed(address) {
        return Err(CommandError::Refused {
            code: "exposed",
            message: format!("other machines would reach `{address}` without encryption"),
            hint: "listen on 127.0.0.1 behind a proxy that speaks https, and name it as `[server] public_url = \"https://…\"`"
                .to_owned(),
        });
    }
    let server = Server::bind(address).await?;
    context.output.progress(format_args!("listening on http://{}", server.address()));
    Ok(server)
}

/// The same beside a worker, where somebody asks for it.
pub(super) async fn bind_if_asked(
    context: &Context,
    named: Option<SocketAddr>,
) -> Result<Option<Server>> {
    match named {
        Some(_) => bind(context, named).await.map(Some),
        None => Ok(None),
    }
}

/// Serves beside a worker. It ends by an error only: the worker says when the process is over.
pub(super) async fn beside(
    context: &Context,
    server: Option<(Server, Arc<Metrics>)>,
    store: SharedStore,
    stop: CancellationToken,
) -> Result<Infallible> {
    if let Some((server, metrics)) = server {
        let parts = parts(context, store, (metrics, stop)).await?;
        server.serve(parts).await;
    }
    std::future::pending().await
}

async fn parts(
    context: &Context,
    store: SharedStore,
    (metrics, stop): (Arc<Metrics>, CancellationToken),
) -> Result<ServerParts> {
    Ok(ServerParts {
        store,
        registry: Arc::new(described_registry(context).await?),
        zone: context.settings.timezone,
        hosts: context.settings.server.names(),
        is_encrypted: context.settings.server.is_encrypted(),
        metrics,
        stop,
    })
}

impl Printable for Stopped {
    fn write(&self, page: &mut TextPage) {
        page.line("Stopped.");
    }
}
