//! The server of the Model Context Protocol (MCP): what agents can ask and do.
//!
//! ```text
//! server.rs     answers what clients ask, and says who asks
//! in_order.rs   the transport: one call after the other, in the order in which they came
//! tool.rs       makes a tool of a typed function
//! plans.rs      the tools for plans
//! refusal.rs    words why a call cannot be done, for an agent
//! journal.rs    the tools of the journal of executions
//! prompt.rs     the prompt that helps an agent to plan
//! resources.rs  the documentation, plans and executions
//! ```
//!
//! A tool is a function of its caller and its input. `tools` is the one list of them.

mod in_order;
mod journal;
mod plans;
mod prompt;
mod refusal;
mod resources;
mod server;
mod tool;

pub use self::server::{AgentServer, ServeError, harmless_name};

/// Every tool that the server offers, in the order in which clients see them.
fn tools() -> Vec<tool::AgentTool> {
    plans::tools().into_iter().chain(journal::tools()).collect()
}
