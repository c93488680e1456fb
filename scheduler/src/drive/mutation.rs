//! The one effect of a run: recorded in the ledger before its request is sent, and afterwards applied, failed or in doubt.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    DataFault, Failure, LogLevel, LookupResult, NoEffect, OnRefusal, Prices, ResolvedBy,
    ScriptPosition, Sent, Status,
};
use windlass_store::{
    ApplyMutation, BeginMutation, BegunMutation, CaptureMutation, ClaimedRun, DoubtMutation,
    FailMutation, NewLog, SharedStore,
};

use super::stop::Stop;
use crate::boot_instant::BootInstant;
use crate::commit_point::CommitPoint;
use crate::lease::LeaseTable;
use crate::lookup::{KeyAge, SentRequest, look_up};
use crate::panic::guarded;
use crate::parts::MutationMode;
use crate::persist::persist;
use crate::place;
use crate::registry::Callable;
use crate::sample::sample;
use crate::tool::{MutationCall, MutationKey, Tool, ToolCall, ToolError};
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
    /// What a definite refusal leads to.
    pub(super) on_refusal: OnRefusal,
    /// How long the request may take, if not as long as usual.
    pub(super) time_limit: Option<Duration>,
}

/// How a mutation ended with which a run goes on.
pub(super) enum MutationEnd {
    /// It is applied, and this is its result.
    Applied(Value),
    /// The other side refused it, and the consumer goes on with that.
    Refused(Failure),
}

/// The result of a request, as far as it is known.
enum RequestResult {
    Applied {
        result: Value,
        resolved_by: Option<ResolvedBy>,
    },
    Failed {
        failure: Failure,
        no_effect: NoEffect,
    },
    InDoubt {
        failure: Failure,
        /// If it was looked up without a proof: how long after the request a missing effect proves that it did not happen.
        looked_up: Option<Duration>,
    },
}

impl MutationExecutor {
    /// Makes a mutation. Returns how it ended, and what has to be logged with the next checkpoint.
    pub(super) async fn execute(
        &self,
        run: &ClaimedRun,
        mutation: Mutation,
    ) -> Result<(MutationEnd, Vec<NewLog>), Stop> {
        let Mutation { request, title, logs, on_refusal, time_limit } = mutation;
        let time_limit = time_limit.unwrap_or(self.call_time_limit);
        let tool = request.tool.as_ref();
        let place = place::identity(tool, &request.input, self.lookup_time_limit).await;
        let params = BeginMutation {
            claim: run.claim,
            tool_namespace: request.callable.spec().namespace.clone(),
            tool_method: request.callable.spec().method.clone(),
            params: request.input.clone(),
            target: tool.subject(&request.input).place,
            place: place.clone(),
            ui_title: title,
            reconcilable: tool.can_look_up(&request.input),
            price: self.prices.of(&request.capability),
            logs,
        };
        let begun_after = BootInstant::now();
        let begun = persist(|| self.store.begin_mutation(params.clone())).await?;
        if self.mode == MutationMode::Capture {
            return self.capture(run, &request.callable).await;
        }
        let attempt = Attempt {
            tool,
            call: request.tool_call(run, time_limit),
            key: MutationKey { id: begun.id, idempotency_key: begun.idempotency_key.clone() },
            place,
            key_age: KeyAge::new(begun.key_age, begun_after),
            lookup_time_limit: self.lookup_time_limit,
        };
        // The process may be frozen at any time, and the worker that takes the run over may look the effect up.
        let (leases, claim, store) = (Arc::clone(&self.leases), run.claim, Arc::clone(&self.store));
        let may_commit = move || leases.is_safe(claim) && store.check_in_place().is_ok();
        let (result, was_passed) = attempt.make(may_commit).await;
        let logs = faults(&result, was_passed, &request.callable);
        let result = result.at(request.at);
        Ok((self.settle(run, &begun, result, on_refusal).await?, logs))
    }

    /// Records the mutation without sending a request.
    async fn capture(
        &self,
        run: &ClaimedRun,
        callable: &Callable,
    ) -> Result<(MutationEnd, Vec<NewLog>), Stop> {
        let result = sample(&callable.spec().output);
        let params = CaptureMutation { claim: run.claim, result: result.clone() };
        persist(|| self.store.capture_mutation(params.clone())).await?;
        Ok((MutationEnd::Applied(result), Vec::new()))
    }

    /// Writes the result of the request. Only an applied mutation lets the run continue, or a refusal that its consumer expects.
    async fn settle(
        &self,
        run: &ClaimedRun,
        begun: &BegunMutation,
        result: RequestResult,
        on_refusal: OnRefusal,
    ) -> Result<MutationEnd, Stop> {
        let (claim, mutation) = (run.claim, begun.id);
        match result {
            RequestResult::Applied { result, resolved_by } => {
                let params = ApplyMutation { claim, mutation, result: result.clone(), resolved_by };
                persist(|| self.store.apply_mutation(params.clone())).await?;
                Ok(MutationEnd::Applied(result))
            }
            RequestResult::Failed { failure, no_effect } => {
                let is_refusal = failure.data_fault() == Some(DataFault::Refused);
                let goes_on = is_refusal && on_refusal == OnRefusal::Next;
                let failure = failure.cropped();
                let failed = failure.clone();
                let params = FailMutation { claim, mutation, failure: failed, no_effect, goes_on };
                persist(|| self.store.fail_mutation(params.clone())).await?;
                if goes_on {
                    return Ok(MutationEnd::Refused(failure));
                }
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
    /// Adds where in the script the call is, and makes failures ready to be stored.
    fn at(self, position: Option<ScriptPosition>) -> Self {
        match self {
            Self::Failed { failure, no_effect } => {
                Self::Failed { failure: failure.at(position).cropped(), no_effect }
            }
            Self::InDoubt { failure, looked_up } => {
                Self::InDoubt { failure: failure.at(position).cropped(), looked_up }
            }
            applied @ Self::Applied { .. } => applied,
        }
    }
}

/// The attempt to make an effect.
struct Attempt<'a> {
    tool: &'a dyn Tool,
    call: ToolCall,
    key: MutationKey,
    /// Identifies where the effect is to happen.
    place: Option<String>,
    key_age: KeyAge,
    lookup_time_limit: Duration,
}

impl Attempt<'_> {
    /// Calls the tool. If it is unknown whether the effect happened, looks it up at once. Also says whether the call has passed its
    /// commit point, which it may as long as `may_commit` says so.
    async fn make(
        self,
        may_commit: impl Fn() -> bool + Clone + Send + Sync + 'static,
    ) -> (RequestResult, bool) {
        let (watch, point) = CommitPoint::new(may_commit.clone());
        let call = MutationCall {
            call: self.call.clone(),
            key: self.key.clone(),
            place: self.place.clone(),
            point,
        };
        let name = format!("`{}`", self.tool.spec().name());
        let answer = guarded(&name, self.tool.mutate(call));
        let answer = tokio::time::timeout(self.call.time_limit, answer).await;
        // From here on the tool sends nothing any more, even if a part of it still runs.
        let was_passed = watch.close();
        let error = match answer {
            Ok(Ok(Ok(result))) => {
                return (RequestResult::Applied { result, resolved_by: None }, was_passed);
            }
            Ok(Ok(Err(error))) => error,
            // It is unknown how far it came.
            Ok(Err(panic)) => ToolError::maybe_sent(panic),
            Err(_elapsed) => {
                let failure = time_is_over(self.call.time_limit, was_passed);
                ToolError::maybe_sent(failure)
            }
        };
        let result = match error.sent {
            // The effect happened: the tool only could not use the answer.
            Sent::Yes => RequestResult::Applied {
                result: json!({"unreadable": error.failure.message}),
                resolved_by: None,
            },
            // A look-up would ask the other side, which asked to wait.
            Sent::Maybe if was_passed && error.failure.retry_after.is_some() => {
                RequestResult::InDoubt { failure: error.failure, looked_up: None }
            }
            Sent::Maybe if was_passed => self.look_up_once(error.failure, may_commit).await,
            Sent::Maybe | Sent::No => {
                // A tool says alike that it was refused and that it sent nothing. Before its commit point it cannot have sent anything.
                let no_effect = if was_passed { NoEffect::Refused } else { NoEffect::Unsent };
                RequestResult::Failed { failure: error.failure, no_effect }
            }
        };
        (result, was_passed)
    }

    /// Looks up once, and at once, whether the effect happened of a request that failed with `failure`.
    async fn look_up_once(
        self,
        failure: Failure,
        may_commit: impl Fn() -> bool + Send + Sync + 'static,
    ) -> RequestResult {
        let resolved_by = Some(ResolvedBy::Reconciliation);
        let call = ToolCall { time_limit: self.lookup_time_limit, ..self.call };
        let sent = SentRequest { call, key: self.key, place: self.place, key_age: self.key_age };
        match look_up(self.tool, sent, may_commit).await {
            None => RequestResult::InDoubt { failure, looked_up: None },
            Some(LookupResult::Applied(result)) => RequestResult::Applied { result, resolved_by },
            Some(LookupResult::Absent { counts_after: Duration::ZERO }) => {
                RequestResult::Failed { failure, no_effect: NoEffect::LookedUp }
            }
            Some(LookupResult::Absent { counts_after }) => {
                RequestResult::InDoubt { failure, looked_up: Some(counts_after) }
            }
            Some(LookupResult::Unknown(_) | LookupResult::Impossible(_)) => {
                RequestResult::InDoubt { failure, looked_up: Some(Duration::ZERO) }
            }
        }
    }
}

fn time_is_over(time_limit: Duration, was_passed: bool) -> Failure {
    Failure::network(if was_passed {
        format!("no answer within {time_limit:?}, after the request may have left")
    } else {
        format!("nothing was sent within {time_limit:?}")
    })
}

/// Log lines about what the tool does wrong. The effect happened all the same.
fn faults(result: &RequestResult, was_passed: bool, callable: &Callable) -> Vec<NewLog> {
    let RequestResult::Applied { result, .. } = result else { return Vec::new() };
    let unexpected_answer = callable.check_output(result).err().map(|failure| failure.message);
    let forgotten_point = (!was_passed).then(|| {
        format!(
            "`{}` made its effect without passing its commit point: tell its author, because a frozen worker could make it twice",
            callable.name()
        )
    });
    let warning = |message| NewLog { level: LogLevel::Warn, message };
    unexpected_answer.into_iter().chain(forgotten_point).map(warning).collect()
}

#[cfg(test)]
mod tests;
