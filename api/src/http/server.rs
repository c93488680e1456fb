//! Binds an address, serves, and ends when it is told to.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::router::router;
use super::state::ServerParts;

/// A server that listens and has not answered anything yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub source: io::Error,
}

impl Server {
    /// Listens on `address`; with port 0 on a free port.
    ///
    /// # Errors
    /// [`BindError`] where another program has the port, or the address is none of this machine.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let refused = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// The address, with the port that it got.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop` is cancelled, and then those that are under way.
    ///
    /// # Errors
    /// Where the operating system takes the listening away.
    pub async fn serve(self, parts: ServerParts, stop: CancellationToken) -> io::Result<()> {
        let stopped = async move { stop.cancelled().await };
        axum::serve(self.listener, router(parts)).with_graceful_shutdown(stopped).await
    }
}
