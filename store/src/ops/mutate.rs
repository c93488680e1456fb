//! The ledger row of an active run: written before the request leaves, settled by its answer.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{
    EventId, Id, MutationId, MutationStatus, OperationKey, RunId, digest, idempotency_key,
};

use super::advance::advance_workflow;
use super::dialect::{Conn, RunQueryDsl};
use super::locked_run::{LockedRun, lock_claimed_run};
use super::notices::{self, Entry};
use super::outcome::{NextLookup, TransitionContext};
use super::{Staged, Tx, locked_run, logs, lookup, outcome, replay, reservations};
use crate::error::{Result, StoreError};
use crate::joined::joined;
use crate::literals::IsFailed;
use crate::model::{BegunMutation, Claim};
use crate::params::{ApplyMutation, BeginMutation, CaptureMutation, DoubtMutation, FailMutation};
use crate::rows::{At, Db, Json, MutationRow, storable};
use crate::schema::mutations;
use crate::tenant::is_of;

impl Staged for BeginMutation {
    type Output = BegunMutation;
    /// The run and its events.
    type Preloaded = (Option<LockedRun>, Vec<EventId>);

    async fn preload(&self, conn: &Conn) -> Result<Self::Preloaded> {
        joined!(lock_claimed_run(conn, self.claim), reservations::ids(conn, self.claim.run))
    }

    async fn execute(
        self,
        tx: &Tx<'_>,
        (locked, events): Self::Preloaded,
    ) -> Result<BegunMutation> {
        let mut locked = locked.ok_or(StoreError::ClaimLost { run: self.claim.run })?;
        if let Some(begun) = replay::begun(tx, &locked, &self).await? {
            return Ok(begun);
        }
        let changes = locked.state.begin_mutation(events.len())?;
        let claim = self.claim;
        let params_digest = digest(&self.params);
        let question = OperationKey {
            workflow: locked.workflow.id.0,
            handler: &locked.run.handler_name,
            tool: &format!("{}.{}", self.tool_namespace, self.tool_method),
            digest: &params_digest,
            events,
        };
        let operation_id = question.operation_id();
        let n_refusals = refusals(tx, &operation_id).await?;
        let row = MutationRow {
            id: Db(MutationId::mint(tx.now)),
            workflow_id: locked.workflow.id,
            handler_run_id: Db(claim.run),
            idempotency_key: idempotency_key(&operation_id, n_refusals),
            operation_id,
            event_ids: Json(question.events),
            tool_namespace: self.tool_namespace,
            tool_method: self.tool_method,
            params_digest,
            params: Json(self.params),
            target: storable(self.target),
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
            ui_title: storable(self.ui_title),
            late_evidence: None,
            cost: self.price,
            created_at: At(tx.now),
            updated_at: At(tx.now),
        };
        // It is written here.
        locked.state.mutation = changes.run.mutation;
        let context = TransitionContext { mutation: Some(row.id), ..TransitionContext::default() };
        joined!(
            insert(tx, &row),
            logs::append(tx, locked.run.id, self.logs),
            outcome::write_rows(tx, &locked, &changes, &context),
        )?;
        outcome::apply_workflow_changes(tx, &mut locked, changes, &context).await?;
        Ok(BegunMutation { id: row.id.0, idempotency_key: row.idempotency_key })
    }
}

async fn insert(tx: &Tx<'_>, row: &MutationRow) -> Result<()> {
    diesel::insert_into(mutations::table).values(row).execute(tx.conn).await?;
    Ok(())
}

/// How often the operation was definitely refused.
async fn refusals(tx: &Tx<'_>, operation_id: &str) -> Result<usize> {
    let refused = mutations::table
        .filter(mutations::operation_id.eq(operation_id))
        .filter(IsFailed)
        // A doubt that was settled as "it is not there" is no answer of the provider.
        .filter(mutations::resolved_by.is_null())
        .count();
    let refused: i64 = refused.get_result(tx.conn).await?;
    Ok(usize::try_from(refused).unwrap_or(0))
}

/// Whether an answer still counted.
pub(in super::super) enum Answered {
    /// It is written.
    InTime,
    /// The claim is lost: what the worker knows is kept as evidence, and nothing else happened.
    Late(RunId),
}

impl Answered {
    /// The answer's fate as the worker is told of it.
    pub(super) fn in_time(self) -> Result<()> {
        match self {
            Self::InTime => Ok(()),
            Self::Late(run) => Err(StoreError::ClaimLost { run }),
        }
    }
}

impl Staged for ApplyMutation {
    type Output = Answered;
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        hold_mutation(conn, self.claim, self.mutation).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<Answered> {
        let Some(mut locked) = locked else {
            let evidence = json!({ "applied": self.result }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        if replay::is_applied(tx, &locked, &self.result).await? {
            return Ok(Answered::InTime);
        }
        let changes = locked.state.apply_mutation()?;
        let context = TransitionContext {
            result: Some(&self.result),
            resolved_by: self.resolved_by,
            ..TransitionContext::default()
        };
        outcome::write(tx, &mut locked, changes, &context).await?;
        Ok(Answered::InTime)
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
    type Output = Answered;
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        hold_mutation(conn, self.claim, self.mutation).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<Answered> {
        let Some(mut locked) = locked else {
            let of = (self.claim, self.mutation);
            if replay::is_settled(tx, of, &[MutationStatus::Failed], &self.failure).await? {
                return Ok(Answered::InTime);
            }
            let evidence = json!({ "failed": self.failure.message }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let context = locked.stop_context(tx.policy);
        let changes = locked.state.fail_mutation(&self.failure, context)?;
        let context = TransitionContext {
            resolved_by: self.resolved_by,
            ..TransitionContext::failed(&self.failure)
        };
        outcome::write(tx, &mut locked, changes, &context).await?;
        advance_workflow(tx, locked.workflow).await?;
        Ok(Answered::InTime)
    }
}

impl Staged for DoubtMutation {
    type Output = Answered;
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        hold_mutation(conn, self.claim, self.mutation).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<Answered> {
        let Some(mut locked) = locked else {
            let of = (self.claim, self.mutation);
            let in_doubt = [MutationStatus::NeedsReconcile, MutationStatus::Indeterminate];
            if replay::is_settled(tx, of, &in_doubt, &self.failure).await? {
                return Ok(Answered::InTime);
            }
            let evidence = json!({ "in_doubt": self.failure.message }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let changes = locked.state.doubt_mutation(&self.failure, locked.recourse)?;
        let next_lookup = match self.looked_up {
            Some(counts_after) => lookup::after_first(tx, counts_after),
            None => NextLookup { attempts: 0, at: At(tx.now) },
        };
        let context = TransitionContext {
            next_lookup: Some(next_lookup),
            ..TransitionContext::failed(&self.failure)
        };
        outcome::write(tx, &mut locked, changes, &context).await?;
        advance_workflow(tx, locked.workflow).await?;
        Ok(Answered::InTime)
    }
}

/// The run whose mutation is answered; none where the claim is lost.
async fn hold_mutation(
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

/// Keeps what a worker knows that lost its run: it helps the person who is asked.
async fn keep_evidence(
    tx: &Tx<'_>,
    claim: Claim,
    mutation: MutationId,
    evidence: String,
) -> Result<Answered> {
    let its_own = mutations::id
        .eq(Db(mutation))
        .and(mutations::handler_run_id.eq(Db(claim.run)))
        .and(is_of!(claim.workspace, mutations::workflow_id));
    let n_kept = diesel::update(mutations::table.filter(its_own))
        .set((mutations::late_evidence.eq(Some(&evidence)), mutations::updated_at.eq(At(tx.now))))
        .execute(tx.conn)
        .await?;
    if n_kept > 0
        && let Some(locked) = locked_run::find(tx, claim.workspace, claim.run).await?
    {
        let entry = Entry::by_windlass("mutation.answered_late", &mutation)
            .with(json!({ "run": claim.run, "evidence": evidence }));
        notices::journal(tx, &locked.workflow, entry).await?;
    }
    Ok(Answered::Late(claim.run))
}
