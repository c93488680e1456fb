//! The mutation of an active run: its ledger row is written before the request is sent, and settled by the answer.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    EventId, EventInRound, HandlerKind, LateEvidence, MutationId, MutationStatus, OperationKey,
    Phase, RunId, digest, idempotency_key,
};

use super::advance::advance_workflow;
use super::attempts::Attempts;
use super::blame::About;
use super::dialect::{Conn, RunQueryDsl};
use super::locked_run::{LockedRun, lock_claimed_run};
use super::outcome::{NextLookup, TransitionContext};
use super::{
    Staged, Tx, evidence, graph, locked_run, logs, lookup, outcome, replay, reservations, workspace,
};
use crate::error::{Result, StoreError};
use crate::model::{BegunMutation, Claim};
use crate::params::{ApplyMutation, BeginMutation, CaptureMutation, DoubtMutation, FailMutation};
use crate::pipeline::pipeline;
use crate::rows::{At, Db, Json, MutationRow, storable};
use crate::schema::mutations;

impl Staged for BeginMutation {
    type Output = BegunMutation;
    /// The run, its events, and the name of its workspace.
    type Preloaded = (Option<LockedRun>, Vec<(EventId, EventInRound)>, Option<String>);

    async fn preload(&self, conn: &Conn) -> Result<Self::Preloaded> {
        pipeline!(
            lock_claimed_run(conn, self.claim),
            reservations::reserved(conn, self.claim.run),
            workspace::name(conn, self.claim.workspace),
        )
    }

    async fn execute(
        self,
        tx: &Tx<'_>,
        (locked, events, workspace): Self::Preloaded,
    ) -> Result<BegunMutation> {
        let Some((mut locked, workspace)) = locked.zip(workspace) else {
            return Err(StoreError::ClaimLost { run: self.claim.run });
        };
        if let Some(begun) = replay::begun(tx, &locked, &self).await? {
            return Ok(begun);
        }
        // A node reserves itself.
        let n_reserved = if locked.run.kind.0 == HandlerKind::Node { 1 } else { events.len() };
        let changes = locked.state.begin_mutation(n_reserved)?;
        let claim = self.claim;
        let (event_ids, events) = events.into_iter().unzip();
        let Named { operation_id, params_digest, idempotency_key, key_age } =
            named(tx, &workspace, &locked, &self, events).await?;
        let row = MutationRow {
            id: Db(tx.mint()),
            workflow_id: locked.workflow.id,
            handler_run_id: Db(claim.run),
            idempotency_key,
            operation_id,
            event_ids: Json(event_ids),
            tool_namespace: self.tool_namespace,
            tool_method: self.tool_method,
            params_digest,
            params: Json(self.params),
            target: storable(self.target),
            place: self.place,
            status: Db(MutationStatus::InFlight),
            result: None,
            error: None,
            error_class: None,
            reconcilable: self.reconcilable,
            reconcile_attempts: 0,
            last_reconcile_at: None,
            next_reconcile_at: None,
            looked_up_until: None,
            resolved_by: None,
            resolved_at: None,
            unsent: false,
            ui_title: storable(self.ui_title),
            late_evidence: None,
            cost: self.price,
            created_at: At(tx.now),
            updated_at: At(tx.now),
        };
        // The row below has this status already.
        locked.state.mutation = changes.run.mutation;
        let context = TransitionContext { mutation: Some(row.id), ..TransitionContext::default() };
        pipeline!(
            insert(tx, &row),
            logs::append(tx, &locked.run, self.logs),
            outcome::write_rows(tx, &locked, &changes, &context),
        )?;
        outcome::apply_workflow_changes(tx, &mut locked, changes, &context).await?;
        Ok(BegunMutation { id: row.id.0, idempotency_key: row.idempotency_key, key_age })
    }
}

/// What a request is called, here and at the service.
struct Named {
    operation_id: String,
    params_digest: String,
    idempotency_key: String,
    /// How long ago this key was first sent.
    key_age: Option<Duration>,
}

async fn named(
    tx: &Tx<'_>,
    workspace: &str,
    locked: &LockedRun,
    call: &BeginMutation,
    events: Vec<EventInRound>,
) -> Result<Named> {
    let params_digest = digest(&call.params);
    let operation_id = if locked.run.kind.0 == HandlerKind::Node {
        graph::commit::operation(tx, locked).await?
    } else {
        let key = OperationKey {
            workspace,
            workflow: &locked.workflow.name,
            handler: &locked.run.handler_name,
            tool: &format!("{}.{}", call.tool_namespace, call.tool_method),
            digest: &params_digest,
            events,
        };
        key.operation_id()
    };
    let attempts = Attempts::load(tx, &operation_id).await?;
    if locked.run.kind.0 == HandlerKind::Node && !attempts.have_all_failed() {
        return Err(StoreError::NotNow {
            what: format!("the effect of node `{}` may have happened", locked.run.handler_name),
            hint: "restart the node with `--repeat-effects` to have it once more".to_owned(),
        });
    }
    let idempotency_key = idempotency_key(&operation_id, attempts.refusals());
    let key_age = attempts.key_age(tx, &idempotency_key).await?;
    Ok(Named { operation_id, params_digest, idempotency_key, key_age })
}

async fn insert(tx: &Tx<'_>, row: &MutationRow) -> Result<()> {
    diesel::insert_into(mutations::table).values(row).execute(tx.conn).await?;
    Ok(())
}

/// Whether the outcome of a mutation was recorded.
pub(in super::super) enum Recorded {
    /// It was.
    InTime,
    /// The claim is lost: only the evidence was kept.
    Late(RunId),
}

impl Recorded {
    /// The result for the worker: an error if its claim is lost. The transaction is committed either way, to keep the evidence.
    pub(in super::super) fn require_in_time(self) -> Result<()> {
        match self {
            Self::InTime => Ok(()),
            Self::Late(run) => Err(StoreError::ClaimLost { run }),
        }
    }
}

impl Staged for ApplyMutation {
    type Output = Recorded;
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_mutating_run(conn, self.claim, self.mutation).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<Recorded> {
        let Some(mut locked) = locked else {
            let evidence = json!({ "applied": self.result });
            return keep_late(tx, self.claim, self.mutation, LateEvidence::Happened, evidence)
                .await;
        };
        if replay::is_applied(tx, &locked, &self.result).await? {
            return Ok(Recorded::InTime);
        }
        let changes = locked.state.apply_mutation()?;
        let context = TransitionContext {
            result: Some(&self.result),
            resolved_by: self.resolved_by,
            ..TransitionContext::default()
        };
        outcome::write(tx, &mut locked, changes, &context).await?;
        Ok(Recorded::InTime)
    }
}

impl Staged for CaptureMutation {
    type Output = ();
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_claimed_run(conn, self.claim).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<()> {
        let mut locked = locked.ok_or(StoreError::ClaimLost { run: self.claim.run })?;
        let changes = locked.state.capture_mutation()?;
        let context =
            TransitionContext { result: Some(&self.result), ..TransitionContext::default() };
        outcome::write(tx, &mut locked, changes, &context).await?;
        Ok(())
    }
}

impl Staged for FailMutation {
    type Output = Recorded;
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_mutating_run(conn, self.claim, self.mutation).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<Recorded> {
        let Some(mut locked) = locked else {
            let failed = [MutationStatus::Failed];
            if replay::has_failed(tx, self.claim, self.mutation, &failed, &self.failure).await? {
                return Ok(Recorded::InTime);
            }
            let (learned, evidence) =
                (LateEvidence::DidNotHappen, json!({ "failed": self.failure.message }));
            return keep_late(tx, self.claim, self.mutation, learned, evidence).await;
        };
        if self.goes_on {
            return go_on_refused(tx, locked, self).await;
        }
        let about = About::of(tx, &locked, &self.failure, &[]).await?;
        let suspects = about.suspects(Phase::Mutating, &tx.policy.events);
        let context = locked.stop_context(tx.policy, suspects);
        let changes = locked.state.fail_mutation(&self.failure, context)?;
        let context = TransitionContext::had_no_effect(&self.failure, about, self.no_effect);
        outcome::write(tx, &mut locked, changes, &context).await?;
        advance_workflow(tx, locked.workflow).await?;
        Ok(Recorded::InTime)
    }
}

/// The consumer goes on with the refusal of its request: only the ledger notes the failure.
async fn go_on_refused(
    tx: &Tx<'_>,
    mut locked: LockedRun,
    refused: FailMutation,
) -> Result<Recorded> {
    let FailMutation { claim, mutation, failure, no_effect, .. } = refused;
    if replay::has_failed(tx, claim, mutation, &[MutationStatus::Failed], &failure).await? {
        return Ok(Recorded::InTime);
    }
    let changes = locked.state.refuse_mutation()?;
    let context = TransitionContext::had_no_effect(&failure, About::default(), no_effect);
    outcome::write(tx, &mut locked, changes, &context).await?;
    Ok(Recorded::InTime)
}

impl Staged for DoubtMutation {
    type Output = Recorded;
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_mutating_run(conn, self.claim, self.mutation).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<Recorded> {
        let Some(mut locked) = locked else {
            let in_doubt = [MutationStatus::NeedsReconcile, MutationStatus::Indeterminate];
            if replay::has_failed(tx, self.claim, self.mutation, &in_doubt, &self.failure).await? {
                return Ok(Recorded::InTime);
            }
            let (learned, evidence) =
                (LateEvidence::Unknown, json!({ "in_doubt": self.failure.message }));
            return keep_late(tx, self.claim, self.mutation, learned, evidence).await;
        };
        let changes = locked.state.doubt_mutation(&self.failure, locked.recourse)?;
        let next_lookup = match self.looked_up {
            Some(counts_after) => lookup::second(tx, counts_after),
            None => {
                let asked = self.failure.retry_after.unwrap_or_default();
                NextLookup { attempts: 0, at: At(tx.now.after(asked)) }
            }
        };
        let context = TransitionContext {
            next_lookup: Some(next_lookup),
            ..TransitionContext::failed(&self.failure, About::default())
        };
        outcome::write(tx, &mut locked, changes, &context).await?;
        advance_workflow(tx, locked.workflow).await?;
        Ok(Recorded::InTime)
    }
}

/// Locks the workflow of a mutation's run and reads the run; returns nothing if the claim is lost.
async fn lock_mutating_run(
    conn: &Conn,
    claim: Claim,
    mutation: MutationId,
) -> Result<Option<LockedRun>> {
    let locked = lock_claimed_run(conn, claim).await?;
    if locked.as_ref().is_some_and(|locked| locked.run.mutation_id != Some(Db(mutation))) {
        return Err(StoreError::not_found("mutation", &mutation));
    }
    Ok(locked)
}

/// Keeps what a worker knows that lost its claim.
async fn keep_late(
    tx: &Tx<'_>,
    claim: Claim,
    mutation: MutationId,
    learned: LateEvidence,
    evidence: Value,
) -> Result<Recorded> {
    if let Some(locked) = locked_run::find(tx, claim.workspace, claim.run).await?
        && locked.run.mutation_id == Some(Db(mutation))
    {
        evidence::keep(tx, locked, mutation, learned, &evidence).await?;
    }
    Ok(Recorded::Late(claim.run))
}
