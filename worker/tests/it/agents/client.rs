//! An agent: a client of the protocol, and the program that it started.

use std::collections::BTreeMap;
use std::process::Stdio;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, Implementation,
};
use rmcp::service::{RunningService, ServiceError, serve_client};
use rmcp::{Peer, RoleClient};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use windlass_core::graph::mismatches;

use crate::cli::folder::TestFolder;

/// A client that is connected to the program.
pub(crate) struct Agent {
    client: RunningService<RoleClient, ClientConfig>,
    program: Child,
    /// What the answers of each tool have to be.
    answers: BTreeMap<String, Value>,
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
        let client = serve_client(config, pipes).await.unwrap();
        let tools = client.peer().list_all_tools().await.unwrap().into_iter();
        let answers = tools.map(|tool| {
            let schema = (*tool.output_schema.unwrap()).clone();
            (tool.name.into_owned(), Value::Object(schema))
        });
        Self { answers: answers.collect(), client, program }
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

    /// Calls a tool that does what it is asked. Its answer is the same as an object and as one text, and follows the tool's schema.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let result = self.try_call(tool, arguments).await.unwrap();
        assert_ne!(result.is_error, Some(true), "{:?}", result.content);
        let [block] = result.content.as_slice() else { panic!("{:?}", result.content) };
        let answer = result.structured_content.unwrap();
        let text: Value = serde_json::from_str(&block.as_text().unwrap().text).unwrap();
        assert_eq!(text, answer);
        assert_eq!(mismatches(&self.answers[tool], &answer), [], "{answer}");
        answer
    }

    /// Calls a tool that cannot do what it is asked, and returns what it says.
    pub(crate) async fn refused(&self, tool: &str, arguments: Value) -> String {
        let result = self.try_call(tool, arguments).await.unwrap();
        assert_eq!(result.is_error, Some(true), "{:?}", result.structured_content);
        assert_eq!(result.structured_content, None, "no answer but the text");
        let [block] = result.content.as_slice() else { panic!("{:?}", result.content) };
        block.as_text().unwrap().text.clone()
    }

    /// Records a plan, and begins an execution of it. Returns the ids of both.
    pub(crate) async fn begin(&self, plan: Value) -> (String, String) {
        let plan = self.call("record_plan", plan).await["plan_id"].as_str().unwrap().to_owned();
        let started = self.call("record_execution_start", json!({ "plan_id": plan })).await;
        (plan, started["execution_id"].as_str().unwrap().to_owned())
    }

    /// Reports what became of a step.
    pub(crate) async fn step(&self, execution: &str, step: &str, status: &str) -> Value {
        let report = json!({ "execution_id": execution, "step_id": step, "status": status });
        self.call("record_step", report).await
    }

    /// An execution with its steps and events.
    pub(crate) async fn ledger(&self, execution: &str) -> Value {
        let which = json!({ "execution_id": execution, "include_step_details": true, "include_events": true });
        self.call("query_ledger", which).await
    }

    /// Ends the connection, and returns the exit code of the program.
    pub(crate) async fn leave(mut self) -> i32 {
        self.client.cancel().await.unwrap();
        self.program.wait().await.unwrap().code().unwrap()
    }
}

/// A plan of three steps: a flight, a hotel, and a mail that cannot be undone.
pub(crate) fn trip() -> Value {
    json!({
        "name": "A trip",
        "description": "Three days in Lisbon",
        "steps": [
            {"id": "flight", "name": "Book the flight", "tool": "book_flight", "parameters": {"to": "LIS"},
             "cancellable": "reversible"},
            {"id": "hotel", "name": "Book the hotel", "tool": "book_hotel", "parameters": {"nights": 3},
             "cancellable": "partially-reversible",
             "failure_policy": {"action": "cancel_dependent", "propagate_to": ["mail"], "reason": "no bed, no trip"}},
            {"id": "mail", "name": "Tell everyone", "tool": "send_mail"},
        ],
    })
}

/// One field of each item of a list.
pub(crate) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| item[field].as_str().unwrap_or("null")).collect()
}
