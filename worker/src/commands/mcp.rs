//! `windlass mcp`: serves an agent over the Model Context Protocol.

use windlass_api::mcp::AgentServer;
use windlass_api::service::PlanChecker;

use super::engine::described_registry;
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
    let plans = plan_checker(context).await;
    AgentServer::new(service, args.agent.clone(), plans).serve(input, output).await?;
    Ok(ExitStatus::Done)
}

/// Checks plans by the tools of the deployment. Where those are not known, an agent can still work on its plans, and a person has to let
/// start what calls tools.
async fn plan_checker(context: &Context) -> PlanChecker {
    match described_registry(context).await {
        Ok(registry) => PlanChecker::new(&registry),
        Err(error) => {
            tracing::warn!("the tools are not known, so plans are checked without them: {error}");
            PlanChecker::default()
        }
    }
}
