//! What can be wrong with connectors before any of their tools is called.

use std::io;
use std::path::PathBuf;

use windlass_core::Failure;

use super::config::ConnectorName;

/// Why connectors cannot be offered to scripts.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The configuration does not fit the server.
    #[error("`[mcp.{name}.tools.{tool}]` {message}")]
    Config {
        /// Which connector.
        name: ConnectorName,
        /// Which tool, by the server's name for it.
        tool: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The namespace of a connector is already taken.
    #[error(
        "the connector `{name}` cannot be `{namespace}` to scripts, which {taken}: give it another `namespace`"
    )]
    Namespace {
        /// Which connector.
        name: ConnectorName,
        /// What it would be called.
        namespace: String,
        /// By whom.
        taken: String,
    },
    /// A server without accepted tools could not be asked for them. It is new, or its endpoint has changed.
    #[error("could not ask the connector `{name}` for its tools")]
    Listing {
        /// Which connector.
        name: ConnectorName,
        /// Why not.
        source: Failure,
    },
    /// The file of the accepted tools cannot be read or written.
    #[error("could not {attempt} `{path}`", path = path.display())]
    Snapshot {
        /// `read` or `write`.
        attempt: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The configuration has no connector of this name.
    #[error("there is no connector `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
}
