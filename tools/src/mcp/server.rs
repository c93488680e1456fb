//! One server: started when it is needed, started again after it has died, and stopped with this process.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use reqwest::Url;
use rmcp::ServiceError;
use rmcp::model::{CallToolResult, JsonObject};
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windlass_core::{ExponentialDelay, Failure, FailureClass, digest};
use windlass_scheduler::{CommitPoint, Place, ToolError};

use super::config::{ConnectorName, Endpoint, ServerConfig};
use super::connection::{self, Connection};
use super::definition::{Definition, changes};
use super::failure::{call_error, connect_failure, is_session_expired, server_failure};
use super::{http, stdio};
use crate::environment::Environment;
use crate::method::off_thread;
use crate::place;
use crate::secrets::Secrets;

/// How long a server may take to start and to list its tools. Some are downloaded from a registry first.
const START_TIME: Duration = Duration::from_secs(60);

/// The delay before a server is started again, after failed starts.
const RESTART_DELAY: ExponentialDelay =
    ExponentialDelay { first: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// A connection that is being made or was made. All callers share the result.
type PendingConnection = Shared<BoxFuture<'static, Result<Arc<Connection>, Failure>>>;

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: ConnectorName,
    pub(super) config: ServerConfig,
    pub(super) secrets: Arc<Secrets>,
    root: PathBuf,
    environment: Environment,
    state: Mutex<State>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    /// The latest connection: pending, open, or lost.
    latest: Option<PendingConnection>,
    /// How many starts there were since the last successful call.
    n_failed_starts: u32,
    /// Why the last connection could not be made.
    last_failure: Option<Failure>,
    /// The accepted tools.
    accepted: Option<Arc<[Definition]>>,
    /// Why the last list of tools may lack some.
    list_problem: Option<String>,
}

impl Server {
    pub(super) fn new(
        name: ConnectorName,
        config: ServerConfig,
        secrets: Arc<Secrets>,
        root: PathBuf,
        environment: Environment,
    ) -> Self {
        let (state, stop, tasks) = Default::default();
        Self { name, config, secrets, root, environment, state, stop, tasks }
    }

    /// The digest of its endpoint.
    pub(super) fn endpoint_digest(&self) -> String {
        digest(&json!(self.config.endpoint))
    }

    /// Its command line or URL, without the parts that may be secret.
    pub(super) fn address(&self) -> String {
        match &self.config.endpoint {
            Endpoint::Process { command, args, .. } => {
                let words: Vec<_> =
                    std::iter::once(command).chain(args).map(String::as_str).collect();
                words.join(" ")
            }
            Endpoint::Http { url, .. } => {
                url.split(['?', '#']).next().unwrap_or_default().to_owned()
            }
        }
    }

    /// The place of its effects: what the configuration says of it, and where that leads. A process acts where it runs, which is in one
    /// folder of one machine.
    pub(super) async fn place(&self) -> Result<Place, Failure> {
        let there = match &self.config.endpoint {
            Endpoint::Http { url, .. } => Url::parse(url).ok().map(|url| place::server(&url)),
            Endpoint::Process { dir, .. } => {
                let folder = self.root.join(dir);
                let found =
                    off_thread(move || File::open(&folder).and_then(|it| place::folder(&it)));
                Some(found.await?.map_err(|error| {
                    let message =
                        format!("could not look at the folder of `{}`: {error}", self.name);
                    server_failure(&self.name, FailureClass::Internal, message)
                })?)
            }
        };
        let parts = json!(["mcp", self.name, self.endpoint_digest(), there]);
        Ok(Place::new(format!("connector `{}`", self.name), &parts))
    }

    /// Sets the accepted tools. From now on, changes of the server's tools are logged.
    pub(super) fn set_accepted(&self, tools: &[Definition]) {
        self.state().accepted = Some(tools.into());
    }

    /// Why the last list of its tools may lack some.
    pub(super) fn list_problem(&self) -> Option<String> {
        self.state().list_problem.clone()
    }

    /// The server's current tools. Starts the server if it is not running.
    pub(super) async fn tools(self: &Arc<Self>) -> Result<Arc<[Definition]>, Failure> {
        let tools = async { self.tools_of(&*self.connection().await?).await };
        tools.await.map_err(|failure| {
            let message = self.secrets.redact(&failure.message).into_owned();
            Failure { message, ..failure }
        })
    }

    /// Calls a tool whose current definition must equal `definition`. With a `point`, the request leaves only if the point lets it
    /// pass.
    pub(super) async fn call(
        self: &Arc<Self>,
        definition: &Definition,
        arguments: JsonObject,
        point: Option<CommitPoint>,
        until: Instant,
    ) -> Result<CallToolResult, ToolError> {
        let connection = timeout_at(until, self.connection_for(definition))
            .await
            .unwrap_or_else(|_elapsed| Err(self.not_ready()))
            .map_err(ToolError::not_sent)?;
        match timeout_at(until, connection.call(&definition.name, arguments, point)).await {
            Ok(Ok(result)) => {
                self.state().n_failed_starts = 0;
                Ok(result)
            }
            Ok(Err(error)) => {
                Self::after_failed_request(&connection, &error);
                Err(call_error(&self.name, &self.secrets, &error, definition.output.is_some()))
            }
            Err(_elapsed) => Err(ToolError::maybe_sent(self.network_failure(format!(
                "`{}` did not answer `{}` in time (an answer above 10 MiB is none)",
                self.name, definition.name
            )))),
        }
    }

    /// Ends the server. It cannot be started again afterwards.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// A connection to the server. Fails if the server's current tool differs from `definition`.
    async fn connection_for(
        self: &Arc<Self>,
        definition: &Definition,
    ) -> Result<Arc<Connection>, Failure> {
        let connection = self.connection().await?;
        let tools = self.tools_of(&connection).await?;
        let current = tools.iter().find(|it| it.name == definition.name);
        if current.is_some_and(|it| it.digest() == definition.digest()) {
            return Ok(connection);
        }
        let what = if current.is_some() { "is no longer what was accepted" } else { "is gone" };
        let name = &self.name;
        Err(server_failure(
            name,
            FailureClass::Permission,
            format!(
                "`{}` of `{name}` {what}: inspect the connector's tools, accept them, then start Windlass again",
                definition.name
            ),
        ))
    }

    /// Closes the connection or has its tools listed again, if the failed request makes that necessary.
    fn after_failed_request(connection: &Connection, error: &ServiceError) {
        if is_session_expired(error) {
            connection.close();
        } else if matches!(error, ServiceError::TransportSend(_)) {
            // Once a server can be reached again, it may be another version.
            connection.invalidate_tools();
        }
    }

    /// The current tools of a connected server. Differences from the accepted ones are logged.
    async fn tools_of(&self, connection: &Connection) -> Result<Arc<[Definition]>, Failure> {
        let list = connection.tools().await.map_err(|error| {
            Self::after_failed_request(connection, &error);
            let failure = call_error(&self.name, &self.secrets, &error, false).failure;
            Failure { message: format!("could not list the tools: {failure}"), ..failure }
        })?;
        let accepted = self.state().accepted.clone();
        if let Some(problem) = list.problem.as_ref().filter(|_| list.is_new) {
            tracing::warn!(connector = %self.name, "{problem}");
        }
        self.state().list_problem = list.problem;
        if let Some(accepted) = accepted.filter(|_| list.is_new) {
            let changes: Vec<_> = changes(&accepted, &list.tools)
                .iter()
                .map(|it| format!("{}: {}", it.tool, it.what))
                .collect();
            if !changes.is_empty() {
                tracing::warn!(
                    connector = %self.name,
                    "its tools are no longer what was accepted, inspect and accept them: {}",
                    changes.join("; ")
                );
            }
        }
        Ok(list.tools)
    }

    /// The connection. If there is none, it is made once for all callers.
    async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, Failure> {
        for _try in 0..2 {
            let latest = self.latest().await?;
            // It may have been lost after it was made and before anybody used it.
            if latest.is_open() {
                return Ok(latest);
            }
        }
        Err(self.network_failure(format!("`{}` ends as soon as it is ready", self.name)))
    }

    fn latest(self: &Arc<Self>) -> PendingConnection {
        let mut state = self.state();
        if let Some(latest) = &state.latest {
            let is_open = |made: &Result<Arc<Connection>, Failure>| {
                made.as_ref().is_ok_and(|connection| connection.is_open())
            };
            if latest.peek().is_none_or(is_open) {
                return latest.clone();
            }
            state.last_failure = latest.peek().and_then(|made| made.as_ref().err()).cloned();
        }
        let delay = RESTART_DELAY.after(state.n_failed_starts);
        state.n_failed_starts = state.n_failed_starts.saturating_add(1);
        // A task of its own: a start goes on for the next caller although this one has run out of time.
        let server = Arc::clone(self);
        let task = self.tasks.spawn(async move {
            tokio::select! {
                () = server.stop.cancelled() => Err(Failure::internal("Windlass is stopping")),
                connection = server.start_after(delay) => connection,
            }
        });
        let latest = task
            .map(|done| {
                done.unwrap_or_else(|error| {
                    Err(Failure::internal(format!("the start of a connector broke off: {error}")))
                })
            })
            .boxed()
            .shared();
        state.latest = Some(latest.clone());
        latest
    }

    async fn start_after(self: &Arc<Self>, delay: Duration) -> Result<Arc<Connection>, Failure> {
        tokio::time::sleep(delay).await;
        let start = async {
            let connection = self.start().await?;
            self.tools_of(&connection).await?;
            self.tasks.spawn(Arc::clone(self).watch_tools(Arc::clone(&connection)));
            Ok(connection)
        };
        tokio::time::timeout(START_TIME, start).await.unwrap_or_else(|_elapsed| {
            Err(self
                .network_failure(format!("`{}` was not ready within {START_TIME:?}", self.name)))
        })
    }

    async fn start(self: &Arc<Self>) -> Result<Arc<Connection>, Failure> {
        let failed = |error| connect_failure(&self.name, &self.secrets, &error);
        let close = self.stop.child_token();
        match &self.config.endpoint {
            Endpoint::Http { url, headers } => {
                let transport = http::transport(url, headers, &self.secrets)?;
                let (connection, session) =
                    connection::connect(transport, close, &self.secrets).await.map_err(failed)?;
                self.tasks.spawn(session.waiting());
                Ok(Arc::new(connection))
            }
            Endpoint::Process { command, args, env, dir } => {
                let program = stdio::Program {
                    name: &self.name,
                    command,
                    args,
                    env,
                    secrets: &self.secrets,
                    dir,
                    root: &self.root,
                    environment: self.environment,
                };
                let (process, pipes) = program.start()?;
                let (connection, session) =
                    connection::connect(pipes, close, &self.secrets).await.map_err(failed)?;
                self.tasks.spawn(async move {
                    let _ended = session.waiting().await;
                    process.end().await;
                });
                Ok(Arc::new(connection))
            }
        }
    }

    /// Lists the tools whenever the server says that they have changed, so that changes are logged at once.
    async fn watch_tools(self: Arc<Self>, connection: Arc<Connection>) {
        loop {
            tokio::select! {
                () = connection.tools_changed() => {}
                () = connection.closed() => return,
            }
            if let Err(failure) = self.tools_of(&connection).await {
                tracing::warn!(connector = %self.name, %failure, "its tools have changed");
            }
        }
    }

    /// The failure of a caller whose time ended before the server was ready: the reason why the last start failed.
    fn not_ready(&self) -> Failure {
        let last_failure = self.state().last_failure.clone();
        last_failure.unwrap_or_else(|| {
            self.network_failure(format!("`{}` was not ready in time", self.name))
        })
    }

    fn network_failure(&self, message: String) -> Failure {
        server_failure(&self.name, FailureClass::Network, message)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_before_a_restart_grows_to_a_minute() {
        let delays: Vec<_> = [0, 1, 2, 3, 7, 40].map(|n| RESTART_DELAY.after(n).as_secs()).into();

        assert_eq!(delays, [0, 1, 2, 4, 60, 60]);
    }
}
