//! Answers what clients ask.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, ServerInitializeError, serve_server};
use rmcp::{RoleServer, ServerHandler};
use tokio::io::{AsyncRead, AsyncWrite};
use windlass_core::Actor;

use super::in_order::InOrder;
use super::tool::{AgentTool, Caller};
use super::{prompt, resources};
use crate::service::{PlanChecker, Service};
use crate::text::nearest;

/// What agents are told of the server as a whole.
const INSTRUCTIONS: &str = "Windlass keeps what you do in a database that outlives you. With the tools `record_…` you keep a journal of calls that \
you make yourself: nothing of it is carried out, undone or decided for you. Read `resource://execution-journal/documentation` first.";

/// The name of an agent that does not say its name.
const NAMELESS: &str = "agent";

/// How long the name of an agent may be, in characters.
const MAX_NAME_CHARS: usize = 64;

/// The server: its tools, and the workspace that they work in.
#[derive(Debug)]
pub struct AgentServer {
    service: Service,
    /// The name of the agent; none for the one that its client gives.
    agent: Option<String>,
    plans: Arc<PlanChecker>,
    tools: Vec<AgentTool>,
}

/// Why the server ended before its client did.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The client did not begin as the protocol says.
    #[error("the client did not begin as the Model Context Protocol says")]
    Initialize(#[source] Box<ServerInitializeError>),
    /// The server stopped by a bug of its own.
    #[error("the server stopped unexpectedly")]
    Stopped(#[source] tokio::task::JoinError),
}

impl AgentServer {
    /// A server whose agent is called `agent`, or as its client says. `plans` knows what plans may call.
    #[must_use]
    pub fn new(service: Service, agent: Option<String>, plans: PlanChecker) -> Self {
        Self { service, agent, plans: Arc::new(plans), tools: super::tools() }
    }

    /// Serves one client until it ends the input. Nothing but messages of the protocol goes to `output`.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve<R, W>(self, input: R, output: W) -> Result<(), ServeError>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let running = match Box::pin(serve_server(self, InOrder::new(input, output))).await {
            Ok(running) => running,
            // Who only looks whether the program starts has no request.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(ServeError::Initialize(Box::new(error))),
        };
        running.waiting().await.map(drop).map_err(ServeError::Stopped)
    }

    /// Whose request it is.
    fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let named = || harmless_name(&context.client_info()?.name);
        let name = self.agent.clone().or_else(named).unwrap_or_else(|| NAMELESS.to_owned());
        let actor = Actor::Agent(name);
        let service = Service { actor: actor.to_string(), ..self.service.clone() };
        Caller { service, actor, plans: Arc::clone(&self.plans) }
    }
}

/// A name for an agent that can be stored and shown anywhere: letters and digits, `-`, `_` and `.`. None where nothing is left.
#[must_use]
pub fn harmless_name(name: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = name.split(|c| !is_plain(c)).filter(|word| !word.is_empty());
    let joined: String = words.collect::<Vec<_>>().join("-");
    let short: String = joined.chars().take(MAX_NAME_CHARS).collect();
    (!short.is_empty()).then_some(short)
}

impl ServerHandler for AgentServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .build();
        let server =
            Implementation::new("windlass", env!("CARGO_PKG_VERSION")).with_title("Windlass");
        ServerConfig::new(capabilities).with_server_info(server).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.tools.iter().map(|tool| tool.listed.clone());
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.listed.name == name).map(|tool| tool.listed.clone())
    }

    async fn list_prompts(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompt::prompts()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        Ok(prompt::prompt(&request)?.into())
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::resources()))
    }

    async fn list_resource_templates(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let caller = self.caller(&context);
        Ok(Box::pin(resources::read(caller, &request.uri)).await?.into())
    }

    /// What cannot be done is a result that says so: clients show an error of the protocol to nobody.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = self.tools.iter().find(|tool| tool.listed.name == request.name) else {
            return Err(self.unknown_tool(&request.name));
        };
        let answer = tool.call(self.caller(&context), request.arguments.unwrap_or_default()).await;
        let result = match answer {
            Ok(value) => CallToolResult::structured(value),
            Err(refusal) => CallToolResult::error(vec![ContentBlock::text(refusal.text)]),
        };
        Ok(result.into())
    }
}

impl AgentServer {
    fn unknown_tool(&self, name: &str) -> ErrorData {
        let known = self.tools.iter().map(|tool| tool.listed.name.as_ref());
        let advice = nearest(name, known).map(|it| format!("; did you mean `{it}`?"));
        let message = format!("there is no tool `{name}`{}", advice.unwrap_or_default());
        ErrorData::invalid_params(message, None)
    }
}
