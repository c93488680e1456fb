//! One server: started when it is needed, started again when it has died, and stopped with this process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use rmcp::ServiceError;
use rmcp::model::{CallToolResult, JsonObject};
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windlass_core::{Failure, FailureClass, digest};
use windlass_scheduler::ToolError;

use super::config::{ConnectorName, Endpoint, ServerConfig};
use super::connection::{self, Connection};
use super::definition::{Definition, changes};
use super::failure::{is_session_lost, of_call, of_server, of_start};
use super::{http, stdio};
use crate::secrets::Secrets;

/// How long a server may take until it has listed its tools. Some are fetched from a registry first.
const START_TIME: Duration = Duration::from_secs(60);

/// How long to wait at most before a server that keeps dying is started again.
const MAX_PAUSE: Duration = Duration::from_secs(60);

type Starting = Shared<BoxFuture<'static, Result<Arc<Connection>, Failure>>>;

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) name: ConnectorName,
    pub(super) config: ServerConfig,
    secrets: Arc<Secrets>,
    root: PathBuf,
    state: Mutex<State>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    /// The newest connection: being made, made, or lost.
    newest: Option<Starting>,
    /// How many connections were made or tried since one was of use.
    n_in_vain: u32,
    /// Why the last one did not come to be.
    last_failure: Option<Failure>,
    /// What scripts were told that the server has.
    accepted: Option<Arc<[Definition]>>,
}

impl Server {
    pub(super) fn new(
        name: ConnectorName,
        config: ServerConfig,
        secrets: Arc<Secrets>,
        root: PathBuf,
    ) -> Self {
        let (state, stop, tasks) = Default::default();
        Self { name, config, secrets, root, state, stop, tasks }
    }

    /// The digest of how it is reached.
    pub(super) fn endpoint_digest(&self) -> String {
        digest(&json!(self.config.endpoint))
    }

    /// Where it is, without what may be secret.
    pub(super) fn place(&self) -> String {
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

    /// Takes `tools` for what scripts were told: the server is held to it from now on.
    pub(super) fn accept(&self, tools: &[Definition]) {
        self.state().accepted = Some(tools.into());
    }

    /// The tools that the server has now. It is started where it does not run.
    pub(super) async fn tools(self: &Arc<Self>) -> Result<Arc<[Definition]>, Failure> {
        let tools = async { self.tools_of(&*self.connection().await?).await };
        tools.await.map_err(|failure| {
            let message = self.secrets.blot(&failure.message).into_owned();
            Failure { message, ..failure }
        })
    }

    /// Calls a tool that has to be what `definition` says.
    pub(super) async fn call(
        self: &Arc<Self>,
        definition: &Definition,
        arguments: JsonObject,
        until: Instant,
    ) -> Result<CallToolResult, ToolError> {
        let connection = timeout_at(until, self.connection_for(definition))
            .await
            .unwrap_or_else(|_elapsed| Err(self.not_ready()))
            .map_err(ToolError::not_sent)?;
        match timeout_at(until, connection.call(&definition.name, arguments)).await {
            Ok(Ok(answer)) => {
                self.state().n_in_vain = 0;
                Ok(answer)
            }
            Ok(Err(error)) => {
                Self::learn(&connection, &error);
                Err(of_call(&self.name, &error, definition.output.is_some()))
            }
            Err(_elapsed) => Err(ToolError::maybe_sent(self.network(format!(
                "`{}` did not answer `{}` in time (an answer above 10 MiB is none)",
                self.name, definition.name
            )))),
        }
    }

    /// Ends the server. Afterwards it cannot be started any more.
    pub(super) async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// A connection to a server whose tool is what `definition` says.
    async fn connection_for(
        self: &Arc<Self>,
        definition: &Definition,
    ) -> Result<Arc<Connection>, Failure> {
        let connection = self.connection().await?;
        let tools = self.tools_of(&connection).await?;
        let live = tools.iter().find(|it| it.name == definition.name);
        if live.is_some_and(|it| it.digest() == definition.digest()) {
            return Ok(connection);
        }
        let what = if live.is_some() { "is not what was accepted any more" } else { "is gone" };
        let name = &self.name;
        Err(of_server(
            name,
            FailureClass::Permission,
            format!(
                "`{}` of `{name}` {what}: look at it with `windlass connectors`, accept it with \
                 `windlass connectors --accept {name}`, then start Windlass again",
                definition.name
            ),
        ))
    }

    /// What a failed call tells of the connection.
    fn learn(connection: &Connection, error: &ServiceError) {
        if is_session_lost(error) {
            connection.close();
        } else if matches!(error, ServiceError::TransportSend(_)) {
            // When the server can be reached again, it may be another one.
            connection.doubt_list();
        }
    }

    /// The tools of a connected server. A difference to what was accepted is said in the log.
    async fn tools_of(&self, connection: &Connection) -> Result<Arc<[Definition]>, Failure> {
        let listed = connection.tools().await.map_err(|error| {
            Self::learn(connection, &error);
            let failure = of_call(&self.name, &error, false).failure;
            Failure { message: format!("could not list the tools: {failure}"), ..failure }
        })?;
        let accepted = self.state().accepted.clone();
        if let Some(accepted) = accepted.filter(|_| listed.is_new) {
            let changes = changes(&accepted, &listed.tools);
            let told: Vec<_> =
                changes.iter().map(|it| format!("{}: {}", it.tool, it.what)).collect();
            if !told.is_empty() {
                tracing::warn!(
                    connector = %self.name,
                    "its tools are not what was accepted, see `windlass connectors`: {}",
                    told.join("; ")
                );
            }
        }
        Ok(listed.tools)
    }

    /// The connection, made where there is none. All callers wait for the same one.
    async fn connection(self: &Arc<Self>) -> Result<Arc<Connection>, Failure> {
        for _try in 0..2 {
            let newest = self.newest().await?;
            // Nobody may have looked since it was made.
            if newest.is_open() {
                return Ok(newest);
            }
        }
        Err(self.network(format!("`{}` ends as soon as it is ready", self.name)))
    }

    fn newest(self: &Arc<Self>) -> Starting {
        let mut state = self.state();
        if let Some(newest) = &state.newest {
            let is_good = |made: &Result<Arc<Connection>, Failure>| {
                made.as_ref().is_ok_and(|connection| connection.is_open())
            };
            if newest.peek().is_none_or(is_good) {
                return newest.clone();
            }
            state.last_failure = newest.peek().and_then(|made| made.as_ref().err()).cloned();
        }
        let pause = pause(state.n_in_vain);
        state.n_in_vain = state.n_in_vain.saturating_add(1);
        // In a task of its own: a caller that has no time left must not undo what the next one could use.
        let server = Arc::clone(self);
        let task = self.tasks.spawn(async move {
            tokio::select! {
                () = server.stop.cancelled() => Err(Failure::internal("Windlass is stopping")),
                connection = server.start_after(pause) => connection,
            }
        });
        let newest = task
            .map(|done| {
                done.unwrap_or_else(|error| {
                    Err(Failure::internal(format!("the start of a connector broke off: {error}")))
                })
            })
            .boxed()
            .shared();
        state.newest = Some(newest.clone());
        newest
    }

    async fn start_after(self: &Arc<Self>, pause: Duration) -> Result<Arc<Connection>, Failure> {
        tokio::time::sleep(pause).await;
        let start = async {
            let connection = self.start().await?;
            self.tools_of(&connection).await?;
            self.tasks.spawn(Arc::clone(self).watch(Arc::clone(&connection)));
            Ok(connection)
        };
        tokio::time::timeout(START_TIME, start).await.unwrap_or_else(|_elapsed| {
            Err(self.network(format!("`{}` was not ready within {START_TIME:?}", self.name)))
        })
    }

    async fn start(self: &Arc<Self>) -> Result<Arc<Connection>, Failure> {
        let failed = |error| of_start(&self.name, &error);
        let close = self.stop.child_token();
        match &self.config.endpoint {
            Endpoint::Http { url, headers } => {
                let channel = http::open(url, headers, &self.secrets)?;
                let (connection, line) =
                    connection::connect(channel, close).await.map_err(failed)?;
                self.tasks.spawn(line.waiting());
                Ok(Arc::new(connection))
            }
            Endpoint::Process { command, args, env, dir } => {
                let (name, secrets, root) = (&self.name, &*self.secrets, &*self.root);
                let program = stdio::Program { name, command, args, env, secrets, dir, root };
                let (process, pipes) = program.start()?;
                let (connection, line) = connection::connect(pipes, close).await.map_err(failed)?;
                self.tasks.spawn(async move {
                    let _however_it_ended = line.waiting().await;
                    process.end().await;
                });
                Ok(Arc::new(connection))
            }
        }
    }

    /// Asks for the tools as soon as the server says that they have changed, so that it is said in the log.
    async fn watch(self: Arc<Self>, connection: Arc<Connection>) {
        loop {
            tokio::select! {
                () = connection.list_changed() => {}
                () = connection.closed() => return,
            }
            if let Err(failure) = self.tools_of(&connection).await {
                tracing::warn!(connector = %self.name, %failure, "its tools have changed");
            }
        }
    }

    /// The failure of a caller that did not wait for the next start: why the last one failed.
    fn not_ready(&self) -> Failure {
        let last_failure = self.state().last_failure.clone();
        last_failure
            .unwrap_or_else(|| self.network(format!("`{}` was not ready in time", self.name)))
    }

    fn network(&self, message: String) -> Failure {
        of_server(&self.name, FailureClass::Network, message)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait before the next start, when so many were in vain.
fn pause(n_in_vain: u32) -> Duration {
    let doublings = n_in_vain.checked_sub(1);
    doublings.map_or(Duration::ZERO, |n| {
        Duration::from_secs(1).saturating_mul(1 << n.min(10)).min(MAX_PAUSE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_before_a_start_grows_to_a_minute() {
        let pauses: Vec<_> = [0, 1, 2, 3, 7, 40].map(|n| pause(n).as_secs()).into();

        assert_eq!(pauses, [0, 1, 2, 4, 60, 60]);
    }
}
