//! All connectors of a deployment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::{join_all, try_join_all};
use windlass_core::{Clock as _, Failure, SystemClock};
use windlass_scheduler::Tool;

use super::binding::{self, ToolBinding};
use super::config::{ConnectorName, McpConfig, ServerConfig};
use super::error::ConnectorError;
use super::report::ConnectorReport;
use super::server::Server;
use super::snapshot::{Acceptance, Snapshot, SnapshotFile};
use crate::environment::Environment;
use crate::secrets::Secrets;

/// What connectors need besides their configuration.
#[derive(Debug, Clone)]
pub struct ConnectorOptions {
    /// The folder that paths of the configuration are relative to.
    pub root: PathBuf,
    /// The folder of the files with accepted tools.
    pub snapshots: PathBuf,
    /// Who is recorded as the person that accepts tools.
    pub actor: String,
    /// Where a server's process gets `PATH` and `HOME` from.
    pub environment: Environment,
}

/// The configured servers. Clones share them.
#[derive(Debug, Clone)]
pub struct Connectors {
    servers: Arc<[Arc<Server>]>,
    options: ConnectorOptions,
}

/// What the connectors offer to scripts.
#[derive(Debug, Default)]
pub struct OfferedTools {
    /// The tools of the connectors that could be asked, or whose tools were accepted before.
    pub tools: Vec<Arc<dyn Tool>>,
    /// The namespaces of the others, and why they could not be asked.
    pub missing: BTreeMap<String, Failure>,
}

/// The accepted tools of a server.
#[derive(Debug)]
struct Accepted {
    snapshot: Snapshot,
    /// Whether they were accepted just now because none were before.
    is_new: bool,
}

impl Connectors {
    /// Prepares the connectors of the configuration. Starts no server and reads no file.
    #[must_use]
    pub fn new(config: &McpConfig, secrets: &Arc<Secrets>, options: ConnectorOptions) -> Self {
        let server = |(name, config): (&ConnectorName, &ServerConfig)| {
            let (root, environment) = (options.root.clone(), options.environment);
            let secrets = Arc::clone(secrets);
            Arc::new(Server::new(name.clone(), config.clone(), secrets, root, environment))
        };
        Self { servers: config.iter().map(server).collect(), options }
    }

    /// The tools of all servers. No server may use a namespace in `taken`. Starts only servers without accepted tools. One that cannot
    /// be asked is missing, and the others are offered.
    ///
    /// # Errors
    /// [`ConnectorError`], which names the connector.
    ///
    /// # Cancel safety
    /// Servers may have been started; [`stop`](Self::stop) ends them.
    pub async fn tools(&self, taken: &[String]) -> Result<OfferedTools, ConnectorError> {
        self.check_namespaces(taken)?;
        let bindings = self.servers.iter().map(|server| async move {
            let accepted = match self.accepted(server).await {
                Err(ConnectorError::Listing { name, source }) => {
                    let namespace = server.config.namespace(&server.name);
                    let message =
                        format!("could not ask the connector `{name}` for its tools: {source}");
                    return Ok(Err((namespace, Failure { message, ..source })));
                }
                accepted => accepted?,
            };
            let definitions = accepted.snapshot.definitions();
            server.set_accepted(&definitions);
            binding::bind_all(server, &definitions).map(Ok)
        });
        let mut offered = OfferedTools::default();
        for bindings in try_join_all(bindings).await? {
            match bindings {
                Ok(bindings) => {
                    offered.tools.extend(bindings.into_iter().filter_map(ToolBinding::into_tool));
                }
                Err((namespace, failure)) => {
                    offered.missing.insert(namespace, failure);
                }
            }
        }
        Ok(offered)
    }

    /// Ends all running servers and waits until they have ended.
    ///
    /// # Cancel safety
    /// Servers may still be running; they are killed when the runtime ends.
    pub async fn stop(&self) {
        join_all(self.servers.iter().map(|server| server.end())).await;
    }

    /// Starts every server and compares its tools with the accepted ones.
    ///
    /// # Errors
    /// [`ConnectorError`], which names the connector. A server that cannot be asked is no error; its report says so.
    ///
    /// # Cancel safety
    /// Servers may have been started; [`stop`](Self::stop) ends them.
    pub async fn inspect(&self) -> Result<Vec<ConnectorReport>, ConnectorError> {
        try_join_all(self.servers.iter().map(|server| self.inspect_server(server))).await
    }

    /// Accepts the current tools of the server `name` in place of those accepted before.
    ///
    /// # Errors
    /// [`ConnectorError`], which names the connector.
    ///
    /// # Cancel safety
    /// The tools may have been accepted although the future was dropped.
    pub async fn accept(&self, name: &str) -> Result<ConnectorReport, ConnectorError> {
        let server = self.servers.iter().find(|server| server.name.to_string() == name);
        let server = server.ok_or_else(|| ConnectorError::Unknown { name: name.to_owned() })?;
        let snapshot = self.list(server).await?;
        self.snapshot_file(server).save(&snapshot)?;
        self.inspect_server(server).await
    }

    async fn inspect_server(
        &self,
        server: &Arc<Server>,
    ) -> Result<ConnectorReport, ConnectorError> {
        match self.accepted(server).await {
            Ok(Accepted { snapshot, is_new }) => {
                Ok(ConnectorReport::compare(server, snapshot, is_new).await)
            }
            Err(ConnectorError::Listing { source, .. }) => {
                Ok(ConnectorReport::unreachable(server, source.message))
            }
            Err(error) => Err(error),
        }
    }

    /// The accepted tools of a server. If none are accepted, its current tools are.
    async fn accepted(&self, server: &Arc<Server>) -> Result<Accepted, ConnectorError> {
        let file = self.snapshot_file(server);
        match file.load()?.filter(|it| it.endpoint == server.endpoint_digest()) {
            Some(snapshot) => Ok(Accepted { snapshot, is_new: false }),
            None => {
                let snapshot = self.list(server).await?;
                file.save(&snapshot)?;
                Ok(Accepted { snapshot, is_new: true })
            }
        }
    }

    /// The server's current tools.
    async fn list(&self, server: &Arc<Server>) -> Result<Snapshot, ConnectorError> {
        let listing = |source| ConnectorError::Listing { name: server.name.clone(), source };
        let tools = server.tools().await.map_err(listing)?;
        let acceptance = Acceptance { by: self.options.actor.clone(), at: SystemClock.now() };
        Ok(Snapshot::new(server.endpoint_digest(), acceptance, tools.to_vec()))
    }

    fn snapshot_file(&self, server: &Server) -> SnapshotFile {
        SnapshotFile::new(&self.options.snapshots, &server.name)
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
