//! The one effect of a run: recorded in the ledger before its request is sent, and afterwards applied, failed or in doubt.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Failure, FailureClass, LogLevel, LookupResult, Prices, ResolvedBy, ScriptPosition, Sent, Status,
};
use windlass_store::{
    ApplyMutation, BeginMutation, BegunMutation, CaptureMutation, ClaimedRun, DoubtMutation,
    FailMutation, NewLog, SharedStore,
};

use super::stop::Stop;
use crate::lease::LeaseTable;
use crate::lookup::look_up;
use crate::panic::guarded;
use crate::parts::MutationMode;
use crate::persist::persist;
use crate::registry::{Callable, full_name};
use crate::sample::sample;
use crate::tool::{MutationKey, Tool, ToolCall, ToolError};
use crate::tool_request::ToolRequest;

/// Makes the mutations of runs.
pub(crate) struct MutationExecutor {
    pub(crate) store: SharedStore,
    pub(crate) mode: MutationMode,
    pub(crate) prices: Prices,
    pub(crate) leases: Arc<LeaseTable>,
    /// How long a request may take.
    pub(crate) call_time_limit: Duration,
    /// How long the look-up of an effect may take.
    pub(crate) lookup_time_limit: Duration,
}

/// The mutation that `mutate` asked for.
pub(super) struct Mutation {
    pub(super) request: ToolRequest,
    /// The title that people see.
    pub(super) title: String,
    /// What `mutate` logged.
    pub(super) logs: Vec<NewLog>,
}

/// The result of a request, as far as it is known.
enum RequestResult {
    Applied {
        result: Value,
        resolved_by: Option<ResolvedBy>,
    },
    Failed {
        failure: Failure,
        resolved_by: Option<ResolvedBy>,
    },
    InDoubt {
        failure: Failure,
        /// If it was looked up without a proof: how long after the request a missing effect proves that it did not happen.
        looked_up: Option<Duration>,
    },
}

impl MutationExecutor {
    /// Makes a mutation. Returns its result, and what has to be logged with the next checkpoint.
    pub(super) async fn execute(
        &self,
        run: &ClaimedRun,
        mutation: Mutation,
    ) -> Result<(Value, Vec<NewLog>), Stop> {
        let Mutation { request, title, logs } = mutation;
        let tool = request.tool.as_ref();
        let params = BeginMutation {
            claim: run.claim,
            tool_namespace: request.callable.spec().namespace.clone(),
            tool_method: request.callable.spec().method.clone(),
            params: request.input.clone(),
            target: tool.subject(&request.input).place,
            ui_title: title,
            reconcilable: tool.can_look_up(&request.input),
            price: self.prices.of(&request.capability),
            logs,
        };
        let begun = persist(|| self.store.begin_mutation(params.clone())).await?;
        if self.mode == MutationMode::Capture {
            return self.capture(run, &request.callable).await;
        }
        let key = MutationKey { id: begun.id, idempotency_key: begun.idempotency_key.clone() };
        let call = ToolCall { mutation: Some(key), ..request.tool_call(run, self.call_time_limit) };
        // The last check before the request is sent: the process may have been frozen since the row was written, and the worker that
        // took the run over may have looked the effect up already.
        let result = if self.leases.is_safe(run.claim) {
            send(tool, call, self.lookup_time_limit).await
        } else {
            RequestResult::not_sent_in_time()
        };
        let logs = unexpected_answer(&result, &request.callable);
        Ok((self.settle(run, &begun, result.at(request.at)).await?, logs))
    }

    /// Records the mutation without sending a request.
    async fn capture(
        &self,
        run: &ClaimedRun,
        callable: &Callable,
    ) -> Result<(Value, Vec<NewLog>), Stop> {
        let result = sample(&callable.spec().output);
        let params = CaptureMutation { claim: run.claim, result: result.clone() };
        persist(|| self.store.capture_mutation(params.clone())).await?;
        Ok((result, Vec::new()))
    }

    /// Writes the result of the request. Only an applied mutation lets the run continue.
    async fn settle(
        &self,
        run: &ClaimedRun,
        begun: &BegunMutation,
        result: RequestResult,
    ) -> Result<Value, Stop> {
        let (claim, mutation) = (run.claim, begun.id);
        match result {
            RequestResult::Applied { result, resolved_by } => {
                let params = ApplyMutation { claim, mutation, result: result.clone(), resolved_by };
                persist(|| self.store.apply_mutation(params.clone())).await?;
                Ok(result)
            }
            RequestResult::Failed { failure, resolved_by } => {
                let params =
                    FailMutation { claim, mutation, failure: failure.clone(), resolved_by };
                persist(|| self.store.fail_mutation(params.clone())).await?;
                Err(Stop::Stopped { status: failure.class.stopped_status(), failure })
            }
            RequestResult::InDoubt { failure, looked_up } => {
                let params = DoubtMutation { claim, mutation, failure: failure.clone(), looked_up };
                persist(|| self.store.doubt_mutation(params.clone())).await?;
                Err(Stop::Stopped { status: Status::PausedReconciliation, failure })
            }
        }
    }
}

impl RequestResult {
    /// The request was not sent, because the lease may have ended.
    fn not_sent_in_time() -> Self {
        let message = "the worker's right to the run had run out before the request left";
        Self::Failed { failure: Failure::network(message), resolved_by: None }
    }

    /// Adds where in the script the call is.
    fn at(self, position: Option<ScriptPosition>) -> Self {
        match self {
            Self::Failed { failure, resolved_by } => {
                Self::Failed { failure: failure.at(position), resolved_by }
            }
            Self::InDoubt { failure, looked_up } => {
                Self::InDoubt { failure: failure.at(position), looked_up }
            }
            applied @ Self::Applied { .. } => applied,
        }
    }
}

/// Sends the request. If it is unknown whether the effect happened, looks it up at once.
async fn send(tool: &dyn Tool, request: ToolCall, lookup_time_limit: Duration) -> RequestResult {
    let name = format!("`{}`", full_name(tool.spec()));
    let call = guarded(&name, tool.call(request.clone()));
    let error = match tokio::time::timeout(request.time_limit, call).await {
        Ok(Ok(Ok(result))) => return RequestResult::Applied { result, resolved_by: None },
        Ok(Ok(Err(error))) => error,
        // It is unknown how far it came.
        Ok(Err(panic)) => ToolError::maybe_sent(panic),
        Err(_elapsed) => {
            let message = format!(
                "no answer within {:?}, after the request may have left",
                request.time_limit
            );
            ToolError::maybe_sent(Failure::new(FailureClass::Network, message))
        }
    };
    match error.sent {
        Sent::No => RequestResult::Failed { failure: error.failure, resolved_by: None },
        // The effect happened: the tool only could not use the answer.
        Sent::Yes => RequestResult::Applied {
            result: json!({"unreadable": error.failure.message}),
            resolved_by: None,
        },
        Sent::Maybe => look_up_once(tool, request, lookup_time_limit, error.failure).await,
    }
}

/// Looks up once, and at once, whether the effect of a request happened that failed with `failure`.
async fn look_up_once(
    tool: &dyn Tool,
    request: ToolCall,
    time_limit: Duration,
    failure: Failure,
) -> RequestResult {
    let resolved_by = Some(ResolvedBy::Reconciliation);
    match look_up(tool, request, time_limit).await {
        None => RequestResult::InDoubt { failure, looked_up: None },
        Some(LookupResult::Applied(result)) => RequestResult::Applied { result, resolved_by },
        Some(LookupResult::Absent { counts_after: Duration::ZERO }) => {
            RequestResult::Failed { failure, resolved_by }
        }
        Some(LookupResult::Absent { counts_after }) => {
            RequestResult::InDoubt { failure, looked_up: Some(counts_after) }
        }
        Some(LookupResult::Unknown(_)) => {
            RequestResult::InDoubt { failure, looked_up: Some(Duration::ZERO) }
        }
    }
}

/// A log line about an answer that does not fit the tool's output schema. The effect happened all the same.
fn unexpected_answer(result: &RequestResult, callable: &Callable) -> Vec<NewLog> {
    let RequestResult::Applied { result, .. } = result else { return Vec::new() };
    match callable.check_output(result) {
        Ok(()) => Vec::new(),
        Err(failure) => vec![NewLog { level: LogLevel::Warn, message: failure.message }],
    }
}

#[cfg(test)]
mod tests;
