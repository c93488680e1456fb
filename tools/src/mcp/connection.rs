//! A connection to a server that answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest,
    Implementation, JsonObject, ListToolsRequest, PaginatedRequestParams, ServerResult,
};
use rmcp::service::{ClientInitializeError, NotificationContext, RunningService, ServiceExt as _};
use rmcp::transport::IntoTransport;
use rmcp::{ClientHandler, Peer, RoleClient, ServiceError};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::definition::Definition;

/// How long a server may take to list its tools.
const LIST_TIME: Duration = Duration::from_secs(30);

/// A list that goes on after so many pages goes round in circles.
const MAX_PAGES: usize = 100;

/// Our side of the protocol: it offers a server nothing, and listens to one thing.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    list: Arc<ListNews>,
}

/// What was heard of changes of the list.
#[derive(Debug, Default)]
struct ListNews {
    n_heard: AtomicU64,
    heard: Notify,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let windlass = Implementation::new("windlass", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), windlass)
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.list.n_heard.fetch_add(1, Ordering::SeqCst);
        self.list.heard.notify_one();
    }
}

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    peer: Peer<RoleClient>,
    list: Arc<ListNews>,
    known: Mutex<Known>,
    close: CancellationToken,
}

/// What is known of the server's tools, and how much was heard of changes before it was asked.
#[derive(Debug, Default)]
struct Known {
    tools: Option<Arc<[Definition]>>,
    n_heard: u64,
}

/// The tools that a server has now.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) tools: Arc<[Definition]>,
    /// Whether they were asked for just now, and not before.
    pub(super) is_new: bool,
}

/// What keeps a connection going. It ends with the connection, and the transport is closed then.
pub(super) type Line = RunningService<RoleClient, Client>;

/// Shakes hands with a server. The connection lasts until `close` is cancelled; that it was lost cancels it too.
pub(super) async fn connect<T, E, A>(
    transport: T,
    close: CancellationToken,
) -> Result<(Connection, Line), ClientInitializeError>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let client = Client::default();
    let list = Arc::clone(&client.list);
    let line = client.serve_with_ct(transport, close.clone()).await?;
    let connection = Connection { peer: line.peer().clone(), list, known: Mutex::default(), close };
    Ok((connection, line))
}

impl Connection {
    /// Whether a request would be sent.
    pub(super) fn is_open(&self) -> bool {
        !self.close.is_cancelled() && !self.peer.is_transport_closed()
    }

    /// Closes the connection.
    pub(super) fn close(&self) {
        self.close.cancel();
    }

    /// Ends when the connection is lost or closed.
    pub(super) async fn closed(&self) {
        self.close.cancelled().await;
    }

    /// Ends when the server says that its tools have changed.
    pub(super) async fn list_changed(&self) {
        self.list.heard.notified().await;
    }

    /// What is known of the tools may be wrong: they are asked for before the next call.
    pub(super) fn doubt_list(&self) {
        self.list.n_heard.fetch_add(1, Ordering::SeqCst);
    }

    /// The tools that the server has now; it is asked where they may have changed.
    pub(super) async fn tools(&self) -> Result<Listed, ServiceError> {
        let mut known = self.known.lock().await;
        let n_heard = self.list.n_heard.load(Ordering::SeqCst);
        if let Some(tools) = known.tools.as_ref().filter(|_| known.n_heard == n_heard) {
            return Ok(Listed { tools: Arc::clone(tools), is_new: false });
        }
        let tools: Arc<[Definition]> = self.list().await?.into();
        *known = Known { tools: Some(Arc::clone(&tools)), n_heard };
        Ok(Listed { tools, is_new: true })
    }

    /// Asks for all pages. Past the library's own method, which may answer from memory.
    async fn list(&self) -> Result<Vec<Definition>, ServiceError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        for _page in 0..MAX_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
            let answer = tokio::time::timeout(LIST_TIME, self.peer.send_request(request)).await;
            let answer = answer.unwrap_or(Err(ServiceError::Timeout { timeout: LIST_TIME }))?;
            let ServerResult::ListToolsResult(page) = answer else {
                return Err(ServiceError::UnexpectedResponse);
            };
            tools.extend(page.tools.into_iter().map(Definition::from));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(tools);
            }
        }
        Err(ServiceError::UnexpectedResponse)
    }

    /// Calls a tool. Where the future is dropped, the server is told that nobody waits any more.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
    ) -> Result<CallToolResult, ServiceError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.peer.call_tool(params).await
    }
}
