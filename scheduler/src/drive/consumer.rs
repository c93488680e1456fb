//! A consumer's run: prepare, mutate, next.

use serde_json::{Value, json};
use windlass_core::{Failure, Outcome, Phase, ScriptPhase};
use windlass_sandbox::Ending;
use windlass_store::{CheckpointPrepare, ClaimedRun, CommitConsumer, NewLog, StoreError};

use super::mutation::Asked;
use super::prepared::Prepared;
use super::{Driver, FollowUpRun, Stop, commit, missing_handler};
use crate::persist::persist;
use crate::progress::ProgressStep;
use crate::scripts::LoadedScript;

/// What `next` is called with.
struct Known {
    prepared: Value,
    mutation_result: Value,
    logs: Vec<NewLog>,
}

impl Driver {
    pub(super) async fn consumer(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
    ) -> Result<Option<FollowUpRun>, Stop> {
        if !script.manifest.consumers.contains_key(&run.handler) {
            return Err(missing_handler(run, script));
        }
        let known = if run.state.phase == Phase::Emitting {
            from_earlier_run(run)
        } else {
            let prepared = self.prepare(run, script).await?;
            self.mutate(run, script, prepared).await?
        };
        self.next(run, script, known).await
    }

    async fn prepare(&self, run: &ClaimedRun, script: &LoadedScript) -> Result<Prepared, Stop> {
        let entered = Phase::Preparing;
        self.tell(run, ProgressStep::Entered(entered));
        let arguments = run.input_state.clone().into_iter().collect();
        let done = self.call(run, script, ScriptPhase::Prepare, arguments).await;
        let returned = done.returned(entered)?;
        let failed = |failure| Stop::Failed { entered, failure, logs: done.logs.clone() };
        let prepared = Prepared::read(returned).map_err(failed)?;
        let params = CheckpointPrepare {
            claim: run.claim,
            result: prepared.value.clone(),
            reservations: prepared.reservations.clone(),
            wake_at: prepared.wake_at.clone(),
            logs: done.logs.clone(),
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
    ) -> Result<Known, Stop> {
        let has_mutate =
            script.manifest.consumers.get(&run.handler).is_some_and(|consumer| consumer.has_mutate);
        if !has_mutate || !prepared.has_reservations() {
            return Ok(without_effect(prepared.value, Vec::new()));
        }
        let entered = Phase::Mutating;
        self.tell(run, ProgressStep::Entered(entered));
        let done = self.call(run, script, ScriptPhase::Mutate, vec![prepared.value.clone()]).await;
        if let Ending::Mutation(call) = done.ending {
            let asked = Asked {
                call,
                title: prepared.title.clone(),
                grant: &script.grant,
                logs: done.logs,
            };
            let (result, logs) = self.make_mutation(run, asked).await?;
            let mutation_result = json!({"status": "applied", "result": result});
            return Ok(Known { prepared: prepared.value, mutation_result, logs });
        }
        done.returned(entered)?;
        Ok(without_effect(prepared.value, done.logs))
    }

    async fn next(
        &self,
        run: &ClaimedRun,
        script: &LoadedScript,
        known: Known,
    ) -> Result<Option<FollowUpRun>, Stop> {
        let Known { prepared, mutation_result, mut logs } = known;
        let has_next =
            script.manifest.consumers.get(&run.handler).is_some_and(|consumer| consumer.has_next);
        let mut params = CommitConsumer {
            claim: run.claim,
            state: None,
            events: Vec::new(),
            logs: Vec::new(),
            follow_up: self.follow_up(),
        };
        if has_next {
            let entered = Phase::Emitting;
            self.tell(run, ProgressStep::Entered(entered));
            let mut done =
                self.call(run, script, ScriptPhase::Next, vec![prepared, mutation_result]).await;
            done.logs.splice(..0, std::mem::take(&mut logs));
            params.state = done.returned(entered)?;
            params.events = done.buffered.events;
            logs = done.logs;
        }
        params.logs = logs;
        commit(|| self.store.commit_consumer(params.clone())).await
    }
}

const fn without_effect_status(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Skipped) => "skipped",
        Some(Outcome::Success | Outcome::Failure) | None => "none",
    }
}

fn without_effect(prepared: Value, logs: Vec<NewLog>) -> Known {
    Known { prepared, mutation_result: json!({"status": without_effect_status(None)}), logs }
}

/// What the run that this one continues had prepared, and what became of its effect.
fn from_earlier_run(run: &ClaimedRun) -> Known {
    let mutation_result = match run.state.outcome {
        Some(Outcome::Success) => json!({"status": "applied", "result": run.mutation_result}),
        other => json!({"status": without_effect_status(other)}),
    };
    Known {
        prepared: run.prepare_result.clone().unwrap_or(Value::Null),
        mutation_result,
        logs: Vec::new(),
    }
}
