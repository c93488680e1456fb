//! Connectors: scripts call the tools of servers that speak the Model Context Protocol.
//!
//! A server's list of tools is accepted once and kept in a file (`snapshot.rs`). Scripts are checked against that file. Before
//! each call the server's current list is compared with it: a tool that has changed is refused until a person accepts it.
//!
//! - `connectors.rs` is the way in: all servers of a deployment. `config.rs` is their configuration.
//! - `server.rs` starts one server, calls it and starts it again after it has died; `connection.rs` is one connection to it,
//!   over a process (`stdio.rs`) or a URL (`http.rs`).
//! - `binding.rs` turns the server's tools into tools of scripts (`tool.rs`). `lookup.rs` finds out whether an effect happened.
//! - `failure.rs` decides for each way in which a call can fail whether the request may have had an effect.

mod binding;
mod config;
mod connection;
mod connectors;
mod definition;
mod error;
mod failure;
mod http;
mod lookup;
mod names;
mod output;
mod pipes;
mod report;
mod result;
mod schema;
mod server;
mod snapshot;
mod stdio;
mod tool;

pub use binding::EffectSource;
pub use config::{
    ConnectorName, Endpoint, ErrorMeaning, FoundCondition, McpConfig, ReconcileConfig,
    ServerConfig, ToolConfig,
};
pub use connectors::{ConnectorOptions, Connectors, OfferedTools};
pub use definition::{Hints, ToolChange};
pub use error::ConnectorError;
pub use report::{ConnectorReport, ConnectorState, ToolReport};
