//! Taking over from workers that are lost.

use windlass_core::MutationId;
use windlass_store::{ReconcileMutation, RecoverRuns, StoreError};

use crate::drive::{Driver, look_up};
use crate::registry::Target;
use crate::tool::{MutationKey, Reconciliation, ToolCall};

/// How many runs are taken over in one transaction.
const BATCH: u32 = 100;

impl Driver {
    /// Takes over the runs whose lease has expired and those of `lost_workers`, and looks up at once what can be looked up.
    pub(crate) async fn recover(
        &self,
        lost_workers: &[windlass_core::WorkerId],
    ) -> Result<(), StoreError> {
        loop {
            let params = RecoverRuns { lost_workers: lost_workers.to_vec(), limit: BATCH };
            let recovered = self.store.recover_runs(params).await?;
            for run in &recovered {
                tracing::warn!(run = %run.run, workflow = %run.workflow, status = %run.status, "recovered a run of a lost worker");
                if let Some(mutation) = run.in_doubt {
                    self.reconcile(mutation).await?;
                }
            }
            if recovered.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    /// Looks a doubtful effect up. Where that does not settle it, it stays a question for a person.
    async fn reconcile(&self, id: MutationId) -> Result<(), StoreError> {
        let mutation = self.store.mutation(id).await?;
        let found = self.registry.find(&mutation.tool_namespace, &mutation.tool_method);
        let Some(Target::Tool(tool)) = found.map(crate::registry::Callable::target) else {
            return Ok(());
        };
        let workflow = self.store.overview(mutation.workflow_id).await?.workflow;
        let request = ToolCall {
            input: mutation.params,
            workspace: workflow.workspace_id,
            workflow: workflow.id,
            workflow_name: workflow.name,
            run: mutation.handler_run_id,
            mutation: Some(MutationKey { id, idempotency_key: mutation.idempotency_key }),
            time_limit: self.policy.script.wall_time(),
        };
        let found = match look_up(tool.as_ref(), request).await {
            Some(Reconciliation::Applied(result)) => Some(result),
            Some(Reconciliation::NotApplied) => None,
            Some(Reconciliation::Retry(failure)) => {
                tracing::warn!(mutation = %id, %failure, "the effect could not be looked up");
                return Ok(());
            }
            None => return Ok(()),
        };
        self.store.reconcile_mutation(ReconcileMutation { mutation: id, found }).await.map(drop)
    }
}
