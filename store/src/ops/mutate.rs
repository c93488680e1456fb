//! The ledger row of an active run: written before the request leaves, settled by its answer.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Id, MutationId, MutationStatus, RunId, StopContext, Text, digest};

use super::dialect::RunQueryDsl;
use super::held::{Held, hold};
use super::next::go_on;
use super::notices::{self, Entry};
use super::outcome::Because;
use super::{Operation, Tx, held, logs, outcome, reservations};
use crate::error::{Result, StoreError};
use crate::model::{BegunMutation, Claim};
use crate::params::{ApplyMutation, BeginMutation, DoubtMutation, FailMutation};
use crate::rows::{At, Db, Json, MutationRow, storable};
use crate::schema::{handler_runs, mutations};

impl Operation for BeginMutation {
    type Output = BegunMutation;

    async fn run(self, tx: &mut Tx<'_>) -> Result<BegunMutation> {
        let mut held = hold(tx, self.claim).await?;
        let n_reserved = reservations::count(tx, held.run.id).await?;
        let changes = held.state.begin_mutation(n_reserved)?;
        let claim = self.claim;
        let row = MutationRow {
            id: Db(MutationId::mint(tx.now)),
            workflow_id: held.workflow.id,
            handler_run_id: Db(claim.run),
            tool_namespace: self.tool_namespace,
            tool_method: self.tool_method,
            params_digest: digest(&self.params),
            params: Json(self.params),
            idempotency_key: mint_key(tx),
            status: Db(MutationStatus::InFlight),
            result: None,
            error: None,
            error_class: None,
            reconcilable: self.reconcilable,
            reconcile_attempts: 0,
            last_reconcile_at: None,
            next_reconcile_at: None,
            resolved_by: None,
            resolved_at: None,
            ui_title: storable(self.ui_title),
            late_evidence: None,
            cost: 0,
            created_at: At(tx.now),
            updated_at: At(tx.now),
        };
        diesel::insert_into(mutations::table).values(&row).execute(tx.conn).await?;
        diesel::update(handler_runs::table.filter(handler_runs::id.eq(held.run.id)))
            .set(handler_runs::mutation_id.eq(Some(row.id)))
            .execute(tx.conn)
            .await?;
        logs::append(tx, held.run.id, self.logs).await?;
        held.state.mutation = changes.run.mutation;
        outcome::write(tx, &mut held, changes, &Because::default()).await?;
        Ok(BegunMutation { id: row.id.0, idempotency_key: row.idempotency_key })
    }
}

/// A key that no other effect has, and that nothing in a script can bring about.
fn mint_key(tx: &Tx<'_>) -> String {
    let minted = MutationId::mint(tx.now).to_text();
    minted.trim_start_matches(MutationId::PREFIX).trim_start_matches('_').to_owned()
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

impl Operation for ApplyMutation {
    type Output = Answered;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Answered> {
        let Some(mut held) = hold_mutation(tx, self.claim, self.mutation).await? else {
            let evidence = json!({ "applied": self.result }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let changes = held.state.apply_mutation()?;
        let because = Because {
            result: Some(&self.result),
            resolved_by: self.resolved_by,
            ..Because::default()
        };
        outcome::write(tx, &mut held, changes, &because).await?;
        Ok(Answered::InTime)
    }
}

impl Operation for FailMutation {
    type Output = Answered;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Answered> {
        let Some(mut held) = hold_mutation(tx, self.claim, self.mutation).await? else {
            let evidence = json!({ "failed": self.failure.message }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let context = StopContext {
            transient_failures: crate::convert::count(held.workflow.transient_failures),
            backoff: &tx.policy.transient,
        };
        let changes = held.state.fail_mutation(&self.failure, context)?;
        let because = Because { resolved_by: self.resolved_by, ..Because::failed(&self.failure) };
        outcome::write(tx, &mut held, changes, &because).await?;
        go_on(tx, held.workflow).await?;
        Ok(Answered::InTime)
    }
}

impl Operation for DoubtMutation {
    type Output = Answered;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Answered> {
        let Some(mut held) = hold_mutation(tx, self.claim, self.mutation).await? else {
            let evidence = json!({ "in_doubt": self.failure.message }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let changes = held.state.doubt_mutation(&self.failure)?;
        outcome::write(tx, &mut held, changes, &Because::failed(&self.failure)).await?;
        go_on(tx, held.workflow).await?;
        Ok(Answered::InTime)
    }
}

/// The run whose mutation is answered; none where the claim is lost.
async fn hold_mutation(
    tx: &mut Tx<'_>,
    claim: Claim,
    mutation: MutationId,
) -> Result<Option<Held>> {
    match hold(tx, claim).await {
        Ok(held) if held.run.mutation_id == Some(Db(mutation)) => Ok(Some(held)),
        Ok(_) => Err(StoreError::not_found("mutation", &mutation)),
        Err(StoreError::ClaimLost { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Keeps what a worker knows that lost its run: it helps the person who is asked.
async fn keep_evidence(
    tx: &mut Tx<'_>,
    claim: Claim,
    mutation: MutationId,
    evidence: String,
) -> Result<Answered> {
    let its_own = mutations::id.eq(Db(mutation)).and(mutations::handler_run_id.eq(Db(claim.run)));
    let n_kept = diesel::update(mutations::table.filter(its_own))
        .set((mutations::late_evidence.eq(Some(&evidence)), mutations::updated_at.eq(At(tx.now))))
        .execute(tx.conn)
        .await?;
    if n_kept > 0
        && let Some(held) = held::find(tx, claim.run).await?
    {
        let entry = Entry::by_windlass("mutation.answered_late", &mutation)
            .with(json!({ "run": claim.run, "evidence": evidence }));
        notices::journal(tx, &held.workflow, entry).await?;
    }
    Ok(Answered::Late(claim.run))
}
