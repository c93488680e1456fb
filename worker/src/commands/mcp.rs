//! `windlass mcp`: serves an agent over the Model Context Protocol.

use windlass_api::mcp::AgentServer;

use crate::cli::McpArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::protocol_streams;

/// Serves one agent until it ends the input.
pub(super) async fn run(context: &Context, args: &McpArgs) -> Result<ExitStatus> {
    let service = context.open_or_create().await?;
    let (input, output) = protocol_streams().map_err(|source| CommandError::System {
        attempt: "read the input and write the output",
        source,
    })?;
    AgentServer::new(service, args.agent.clone()).serve(input, output).await?;
    Ok(ExitStatus::Done)
}
