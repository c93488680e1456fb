//! The arguments of commands for agents.

use clap::Args;
use windlass_api::mcp::harmless_name;

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// What the agent is called; without it as its client says
    #[arg(long, value_name = "NAME", value_parser = agent_name)]
    pub(crate) agent: Option<String>,
}

/// The name of an agent.
fn agent_name(text: &str) -> Result<String, String> {
    harmless_name(text)
        .filter(|name| name == text)
        .ok_or_else(|| "write up to 64 letters, digits, `-`, `_` and `.`".to_owned())
}
