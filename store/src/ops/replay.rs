//! Detects repeated calls: an operation whose answer was lost with the connection is called again, returns the same answer, and
//! writes nothing.
//!
//! Only the worker with the claim calls these operations, and each of them once. So if the requested state is stored already, the
//! same caller has written it. Any other repeated call is refused.

use diesel::dsl::{exists, select};
use diesel::prelude::*;
use serde_json::Value;
use windlass_core::{Failure, MutationId, MutationStatus, Phase, Status, digest};

use super::Tx;
use super::attempts::Attempts;
use super::claim::claimed;
use super::dialect::RunQueryDsl;
use super::locked_run::{LockedRun, load};
use super::queue::Enqueued;
use crate::error::{Result, StoreError};
use crate::literals::IsActive;
use crate::model::{BegunMutation, Claim, ClaimedRun, Committed};
use crate::params::{BeginMutation, FollowUp, StopRun};
use crate::rows::{At, Db, Json, RunRow, StartValues, storable};
use crate::schema::{handler_runs, mutations, run_values, workflows};
use crate::tenant::in_workspace;

/// Whether `prepare` is checkpointed with this result.
pub(super) async fn is_prepared(tx: &Tx<'_>, locked: &LockedRun, result: &Value) -> Result<bool> {
    if locked.state.phase != Phase::Prepared {
        return Ok(false);
    }
    let same =
        run_values::table.find(locked.run.id).filter(run_values::prepare_result.eq(Json(result)));
    select(exists(same)).get_result(tx.conn).await
}

/// The run's mutation, if it has the wanted parameters and is still in flight.
pub(super) async fn begun(
    tx: &Tx<'_>,
    locked: &LockedRun,
    wanted: &BeginMutation,
) -> Result<Option<BegunMutation>> {
    let Some(mutation) = locked.run.mutation_id.filter(|_| locked.state.phase == Phase::Mutating)
    else {
        return Ok(None);
    };
    let same = mutations::table
        .find(mutation)
        .filter(mutations::status.eq(Db(MutationStatus::InFlight)))
        .filter(mutations::tool_namespace.eq(&wanted.tool_namespace))
        .filter(mutations::tool_method.eq(&wanted.tool_method))
        .filter(mutations::params_digest.eq(digest(&wanted.params)))
        .select((mutations::operation_id, mutations::idempotency_key));
    let same: Option<(String, String)> = same.optional(tx.conn).await?;
    let Some((operation_id, idempotency_key)) = same else { return Ok(None) };
    let attempts = Attempts::load(tx, &operation_id).await?;
    let key_age = attempts.key_age(tx, &idempotency_key).await?;
    Ok(Some(BegunMutation { id: mutation.0, idempotency_key, key_age }))
}

/// Whether the run's mutation is applied with this result.
pub(super) async fn is_applied(tx: &Tx<'_>, locked: &LockedRun, result: &Value) -> Result<bool> {
    let Some(mutation) = locked.run.mutation_id.filter(|_| locked.state.phase == Phase::Mutated)
    else {
        return Ok(false);
    };
    let same = mutations::table
        .find(mutation)
        .filter(mutations::status.eq(Db(MutationStatus::Applied)))
        .filter(mutations::result.eq(Json(result)));
    select(exists(same)).get_result(tx.conn).await
}

/// Whether the mutation has one of the statuses because of this failure.
pub(super) async fn has_failed(
    tx: &Tx<'_>,
    claim: Claim,
    mutation: MutationId,
    as_one_of: &[MutationStatus],
    failure: &Failure,
) -> Result<bool> {
    let Some(found) = load(tx.conn, claim.run).await? else { return Ok(false) };
    let is_ours = found.run.fence == claim.fence && found.run.mutation_id == Some(Db(mutation));
    if !is_ours || !found.state.mutation.is_some_and(|status| as_one_of.contains(&status)) {
        return Ok(false);
    }
    let same = mutations::table
        .find(Db(mutation))
        .filter(in_workspace!(claim.workspace, mutations::workflow_id))
        .filter(mutations::error.eq(storable(failure.message.clone())))
        .filter(mutations::error_class.eq(Db(failure.class)));
    select(exists(same)).get_result(tx.conn).await
}

/// Whether the run is stopped because of this failure.
pub(super) async fn is_stopped(tx: &Tx<'_>, wanted: &StopRun) -> Result<bool> {
    let StopRun { claim, failure, .. } = wanted;
    let same = handler_runs::table
        .find(Db(claim.run))
        .filter(handler_runs::workspace_id.eq(Db(claim.workspace)))
        .filter(handler_runs::workflow_id.eq(Db(claim.workflow)))
        .filter(handler_runs::fence.eq(claim.fence))
        .filter(handler_runs::status.ne(Db(Status::Active)))
        .filter(handler_runs::error.eq(storable(failure.message.clone())))
        .filter(handler_runs::error_class.eq(Db(failure.class)));
    select(exists(same)).get_result(tx.conn).await
}

/// The result of the run's earlier commit, or [`StoreError::ClaimLost`] if it is not committed. If the commit gave the worker a next
/// run, its lease is renewed.
pub(super) async fn committed(
    tx: &Tx<'_>,
    claim: Claim,
    wanted: Option<FollowUp>,
) -> Result<Committed> {
    let same = handler_runs::table
        .find(Db(claim.run))
        .filter(handler_runs::workspace_id.eq(Db(claim.workspace)))
        .filter(handler_runs::workflow_id.eq(Db(claim.workflow)))
        .filter(handler_runs::fence.eq(claim.fence))
        .filter(handler_runs::status.eq(Db(Status::Committed)));
    let is_committed: bool = select(exists(same)).get_result(tx.conn).await?;
    if !is_committed {
        return Err(StoreError::ClaimLost { run: claim.run });
    }
    let follow_up = match wanted {
        Some(wanted) => next_claim(tx, claim, wanted).await?,
        None => None,
    };
    Ok(Committed { follow_up })
}

/// The run that the worker claimed with the commit: the workflow's open run, if this worker has it. The worker cannot know of it
/// otherwise, because its own run is committed.
async fn next_claim(
    tx: &Tx<'_>,
    claim: Claim,
    FollowUp { worker, lease }: FollowUp,
) -> Result<Option<ClaimedRun>> {
    let values = (run_values::prepare_result.nullable(), run_values::input_state.nullable());
    let open = handler_runs::table
        .inner_join(workflows::table)
        .left_join(run_values::table)
        .filter(handler_runs::workflow_id.eq(Db(claim.workflow)))
        .filter(handler_runs::claimed_by.eq(Db(worker)))
        .filter(IsActive)
        .select((RunRow::as_select(), workflows::name, values));
    let open: Option<(RunRow, String, StartValues)> = open.optional(tx.conn).await?;
    let Some((run, workflow_name, values)) = open else { return Ok(None) };
    diesel::update(handler_runs::table.find(run.id))
        .set(handler_runs::lease_expires_at.eq(Some(At(tx.now.after(lease)))))
        .execute(tx.conn)
        .await?;
    let Some(found) = load(tx.conn, run.id.0).await? else { return Ok(None) };
    Ok(Some(claimed(tx, Enqueued { run, state: found.state, values }, workflow_name).await?))
}
