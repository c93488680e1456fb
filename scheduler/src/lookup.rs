//! Looking effects up whose outcome is in doubt: at once by the worker that sent the request, and in the background by any.

use std::time::Duration;

use windlass_core::{Failure, LookupResult, WorkflowId, WorkspaceId};
use windlass_store::{ClaimLookups, DueLookup, SettleLookup, StoreError};

use crate::drive::Driver;
use crate::moment::Moment;
use crate::panic::guarded;
use crate::registry::{Target, full_name};
use crate::tool::{MutationKey, Tool, ToolCall};

/// How many effects one worker looks up at a time.
pub(crate) const AT_ONCE: usize = 4;

/// Asks the tool whether an effect happened; none where it cannot look such a call up. A panic of the tool says nothing about it.
pub(crate) async fn look_up(
    tool: &dyn Tool,
    request: ToolCall,
    time_limit: Duration,
) -> Option<LookupResult> {
    let name = format!("`{}`", full_name(tool.spec()));
    let looked_up = guarded(&name, async {
        if !tool.can_look_up(&request.input) {
            return None;
        }
        let result = tokio::time::timeout(time_limit, tool.reconcile(request)).await;
        Some(result.unwrap_or_else(|_elapsed| {
            LookupResult::Unknown(Failure::network(format!("no answer within {time_limit:?}")))
        }))
    });
    looked_up.await.unwrap_or_else(|panic| Some(LookupResult::Unknown(panic)))
}

/// An effect that this worker has taken to look it up.
pub(crate) struct TakenLookup {
    due: DueLookup,
    /// An attempt that begins later may outlast its time, and another worker may have settled the effect.
    taken_after: Moment,
}

impl Driver {
    /// Takes effects whose time to be looked up has come, or those of one workflow, as many as this worker may look up now.
    pub(crate) async fn due_lookups(
        &self,
        of: Option<(WorkspaceId, WorkflowId)>,
    ) -> Result<Vec<TakenLookup>, StoreError> {
        let limit = u32::try_from(self.lookups.available_permits()).unwrap_or(u32::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        // Twice the time of an attempt: whoever is slow or lost is overtaken, and the slow answer still counts.
        let time = self.policy.lookup.timeout() * 2;
        let taken_after = Moment::now();
        let due = self.store.claim_lookups(ClaimLookups { of, limit, time }).await?;
        Ok(due.into_iter().map(|due| TakenLookup { due, taken_after }).collect())
    }

    /// Looks one effect up and writes what that came to.
    pub(crate) async fn settle_lookup(&self, taken: TakenLookup) -> Result<(), StoreError> {
        let TakenLookup { due, taken_after } = taken;
        let (mutation, attempt) = (due.mutation.id, due.mutation.reconcile_attempts);
        let workspace = due.workspace;
        // To look may be to send again: whoever was frozen must not, once others may have decided.
        if taken_after.elapsed() >= self.policy.lookup.timeout() {
            tracing::warn!(%mutation, attempt, "too late to look the effect up, it is left to whoever comes next");
            return Ok(());
        }
        let finding = self.find(due).await;
        if let LookupResult::Unknown(failure) = &finding {
            tracing::warn!(%mutation, attempt, %failure, "the effect could not be looked up");
        }
        let params = SettleLookup { workspace, mutation, attempt, finding };
        let settled = self.store.settle_lookup(params).await;
        match settled {
            Ok(status) => tracing::info!(%mutation, attempt, %status, "looked an effect up"),
            // A person, or another worker, was faster.
            Err(StoreError::NotNow { .. }) => {
                tracing::debug!(%mutation, attempt, "the effect was settled meanwhile");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn find(&self, due: DueLookup) -> LookupResult {
        let DueLookup { mutation, workspace, workflow_name } = due;
        let (namespace, method) = (&mutation.tool_namespace, &mutation.tool_method);
        let found = self.registry.find(namespace, method).map(crate::registry::Callable::target);
        let Some(Target::Tool(tool)) = found else {
            return LookupResult::Unknown(Failure::internal(format!(
                "this worker has no tool `{namespace}.{method}`"
            )));
        };
        let request = ToolCall {
            input: mutation.params,
            workspace,
            workflow: mutation.workflow_id,
            workflow_name,
            run: mutation.handler_run_id,
            mutation: Some(MutationKey {
                id: mutation.id,
                idempotency_key: mutation.idempotency_key,
            }),
            time_limit: self.policy.lookup.timeout(),
        };
        let found = look_up(tool.as_ref(), request, self.policy.lookup.timeout()).await;
        found.unwrap_or_else(|| {
            LookupResult::Unknown(Failure::internal(
                "the tool could look the effect up when the request was made, and no longer can",
            ))
        })
    }
}
