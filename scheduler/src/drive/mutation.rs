//! The one effect of a run: ledgered before it leaves, and afterwards applied, not applied, or in doubt.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Failure, FailureClass, Grant, LogLevel, LookupResult, Phase, ResolvedBy, Sent, Status,
};
use windlass_sandbox::HostCall;
use windlass_store::{
    ApplyMutation, BeginMutation, BegunMutation, CaptureMutation, ClaimedRun, DoubtMutation,
    FailMutation, NewLog,
};

use super::{Driver, Stop};
use crate::engine::MutationMode;
use crate::host::{called, check_grant, tool_call};
use crate::lookup::look_up;
use crate::panic::guarded;
use crate::persist::persist;
use crate::progress::ProgressStep;
use crate::registry::{Callable, Target, full_name};
use crate::sample::sample;
use crate::tool::{MutationKey, Tool, ToolCall, ToolError};

/// What `mutate` asked for.
pub(super) struct Asked<'a> {
    pub(super) call: HostCall,
    /// What the script says it is.
    pub(super) title: Option<String>,
    /// What the script may call.
    pub(super) grant: &'a Grant,
    /// What `mutate` logged.
    pub(super) logs: Vec<NewLog>,
}

/// What is known after the request.
enum Settled {
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
        /// Where it was looked up, in vain: how long after the request a missing effect would have proved something.
        looked_up: Option<Duration>,
    },
}

impl Driver {
    /// Makes the mutation that `mutate` asked for. Returns its result, and what is to be logged with the next checkpoint.
    pub(super) async fn make_mutation(
        &self,
        run: &ClaimedRun,
        asked: Asked<'_>,
    ) -> Result<(Value, Vec<NewLog>), Stop> {
        let Asked { call, title, grant, logs } = asked;
        let name = format!("{}.{}", call.namespace, call.method);
        let (callable, tool, input) =
            self.accepted(&call, grant).map_err(|failure| Stop::Failed {
                entered: Phase::Mutating,
                failure: failure.at(call.at.clone()),
                logs: logs.clone(),
            })?;
        let title = title.unwrap_or_else(|| name.clone());
        self.tell(run, ProgressStep::Mutating { tool: name, title: title.clone() });
        let params = BeginMutation {
            claim: run.claim,
            tool_namespace: call.namespace,
            tool_method: call.method,
            params: input.clone(),
            target: tool.subject(&input).place,
            ui_title: title,
            reconcilable: tool.can_look_up(&input),
            price: self.prices.of(&called(tool, &input)),
            logs,
        };
        let begun = persist(|| self.store.begin_mutation(params.clone())).await?;

        if self.mutation_mode == MutationMode::Capture {
            let result = sample(&callable.spec().output);
            let params = CaptureMutation { claim: run.claim, result: result.clone() };
            persist(|| self.store.capture_mutation(params.clone())).await?;
            return Ok((result, Vec::new()));
        }
        let request = ToolCall {
            mutation: Some(MutationKey {
                id: begun.id,
                idempotency_key: begun.idempotency_key.clone(),
            }),
            ..tool_call(run, input, self.policy.script.wall_time())
        };
        // The last look before the request leaves: the process may have been frozen since the row was written, and whoever took
        // the run over may have looked for the effect already.
        let settled = if self.held.trusts(run.claim) {
            send(tool, request, self.policy.lookup.timeout()).await
        } else {
            Settled::too_late()
        };
        let logs = surprises(&settled, callable);
        let at = call.at;
        Ok((self.settle(run, &begun, settled.at(at)).await?, logs))
    }

    /// Looks the tool up and checks the input, before anything is written.
    fn accepted(
        &self,
        call: &HostCall,
        grant: &Grant,
    ) -> Result<(&Callable, &dyn Tool, Value), Failure> {
        let found = self.registry.find(&call.namespace, &call.method);
        let Some((callable, Target::Tool(tool))) =
            found.map(|callable| (callable, callable.target()))
        else {
            return Err(Failure::logic(format!(
                "there is no tool `{}.{}`",
                call.namespace, call.method
            )));
        };
        let mut input = call.input.clone();
        callable.validate_input(&mut input)?;
        check_grant(grant, tool.as_ref(), &input)?;
        Ok((callable, tool.as_ref(), input))
    }

    async fn settle(
        &self,
        run: &ClaimedRun,
        begun: &BegunMutation,
        settled: Settled,
    ) -> Result<Value, Stop> {
        let (claim, mutation) = (run.claim, begun.id);
        match settled {
            Settled::Applied { result, resolved_by } => {
                let params = ApplyMutation { claim, mutation, result: result.clone(), resolved_by };
                persist(|| self.store.apply_mutation(params.clone())).await?;
                Ok(result)
            }
            Settled::Failed { failure, resolved_by } => {
                let params =
                    FailMutation { claim, mutation, failure: failure.clone(), resolved_by };
                persist(|| self.store.fail_mutation(params.clone())).await?;
                Err(Stop::Stopped { status: failure.class.stopped_status(), failure })
            }
            Settled::InDoubt { failure, looked_up } => {
                let params = DoubtMutation { claim, mutation, failure: failure.clone(), looked_up };
                persist(|| self.store.doubt_mutation(params.clone())).await?;
                Err(Stop::Stopped { status: Status::PausedReconciliation, failure })
            }
        }
    }
}

impl Settled {
    /// The request did not leave.
    fn too_late() -> Self {
        let message = "the worker's right to the run had run out before the request left";
        Self::Failed { failure: Failure::network(message), resolved_by: None }
    }

    fn at(self, position: Option<windlass_core::ScriptPosition>) -> Self {
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

/// Sends the request, and where its fate is unknown looks it up at once.
async fn send(tool: &dyn Tool, request: ToolCall, lookup_time: Duration) -> Settled {
    let name = format!("`{}`", full_name(tool.spec()));
    let call = guarded(&name, tool.call(request.clone()));
    let error = match tokio::time::timeout(request.time_limit, call).await {
        Ok(Ok(Ok(result))) => return Settled::Applied { result, resolved_by: None },
        Ok(Ok(Err(error))) => error,
        // How far it came nobody knows.
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
        Sent::No => Settled::Failed { failure: error.failure, resolved_by: None },
        // The effect is there: only what the tool made of the answer failed.
        Sent::Yes => Settled::Applied {
            result: json!({"unreadable": error.failure.message}),
            resolved_by: None,
        },
        Sent::Maybe => after_doubt(tool, request, lookup_time, error.failure).await,
    }
}

/// Looks a request up whose fate is unknown, once and at once.
async fn after_doubt(
    tool: &dyn Tool,
    request: ToolCall,
    time: Duration,
    failure: Failure,
) -> Settled {
    let Some(finding) = look_up(tool, request, time).await else {
        return Settled::InDoubt { failure, looked_up: None };
    };
    match finding {
        LookupResult::Applied(result) => {
            Settled::Applied { result, resolved_by: Some(ResolvedBy::Reconciliation) }
        }
        LookupResult::Absent { counts_after: Duration::ZERO } => {
            Settled::Failed { failure, resolved_by: Some(ResolvedBy::Reconciliation) }
        }
        LookupResult::Absent { counts_after } => {
            Settled::InDoubt { failure, looked_up: Some(counts_after) }
        }
        LookupResult::Unknown(_) => Settled::InDoubt { failure, looked_up: Some(Duration::ZERO) },
    }
}

/// An answer that is not what the tool promises does not undo the effect: it is said in the log.
fn surprises(settled: &Settled, callable: &Callable) -> Vec<NewLog> {
    let Settled::Applied { result, .. } = settled else { return Vec::new() };
    match callable.check_output(result) {
        Ok(()) => Vec::new(),
        Err(failure) => vec![NewLog { level: LogLevel::Warn, message: failure.message }],
    }
}

#[cfg(test)]
mod tests;
