//! Looking effects up whose outcome is in doubt: at once by the worker that sent the request, and in the background by any worker.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument as _;
use windlass_core::{Age, Failure, LookupResult, WorkflowId, WorkspaceId};
use windlass_store::{ClaimLookups, DueLookup, Mutation, SettleLookup, SharedStore, StoreError};

use crate::boot_instant::BootInstant;
use crate::commit_point::CommitPoint;
use crate::panic::guarded;
use crate::place;
use crate::registry::{Registry, Target};
use crate::tool::{MutationCall, MutationKey, Tool, ToolCall};

/// How many effects a worker looks up at a time.
const MAX_LOOKUPS: usize = 4;

/// Asks the tool whether an effect happened; none where it cannot look such a call up. A panic of the tool says nothing about it, and
/// neither does what it finds elsewhere than in the place where the effect was to happen.
///
/// Some tools send the request again to find out. They do it only as long as `may_commit` says so, and not after this has returned.
pub(crate) async fn look_up(
    tool: &dyn Tool,
    sent: SentRequest,
    may_commit: impl Fn() -> bool + Send + Sync + 'static,
) -> Option<LookupResult> {
    let SentRequest { call, key, place, key_age } = sent;
    let name = format!("`{}`", tool.spec().name());
    let time_limit = call.time_limit;
    let looked_up = guarded(&name, async {
        if !tool.can_look_up(&call.input) {
            return None;
        }
        let kept = tool.keys_kept(&call.input);
        if let Some(kept) = kept.filter(|kept| !key_age.is_within(*kept)) {
            return Some(LookupResult::Impossible(key_is_forgotten(kept)));
        }
        // A request is sent again only while its key is certainly known there.
        let may_repeat = move || kept.is_some_and(|kept| key_age.is_within(kept)) && may_commit();
        let (_watch, point) = CommitPoint::new(may_repeat);
        let call = MutationCall { call, key, place, point };
        let result = tokio::time::timeout(time_limit, look_up_in_place(tool, call)).await;
        let result = result.unwrap_or_else(|_elapsed| {
            Err(Failure::network(format!("no answer within {time_limit:?}")))
        });
        Some(result.unwrap_or_else(LookupResult::Unknown))
    });
    looked_up.await.unwrap_or_else(|panic| Some(LookupResult::Unknown(panic)))
}

/// A request that may have been sent.
#[derive(Debug)]
pub(crate) struct SentRequest {
    /// What was asked, with the time for the look-up.
    pub(crate) call: ToolCall,
    pub(crate) key: MutationKey,
    /// Where the effect was to happen, as the ledger has it.
    pub(crate) place: Option<String>,
    pub(crate) key_age: KeyAge,
}

/// How long ago a key was first sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyAge {
    /// As the store said it; none where the clock does not tell.
    at_first: Option<Duration>,
    /// An instant before the store said so.
    said_after: BootInstant,
}

impl KeyAge {
    pub(crate) const fn new(at_first: Option<Duration>, said_after: BootInstant) -> Self {
        Self { at_first, said_after }
    }

    /// Whether a service that keeps keys for so long certainly knows the key.
    fn is_within(&self, kept: Age) -> bool {
        match kept {
            Age::Forever => true,
            Age::Span(kept) => {
                self.at_first.is_some_and(|age| age + self.said_after.elapsed() < kept)
            }
        }
    }
}

fn key_is_forgotten(kept: Age) -> Failure {
    Failure::network(format!(
        "it could only be found out by sending the request again, and the service may have forgotten its key, which it keeps for {kept}: \
         it would take the request for a new one"
    ))
}

/// Looks up only in the place that the ledger names, and checks afterwards that it was still the same.
async fn look_up_in_place(tool: &dyn Tool, call: MutationCall) -> Result<LookupResult, Failure> {
    let (input, recorded) = (call.call.input.clone(), call.place.clone());
    place::check(tool, &input, recorded.as_deref()).await?;
    let found = tool.reconcile(call).await;
    place::check(tool, &input, recorded.as_deref()).await?;
    Ok(found)
}

/// Looks up the effects that are due, in the background.
pub(crate) struct BackgroundLookups {
    store: SharedStore,
    registry: Arc<Registry>,
    /// How long one attempt may take.
    time_limit: Duration,
    permits: Arc<Semaphore>,
}

/// An attempt to look an effect up that this worker has claimed.
pub(crate) struct ClaimedLookup {
    due: DueLookup,
    /// An instant before the claim. After the time of an attempt, another worker may settle the effect.
    claimed_after: BootInstant,
    _permit: OwnedSemaphorePermit,
}

impl BackgroundLookups {
    pub(crate) fn new(store: SharedStore, registry: Arc<Registry>, time_limit: Duration) -> Self {
        Self { store, registry, time_limit, permits: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }

    /// Whether this worker looks up as many effects as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.permits.available_permits() == 0
    }

    /// Claims effects that are due to be looked up, of one workflow or of all, as many as this worker may look up now.
    pub(crate) async fn claim_due(
        &self,
        of: Option<(WorkspaceId, WorkflowId)>,
    ) -> Result<Vec<ClaimedLookup>, StoreError> {
        let limit = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        // Twice the time of an attempt: afterwards another worker may try. The late result still counts if it is a proof.
        let time = self.time_limit * 2;
        let claimed_after = BootInstant::now();
        let due = self.store.claim_lookups(ClaimLookups { of, limit, time }).await?;
        // No more were claimed than permits are free, and only the task that claims takes permits.
        let claimed = due.into_iter().filter_map(|due| {
            let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
            Some(ClaimedLookup { due, claimed_after, _permit: permit })
        });
        Ok(claimed.collect())
    }

    /// Looks one effect up and writes the result. What is logged meanwhile has the names of workflow and tool.
    pub(crate) async fn settle(&self, claimed: ClaimedLookup) -> Result<(), StoreError> {
        let DueLookup { mutation, workflow_name, .. } = &claimed.due;
        let Mutation { id, tool_namespace, tool_method, .. } = mutation;
        // As important as the most important entry, so that no level leaves the names out.
        let span = tracing::error_span!("lookup", workflow = %workflow_name, tool = %format_args!("{tool_namespace}.{tool_method}"), %id);
        self.look_up_and_settle(claimed).instrument(span).await
    }

    async fn look_up_and_settle(&self, claimed: ClaimedLookup) -> Result<(), StoreError> {
        let ClaimedLookup { due, claimed_after, _permit } = claimed;
        let (mutation, attempt) = (due.mutation.id, due.mutation.reconcile_attempts);
        let workspace = due.workspace;
        let finding = self.look_up_due(due, claimed_after).await;
        if let LookupResult::Unknown(failure) | LookupResult::Impossible(failure) = &finding {
            tracing::warn!(attempt, %failure, "the effect could not be looked up");
        }
        let params = SettleLookup { workspace, mutation, attempt, finding };
        let settled = self.store.settle_lookup(params).await;
        match settled {
            Ok(status) => tracing::info!(attempt, %status, "looked an effect up"),
            // A person or another worker was faster.
            Err(StoreError::NotNow { .. }) => {
                tracing::debug!(attempt, "the effect was settled in the meantime");
            }
            Err(error) => {
                tracing::error!(%error, "the look-up was given up");
                return Err(error);
            }
        }
        Ok(())
    }

    async fn look_up_due(&self, due: DueLookup, claimed_after: BootInstant) -> LookupResult {
        let DueLookup { mutation, workspace, workflow_name, place, key_age } = due;
        let (namespace, method) = (&mutation.tool_namespace, &mutation.tool_method);
        let callable = self.registry.find(namespace, method);
        let Some(Target::Tool(tool)) = callable.map(|callable| callable.target()) else {
            let missing = self.registry.missing().get(namespace).cloned();
            return LookupResult::Unknown(missing.unwrap_or_else(|| {
                Failure::internal(format!("this worker has no tool `{namespace}.{method}`"))
            }));
        };
        let time_limit = self.time_limit;
        let call = ToolCall {
            input: mutation.params,
            workspace,
            workflow: mutation.workflow_id,
            workflow_name,
            run: mutation.handler_run_id,
            time_limit,
            // A look-up follows no redirect, so it is led to nothing else.
            grant: Arc::default(),
        };
        let key = MutationKey { id: mutation.id, idempotency_key: mutation.idempotency_key };
        // The attempt was claimed for twice this time. A worker that was frozen must not send the request again after others may have
        // decided.
        let store = Arc::clone(&self.store);
        let may_commit =
            move || claimed_after.elapsed() < time_limit && store.check_in_place().is_ok();
        let key_age = KeyAge::new(key_age, claimed_after);
        let sent = SentRequest { call, key, place, key_age };
        let found = look_up(tool.as_ref(), sent, may_commit).await;
        found.unwrap_or_else(|| {
            LookupResult::Unknown(Failure::internal(
                "the tool could look the effect up when the request was made, and no longer can",
            ))
        })
    }
}

#[cfg(test)]
mod tests;
