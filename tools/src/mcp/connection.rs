//! One connection to a server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotification,
    CancelledNotificationParam, ClientCapabilities, ClientConfig, ClientRequest, CustomResult,
    Implementation, JsonObject, ListToolsRequest, PaginatedRequestParams, RequestId, ServerResult,
};
use rmcp::service::{
    ClientInitializeError, NotificationContext, PeerRequestOptions, RunningService, ServiceExt as _,
};
use rmcp::transport::IntoTransport;
use rmcp::{ClientHandler, Peer, RoleClient, ServiceError};
use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use windlass_scheduler::CommitPoint;

use super::definition::Definition;
use super::failure::message_line;
use super::{output, result};
use crate::secrets::Secrets;

/// How long a server may take to list its tools.
const LIST_TIME: Duration = Duration::from_secs(30);

/// A list with more pages probably never ends.
const MAX_PAGES: usize = 100;

/// Our side of the protocol. It offers the server nothing and handles one notification.
#[derive(Debug, Clone, Default)]
pub(super) struct Client {
    list_version: Arc<ListVersion>,
}

/// Counts the changes of the server's list of tools.
#[derive(Debug, Default)]
struct ListVersion {
    number: AtomicU64,
    changed: Notify,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let windlass = Implementation::new("windlass", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(ClientCapabilities::default(), windlass)
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.list_version.number.fetch_add(1, Ordering::SeqCst);
        self.list_version.changed.notify_one();
    }
}

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    peer: Peer<RoleClient>,
    list_version: Arc<ListVersion>,
    cache: Mutex<ToolCache>,
    /// Removed from what the server says of its tools.
    secrets: Arc<Secrets>,
    close: CancellationToken,
}

/// The tools of the last list, and the version of the list before it was asked for.
#[derive(Debug, Default)]
struct ToolCache {
    tools: Option<Arc<[Definition]>>,
    problem: Option<String>,
    version: u64,
}

/// The server's current tools.
#[derive(Debug, Clone)]
pub(super) struct ToolList {
    pub(super) tools: Arc<[Definition]>,
    /// Why the list may lack tools.
    pub(super) problem: Option<String>,
    /// Whether the server was asked just now.
    pub(super) is_new: bool,
}

/// A page of the list of tools.
#[derive(Debug)]
struct ToolPage {
    tools: Vec<Definition>,
    next: Option<String>,
}

/// Runs a connection. It ends when the connection is lost or closed, and closes the transport.
pub(super) type Session = RunningService<RoleClient, Client>;

/// Shakes hands with a server. Cancelling `close` closes the connection; when the connection is lost, `close` is cancelled.
pub(super) async fn connect<T, E, A>(
    transport: T,
    close: CancellationToken,
    secrets: &Arc<Secrets>,
) -> Result<(Connection, Session), ClientInitializeError>
where
    T: IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let client = Client::default();
    let list_version = Arc::clone(&client.list_version);
    let session = client.serve_with_ct(transport, close.clone()).await?;
    let peer = session.peer().clone();
    let (cache, secrets) = (Mutex::default(), Arc::clone(secrets));
    Ok((Connection { peer, list_version, cache, secrets, close }, session))
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

    /// Waits until the connection is lost or closed.
    pub(super) async fn closed(&self) {
        self.close.cancelled().await;
    }

    /// Waits until the server says that its tools have changed.
    pub(super) async fn tools_changed(&self) {
        self.list_version.changed.notified().await;
    }

    /// Has the tools listed again before the next call, because the known ones may be wrong.
    pub(super) fn invalidate_tools(&self) {
        self.list_version.number.fetch_add(1, Ordering::SeqCst);
    }

    /// The server's current tools. The server is asked only if they may have changed.
    pub(super) async fn tools(&self) -> Result<ToolList, ServiceError> {
        let mut cache = self.cache.lock().await;
        let version = self.list_version.number.load(Ordering::SeqCst);
        if let Some(tools) = cache.tools.as_ref().filter(|_| cache.version == version) {
            let (tools, problem) = (Arc::clone(tools), cache.problem.clone());
            return Ok(ToolList { tools, problem, is_new: false });
        }
        let (tools, problem) = self.list().await?;
        let tools: Arc<[Definition]> = tools.into();
        *cache = ToolCache { tools: Some(Arc::clone(&tools)), problem: problem.clone(), version };
        Ok(ToolList { tools, problem, is_new: true })
    }

    /// Asks for all pages, and says why some may be missing. Not with the library's own method, which may answer from a cache.
    async fn list(&self) -> Result<(Vec<Definition>, Option<String>), ServiceError> {
        let mut tools: Vec<Definition> = Vec::new();
        let mut cursors = BTreeSet::new();
        let mut cursor = None;
        for _page in 0..MAX_PAGES {
            let page = self.page(cursor).await?;
            for tool in page.tools {
                let tool = tool.redacted(&self.secrets);
                if !tools.iter().any(|it| it.name == tool.name) {
                    tools.push(tool);
                }
            }
            let Some(next) = page.next else { return Ok((tools, None)) };
            if !cursors.insert(next.clone()) {
                let next = message_line(&self.secrets, &next);
                let problem =
                    format!("its list of tools does not end: `nextCursor` is `{next}` again");
                return Ok((tools, Some(problem)));
            }
            cursor = Some(next);
        }
        let problem =
            format!("its list of tools has more than {MAX_PAGES} pages: only those are read");
        Ok((tools, Some(problem)))
    }

    async fn page(&self, cursor: Option<String>) -> Result<ToolPage, ServiceError> {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
        let response = tokio::time::timeout(LIST_TIME, self.peer.send_request(request)).await;
        let response = response.unwrap_or(Err(ServiceError::Timeout { timeout: LIST_TIME }))?;
        if let ServerResult::ListToolsResult(page) = response {
            let tools = page.tools.into_iter().map(Definition::from).collect();
            return Ok(ToolPage { tools, next: page.next_cursor });
        }
        // One tool that is not as it should be must not hide the others.
        let ServerResult::CustomResult(CustomResult(page)) = response else {
            return Err(ServiceError::UnexpectedResponse);
        };
        let tools = page.get("tools").and_then(Value::as_array);
        let tools = tools.ok_or_else(|| output::unreadable("it lists no `tools`"))?;
        let next = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
        Ok(ToolPage { tools: tools.iter().filter_map(Definition::from_json).collect(), next })
    }

    /// Calls a tool. If the future is dropped, the server is told that the call is cancelled.
    ///
    /// The transport finds the `point` in the request's extensions, which are not sent.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: JsonObject,
        point: Option<CommitPoint>,
    ) -> Result<CallToolResult, ServiceError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let mut request = CallToolRequest::new(params);
        if let Some(point) = point {
            request.extensions.insert(point);
        }
        let request = ClientRequest::CallToolRequest(request);
        let options = PeerRequestOptions::no_options();
        let handle = self.peer.send_cancellable_request(request, options).await?;
        let cancelling = CancelOnDrop(Some((self.peer.clone(), handle.id.clone())));
        let response = handle.await_response().await;
        cancelling.forget();
        let response = response?;
        if let ServerResult::CallToolResult(result) = response {
            return Ok(result);
        }
        // It carries the id of the call, and is neither an error nor a question.
        let ServerResult::CustomResult(CustomResult(answer)) = response else {
            return Err(ServiceError::UnexpectedResponse);
        };
        result::from_json(answer).map_err(output::unreadable)
    }
}

/// Tells the server that a call is cancelled, if its caller does not wait for the result.
struct CancelOnDrop(Option<(Peer<RoleClient>, RequestId)>);

impl CancelOnDrop {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Some((peer, request)) = self.0.take() else { return };
        let params = CancelledNotificationParam::new(Some(request), None);
        // One poll hands it over. If that fails, the connection is lost or overloaded, and the server answers in vain.
        let _ = peer.send_notification(CancelledNotification::new(params).into()).now_or_never();
    }
}
