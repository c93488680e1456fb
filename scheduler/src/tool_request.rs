//! A script's call, resolved once: found in the registry, validated, and checked against the grant.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use windlass_core::{Capability, Failure, Grant, Operation, ScriptPosition};
use windlass_sandbox::HostCall;
use windlass_store::ClaimedRun;

use crate::inputs::check_whole_ids;
use crate::registry::{Callable, Registry, Target, TopicsFunction};
use crate::tool::{Effect, Tool, ToolCall, not_granted};

/// A call that a script may make.
#[derive(Debug, Clone)]
pub(crate) enum ResolvedCall {
    /// Of a tool.
    Tool(ToolRequest),
    /// Of a function of `Topics`, with its valid input.
    Topics(TopicsFunction, Value),
}

/// A call of a tool that the script's grant allows.
#[derive(Debug, Clone)]
pub(crate) struct ToolRequest {
    /// The tool as the registry describes it.
    pub(crate) callable: Arc<Callable>,
    /// The tool.
    pub(crate) tool: Arc<dyn Tool>,
    /// The valid input, with its defaults.
    pub(crate) input: Value,
    /// The capability that the call needs.
    pub(crate) capability: Capability,
    /// The script's grant.
    pub(crate) grant: Arc<Grant>,
    /// Where in the script the call is.
    pub(crate) at: Option<ScriptPosition>,
}

impl ResolvedCall {
    /// Resolves a script's call.
    ///
    /// # Errors
    /// The failure of a call of an unknown function, with an input that is not valid, or that the grant does not allow.
    pub(crate) fn new(
        registry: &Registry,
        grant: &Arc<Grant>,
        call: HostCall,
    ) -> Result<Self, Failure> {
        let HostCall { namespace, method, mut input, has_halves, at } = call;
        let callable = registry
            .find(&namespace, &method)
            .ok_or_else(|| Failure::logic(format!("there is no tool `{namespace}.{method}`")))?;
        callable.validate_input(&mut input)?;
        let tool = match callable.target() {
            Target::Topics(function) => {
                if has_halves {
                    check_whole_ids(&input)?;
                }
                return Ok(Self::Topics(*function, input));
            }
            Target::Tool(tool) => Arc::clone(tool),
        };
        let capability = Capability::tool(namespace, method).on(tool.subject(&input).scope);
        if !grant.allows(&capability) {
            return Err(not_granted(&capability));
        }
        let (callable, grant) = (Arc::clone(callable), Arc::clone(grant));
        Ok(Self::Tool(ToolRequest { callable, tool, input, capability, grant, at }))
    }

    /// Which operation it is.
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Self::Topics(function, _) => function.operation(),
            Self::Tool(request) => match request.tool.effect(&request.input) {
                Effect::Read => Operation::Read,
                Effect::Mutation => Operation::Mutation,
            },
        }
    }
}

impl ToolRequest {
    /// The call of the tool on behalf of a run.
    pub(crate) fn tool_call(&self, run: &ClaimedRun, time_limit: Duration) -> ToolCall {
        ToolCall {
            input: self.input.clone(),
            workspace: run.claim.workspace,
            workflow: run.claim.workflow,
            workflow_name: run.workflow_name.clone(),
            run: run.claim.run,
            time_limit,
            grant: Arc::clone(&self.grant),
        }
    }
}
