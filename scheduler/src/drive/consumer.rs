//! A consumer's run: prepare, mutate, next.

use serde_json::{Value, json};
use windlass_core::{DataFault, Failure, Outcome, Phase, ScriptPhase, Trial};
use windlass_sandbox::Ending;
use windlass_store::{CheckpointPrepare, ClaimedRun, CommitConsumer, NewLog, StoreError};

use super::mutation::{Mutation, MutationEnd};
use super::prepared::Prepared;
use super::stop::{Stop, call_failed, failed_in, missing_handler};
use super::{FollowUpRun, RunDriver, commit};
use crate::persist::persist;
use crate::progress::ProgressStep;
use crate::script_cache::LoadedScript;

/// What `next` is called with, and what the run has logged since its last checkpoint.
struct NextInput {
    prepared: Value,
    mutation_result: Value,
    logs: Vec<NewLog>,
}

impl RunDriver {
    pub(super) async fn consumer(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
    ) -> Result<Option<FollowUpRun>, Stop> {
        if !script.manifest.consumers.contains_key(&run.handler) {
            return Err(missing_handler(run, script));
        }
        let input = if run.state.phase == Phase::Emitting {
            from_earlier_run(run)
        } else {
            let prepared = self.prepare(run, script).await?;
            if run.trial.as_ref().is_some_and(|trial| trial.trial == Trial::Prepare) {
                return self.end_trial(run).await;
            }
            self.mutate(run, script, prepared).await?
        };
        self.next(run, script, input).await
    }

    async fn prepare(&self, run: &ClaimedRun, script: &LoadedScript) -> Result<Prepared, Stop> {
        let entered = Phase::Preparing;
        self.reporter.report(run, ProgressStep::Entered(entered));
        let arguments = run.input_state.clone().into_iter().collect();
        let call = self.scripts.call(run, script, ScriptPhase::Prepare, arguments).await;
        let returned = call.returned().map_err(|failure| failed_in(entered, failure, &call))?;
        let failed = |failure| call_failed(entered, failure, &call);
        let prepared = Prepared::read(returned).map_err(failed)?;
        let params = CheckpointPrepare {
            claim: run.claim,
            result: prepared.value.clone(),
            reservations: prepared.reservations.clone(),
            wake_at: prepared.wake_at.clone(),
            logs: call.logs.clone(),
        };
        match persist(|| self.store.checkpoint_prepare(params.clone())).await {
            Ok(()) => Ok(prepared),
            Err(refused @ StoreError::ReservationRefused { .. }) => {
                Err(failed(Failure::logic(refused.to_string())))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn mutate(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        prepared: Prepared,
    ) -> Result<NextInput, Stop> {
        let consumer = script.manifest.consumers.get(&run.handler);
        let Some(consumer) = consumer.filter(|it| it.has_mutate && prepared.has_reservations())
        else {
            return Ok(without_effect(prepared.value, Vec::new()));
        };
        let entered = Phase::Mutating;
        self.reporter.report(run, ProgressStep::Entered(entered));
        let arguments = vec![prepared.value.clone()];
        let mut call = self.scripts.call(run, script, ScriptPhase::Mutate, arguments).await;
        if let (Ending::Mutation(_), Some(request)) = (&call.ending, call.buffered.mutation.take())
        {
            let name = request.callable.name();
            let title = prepared.title.clone().unwrap_or_else(|| name.clone());
            let step = ProgressStep::Mutating { tool: name, title: title.clone() };
            self.reporter.report(run, step);
            let on_refusal = consumer.on_refusal;
            let (logs, time_limit) = (call.logs, None);
            let mutation = Mutation { request, title, logs, on_refusal, time_limit };
            let (end, logs) = self.mutations.execute(run, mutation).await?;
            let mutation_result = match end {
                MutationEnd::Applied(result) => json!({"status": "applied", "result": result}),
                MutationEnd::Refused(failure) => refused(&failure.message),
            };
            return Ok(NextInput { prepared: prepared.value, mutation_result, logs });
        }
        call.returned().map_err(|failure| failed_in(entered, failure, &call))?;
        Ok(without_effect(prepared.value, call.logs))
    }

    /// `prepare` accepted the event that was tried: that is all the trial had to show.
    async fn end_trial(&self, run: &ClaimedRun) -> Result<Option<FollowUpRun>, Stop> {
        let params = CommitConsumer {
            claim: run.claim,
            state: None,
            events: Vec::new(),
            logs: Vec::new(),
            follow_up: self.follow_ups.claim(),
        };
        commit(|| self.store.commit_consumer(params.clone())).await
    }

    async fn next(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        input: NextInput,
    ) -> Result<Option<FollowUpRun>, Stop> {
        let NextInput { prepared, mutation_result, mut logs } = input;
        let has_next =
            script.manifest.consumers.get(&run.handler).is_some_and(|consumer| consumer.has_next);
        let mut params = CommitConsumer {
            claim: run.claim,
            state: None,
            events: Vec::new(),
            logs: Vec::new(),
            follow_up: self.follow_ups.claim(),
        };
        if has_next {
            let entered = Phase::Emitting;
            self.reporter.report(run, ProgressStep::Entered(entered));
            let arguments = vec![prepared, mutation_result];
            let mut call = self.scripts.call(run, script, ScriptPhase::Next, arguments).await;
            call.logs.splice(..0, std::mem::take(&mut logs));
            params.state = call.returned().map_err(|failure| failed_in(entered, failure, &call))?;
            params.events = call.buffered.events;
            logs = call.logs;
        }
        params.logs = logs;
        commit(|| self.store.commit_consumer(params.clone())).await
    }
}

const fn status_without_effect(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Skipped) => "skipped",
        Some(Outcome::Success | Outcome::Failure | Outcome::Refused) | None => "none",
    }
}

/// What `next` is told of a refused mutation.
fn refused(why: &str) -> Value {
    let error = json!({"code": DataFault::Refused, "message": why});
    json!({"status": "refused", "error": error})
}

fn without_effect(prepared: Value, logs: Vec<NewLog>) -> NextInput {
    let mutation_result = json!({"status": status_without_effect(None)});
    NextInput { prepared, mutation_result, logs }
}

/// What the run that this one continues had prepared, and the outcome of its effect.
fn from_earlier_run(run: &ClaimedRun) -> NextInput {
    let mutation_result = match run.state.outcome {
        Some(Outcome::Success) => json!({"status": "applied", "result": run.mutation_result}),
        Some(Outcome::Refused) => refused(run.refusal.as_deref().unwrap_or_default()),
        other => json!({"status": status_without_effect(other)}),
    };
    NextInput {
        prepared: run.prepare_result.clone().unwrap_or(Value::Null),
        mutation_result,
        logs: Vec::new(),
    }
}
