//! Connectors: the tools of servers that speak the Model Context Protocol, as scripts call them.
//!
//! What a server says of its tools is remembered in a file. Scripts are checked against that, and a server whose tools are not
//! what was accepted is not called until a person has looked.

mod answer;
mod config;
mod connection;
mod definition;
mod failure;
mod http;
mod look_up;
mod names;
mod offer;
mod plain;
mod schema;
mod server;
mod snapshot;
mod stdio;
mod survey;
mod tool;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use windlass_core::{Clock as _, Failure, SystemClock};
use windlass_scheduler::Tool;

pub use config::{
    ConnectorName, Endpoint, Errors, Found, McpConfig, ReconcileConfig, ServerConfig, ToolConfig,
};
pub use definition::{Change, Hints};
use offer::Offer;
pub use offer::Why;
use server::Server;
use snapshot::{Consent, Snapshot, SnapshotFile};
pub use survey::{Condition, Survey, ToolSurvey};

use crate::secrets::Secrets;

/// The largest answer of a server.
const MAX_ANSWER_BYTES: usize = 10 * 1024 * 1024;

/// Connectors that cannot be offered to scripts.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The configuration says something that cannot be.
    #[error("`[mcp.{name}.tools.{tool}]` {message}")]
    Config {
        /// Which connector.
        name: ConnectorName,
        /// Which tool, as the server has it.
        tool: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Scripts could not tell two tools apart.
    #[error(
        "`{first}` and `{second}` of the connector `{name}` are both `{method}` to scripts: take the connector out of the configuration"
    )]
    Clash {
        /// Which connector.
        name: ConnectorName,
        /// One tool, as the server has it.
        first: String,
        /// The other.
        second: String,
        /// What both would be called.
        method: String,
    },
    /// Scripts could not tell two namespaces apart.
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
    /// A server of which nothing is remembered yet, or that was moved, could not be asked for its tools.
    #[error("could not ask the connector `{name}` for its tools")]
    Listing {
        /// Which connector.
        name: ConnectorName,
        /// Why not.
        source: Failure,
    },
    /// What was accepted cannot be read or written.
    #[error("could not {attempt} `{path}`", path = path.display())]
    Snapshot {
        /// `read` or `write`.
        attempt: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A connector that the configuration does not have.
    #[error("there is no connector `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
}

/// Where connectors find things and keep what was accepted.
#[derive(Debug, Clone)]
pub struct Places {
    /// What the paths of the configuration are relative to.
    pub root: PathBuf,
    /// The folder of the snapshots.
    pub snapshots: PathBuf,
    /// Who is at the command line, for what is accepted.
    pub actor: String,
}

/// The configured servers. Clones are the same servers.
#[derive(Debug, Clone)]
pub struct Connectors {
    servers: Arc<[Arc<Server>]>,
    places: Places,
}

/// What is remembered of a server.
#[derive(Debug)]
struct Remembered {
    snapshot: Snapshot,
    /// Whether it was listed just now.
    is_new: bool,
}

impl Connectors {
    /// Takes the configuration in, with the `secrets` that it names. Nothing is started and nothing is read.
    #[must_use]
    pub fn new(config: &McpConfig, secrets: &Arc<Secrets>, places: Places) -> Self {
        let server = |(name, config): (&ConnectorName, &ServerConfig)| {
            let (secrets, root) = (Arc::clone(secrets), places.root.clone());
            Arc::new(Server::new(name.clone(), config.clone(), secrets, root))
        };
        Self { servers: config.iter().map(server).collect(), places }
    }

    /// The tools of all servers, none of which has a namespace that is among `taken`. Only a server of which nothing is
    /// remembered is started.
    ///
    /// # Errors
    /// [`ConnectorError`], which names the connector.
    ///
    /// # Cancel safety
    /// Servers may have been started; [`stop`](Self::stop) ends them.
    pub async fn tools(&self, taken: &[String]) -> Result<Vec<Arc<dyn Tool>>, ConnectorError> {
        self.check_namespaces(taken)?;
        let offers = self.servers.iter().map(|server| async move {
            let remembered = self.remembered(server).await?;
            let definitions = remembered.snapshot.definitions();
            server.accept(&definitions);
            offer::all(server, &definitions)
        });
        let offers = try_join_all(offers).await?;
        Ok(offers.into_iter().flatten().filter_map(Offer::into_tool).collect())
    }

    /// Ends all servers that run, and waits for it.
    ///
    /// # Cancel safety
    /// Servers may still be running; they are killed when the runtime ends.
    pub async fn stop(&self) {
        join_all(self.servers.iter().map(|server| server.end())).await;
    }

    /// What there is to know of every server. Each is started and asked.
    ///
    /// # Errors
    /// [`ConnectorError`], which names the connector. That a server does not answer is part of its survey.
    ///
    /// # Cancel safety
    /// Servers may have been started; [`stop`](Self::stop) ends them.
    pub async fn survey(&self) -> Result<Vec<Survey>, ConnectorError> {
        try_join_all(self.servers.iter().map(|server| self.survey_of(server))).await
    }

    /// Accepts what the server `name` offers now, whatever was accepted before.
    ///
    /// # Errors
    /// [`ConnectorError`], which names the connector.
    ///
    /// # Cancel safety
    /// What is offered may be accepted although the future was dropped.
    pub async fn accept(&self, name: &str) -> Result<Survey, ConnectorError> {
        let server = self.servers.iter().find(|server| server.name.to_string() == name);
        let server = server.ok_or_else(|| ConnectorError::Unknown { name: name.to_owned() })?;
        let snapshot = self.listed(server).await?;
        self.file(server).save(&snapshot)?;
        self.survey_of(server).await
    }

    /// What was accepted of a server; where nothing was, what it offers now.
    async fn remembered(&self, server: &Arc<Server>) -> Result<Remembered, ConnectorError> {
        let file = self.file(server);
        match file.load()?.filter(|it| it.endpoint == server.endpoint_digest()) {
            Some(snapshot) => Ok(Remembered { snapshot, is_new: false }),
            None => {
                let snapshot = self.listed(server).await?;
                file.save(&snapshot)?;
                Ok(Remembered { snapshot, is_new: true })
            }
        }
    }

    async fn listed(&self, server: &Arc<Server>) -> Result<Snapshot, ConnectorError> {
        let listing = |source| ConnectorError::Listing { name: server.name.clone(), source };
        let tools = server.tools().await.map_err(listing)?;
        let consent = Consent { by: self.places.actor.clone(), at: SystemClock.now() };
        Ok(Snapshot::new(server.endpoint_digest(), consent, tools.to_vec()))
    }

    fn file(&self, server: &Server) -> SnapshotFile {
        SnapshotFile::new(Path::new(&self.places.snapshots), &server.name)
    }

    fn check_namespaces(&self, taken: &[String]) -> Result<(), ConnectorError> {
        let mut owners: BTreeMap<String, String> =
            taken.iter().map(|it| (it.clone(), "are built-in tools".to_owned())).collect();
        for server in self.servers.iter() {
            let (name, namespace) = (&server.name, server.config.namespace(&server.name));
            let owner = format!("is the connector `{name}`");
            if let Some(taken) = owners.insert(namespace.clone(), owner) {
                return Err(ConnectorError::Namespace { name: name.clone(), namespace, taken });
            }
        }
        Ok(())
    }
}
