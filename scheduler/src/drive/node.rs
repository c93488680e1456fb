//! The run of a node: its tool is called once, and what the tool answers is the node's result.
//!
//! It has the phases of a consumer. `prepare` resolves the call and stores the exact request, or calls a tool that only reads. `mutate` makes
//! the effect, with its row in the ledger first. `next` commits the node with what came of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::graph::{MadeArtifact, Node, NodeResult, ResultStatus, Word};
use windlass_core::{Capability, Failure, OnRefusal, Operation, Phase};
use windlass_sandbox::HostCall;
use windlass_store::{CheckpointPrepare, ClaimedRun, CommitNode, NewLog};

use super::mutation::{Mutation, MutationEnd};
use super::stop::{FailedPhase, Stop};
use super::{FollowUpRun, RunDriver};
use crate::panic::guarded;
use crate::persist::persist;
use crate::progress::ProgressStep;
use crate::tool_request::{ResolvedCall, ToolRequest};

/// What came of the node's call.
struct Called {
    answer: Value,
    /// Whether it was an effect.
    has_effect: bool,
    logs: Vec<NewLog>,
}

impl RunDriver {
    pub(super) async fn node(&self, run: &ClaimedRun) -> Result<Option<FollowUpRun>, Stop> {
        let graph = run.graph.as_ref();
        let node = graph.and_then(|graph| graph.nodes.iter().find(|node| node.id == run.handler));
        let Some((graph, node)) = graph.zip(node) else {
            let failure = Failure::internal(format!("the plan has no node `{}`", run.handler));
            return Err(Stop::Failed(FailedPhase::at(run.state.phase, failure)));
        };
        let called = if run.state.phase == Phase::Emitting {
            from_earlier_run(run)
        } else {
            let request = self
                .resolve(run, node, graph.tools())
                .map_err(|failure| Stop::Failed(FailedPhase::at(Phase::Preparing, failure)))?;
            self.call_tool(run, node, request).await?
        };
        let Called { answer, has_effect, logs } = called;
        let result = result(node, answer);
        let params = CommitNode { claim: run.claim, result, leaves_traces: has_effect, logs };
        persist(|| self.store.commit_node(params.clone())).await?;
        Ok(None)
    }

    /// The call that the node wants: its tool with its input.
    fn resolve(
        &self,
        run: &ClaimedRun,
        node: &Node,
        grant: windlass_core::Grant,
    ) -> Result<ToolRequest, Failure> {
        let tool: Capability =
            node.owner.reference.parse().map_err(|error: windlass_core::InvalidCapability| {
                Failure::logic(format!("node `{}`: {error}", node.id))
            })?;
        let call = HostCall {
            namespace: tool.namespace().to_owned(),
            method: tool.method().to_owned(),
            input: run.input_state.clone().unwrap_or_else(|| json!({})),
            has_halves: false,
            at: None,
        };
        match ResolvedCall::new(&self.registry, &Arc::new(grant), call)? {
            ResolvedCall::Tool(request) => Ok(request),
            ResolvedCall::Topics(..) => Err(Failure::logic(format!(
                "node `{}` calls `{tool}`, which only scripts do",
                node.id
            ))),
        }
    }

    async fn call_tool(
        &self,
        run: &ClaimedRun,
        node: &Node,
        request: ToolRequest,
    ) -> Result<Called, Stop> {
        self.reporter.report(run, ProgressStep::Entered(Phase::Preparing));
        let time_limit = node.timeout_ms.map(Duration::from_millis);
        let call = ResolvedCall::Tool(request.clone());
        if call.operation() == Operation::Read {
            let answer = self.read(run, &request, time_limit).await?;
            self.checkpoint(run, answer.clone()).await?;
            return Ok(Called { answer, has_effect: false, logs: Vec::new() });
        }
        self.checkpoint(run, json!({ "tool": request.callable.name(), "input": request.input }))
            .await?;
        self.reporter.report(run, ProgressStep::Entered(Phase::Mutating));
        let title = node.label.clone();
        let step = ProgressStep::Mutating { tool: request.callable.name(), title: title.clone() };
        self.reporter.report(run, step);
        let mutation = Mutation {
            request,
            title,
            logs: Vec::new(),
            on_refusal: OnRefusal::default(),
            time_limit,
        };
        let (end, logs) = self.mutations.execute(run, mutation).await?;
        match end {
            MutationEnd::Applied(answer) => Ok(Called { answer, has_effect: true, logs }),
            MutationEnd::Refused(failure) => Err(Stop::Failed(failure.into())),
        }
    }

    async fn read(
        &self,
        run: &ClaimedRun,
        request: &ToolRequest,
        time_limit: Option<Duration>,
    ) -> Result<Value, Stop> {
        let time_limit = time_limit.unwrap_or(self.mutations.call_time_limit);
        let name = format!("`{}`", request.callable.name());
        let call = request.tool_call(run, time_limit);
        let answer = guarded(&name, request.tool.read(call));
        let answer = match tokio::time::timeout(time_limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(panic)) => Err(panic),
            Err(_elapsed) => {
                Err(Failure::network(format!("{name} gave no answer within {time_limit:?}")))
            }
        };
        let answer = answer.and_then(|answer| {
            request.callable.check_output(&answer)?;
            Ok(answer)
        });
        answer.map_err(|failure| Stop::Failed(FailedPhase::at(Phase::Preparing, failure)))
    }

    async fn checkpoint(&self, run: &ClaimedRun, result: Value) -> Result<(), Stop> {
        let params = CheckpointPrepare {
            claim: run.claim,
            result,
            reservations: Vec::new(),
            wake_at: None,
            logs: Vec::new(),
        };
        persist(|| self.store.checkpoint_prepare(params.clone())).await?;
        Ok(())
    }
}

/// What the call of the run that this one continues came to.
fn from_earlier_run(run: &ClaimedRun) -> Called {
    let answer = run.mutation_result.clone().unwrap_or(Value::Null);
    Called { answer, has_effect: true, logs: Vec::new() }
}

/// The answer of a tool as the result of its node. A deliverable is the field of its name in the answer, or else the whole answer.
fn result(node: &Node, answer: Value) -> NodeResult {
    let made = node.deliverables.iter().map(|wanted| MadeArtifact {
        name: wanted.name.clone(),
        kind: Word::Known(wanted.kind),
        content: Some(answer.get(&wanted.name).unwrap_or(&answer).clone()),
        pointer: None,
        description: None,
    });
    NodeResult {
        status: Word::Known(ResultStatus::Success),
        artifacts: made.collect(),
        output: Some(answer),
        criteria: Vec::new(),
        notes: None,
        reason: None,
        failure_class: None,
    }
}
