//! An agent: a client of the protocol, and the program that it started.

use std::process::Stdio;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation,
};
use rmcp::service::{RunningService, ServiceError, serve_client};
use rmcp::{Peer, RoleClient};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::cli::folder::TestFolder;

/// A client that is connected to the program.
pub(crate) struct Agent {
    client: RunningService<RoleClient, ClientConfig>,
    program: Child,
}

impl Agent {
    /// Starts `windlass mcp` in a folder, and begins as the client `Test Client`.
    pub(crate) async fn connect(folder: &TestFolder, options: &str) -> Self {
        let mut command = Command::from(folder.command(&format!("mcp {options}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut program = command.spawn().unwrap();
        let pipes = (program.stdout.take().unwrap(), program.stdin.take().unwrap());
        let named = Implementation::new("Test Client", "1.0");
        let config = ClientConfig::new(ClientCapabilities::default(), named);
        Self { client: serve_client(config, pipes).await.unwrap(), program }
    }

    /// What the client can ask.
    pub(crate) fn peer(&self) -> &Peer<RoleClient> {
        self.client.peer()
    }

    /// Calls a tool.
    pub(crate) async fn try_call(
        &self,
        tool: &str,
        arguments: Value,
    ) -> Result<CallToolResult, ServiceError> {
        let arguments = arguments.as_object().unwrap().clone();
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.peer().call_tool(request).await
    }

    /// Ends the connection, and returns the exit code of the program.
    pub(crate) async fn leave(mut self) -> i32 {
        self.client.cancel().await.unwrap();
        self.program.wait().await.unwrap().code().unwrap()
    }
}
