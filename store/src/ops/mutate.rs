//! The ledger row of an active run: written before the request leaves, settled by its answer.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{
    EventId, Id, MutationId, MutationStatus, Question, RunId, digest, idempotency_key,
};

use super::dialect::{Conn, RunQueryDsl};
use super::held::{Held, hold};
use super::next::go_on;
use super::notices::{self, Entry};
use super::outcome::{Because, NextLookup};
use super::{Staged, Tx, again, held, logs, lookup, outcome, reservations};
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
    type Seen = (Option<Held>, Vec<EventId>);

    async fn look(&self, conn: &Conn) -> Result<Self::Seen> {
        joined!(hold(conn, self.claim), reservations::ids(conn, self.claim.run))
    }

    async fn act(self, tx: &Tx<'_>, (held, events): Self::Seen) -> Result<BegunMutation> {
        let mut held = held.ok_or(StoreError::ClaimLost { run: self.claim.run })?;
        if let Some(begun) = again::begun(tx, &held, &self).await? {
            return Ok(begun);
        }
        let changes = held.state.begin_mutation(events.len())?;
        let claim = self.claim;
        let params_digest = digest(&self.params);
        let question = Question {
            workflow: held.workflow.id.0,
            handler: &held.run.handler_name,
            tool: &format!("{}.{}", self.tool_namespace, self.tool_method),
            digest: &params_digest,
            events,
        };
        let operation_id = question.operation_id();
        let n_refusals = refusals(tx, &operation_id).await?;
        let row = MutationRow {
            id: Db(MutationId::mint(tx.now)),
            workflow_id: held.workflow.id,
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
        held.state.mutation = changes.run.mutation;
        let because = Because { mutation: Some(row.id), ..Because::default() };
        joined!(
            insert(tx, &row),
            logs::append(tx, held.run.id, self.logs),
            outcome::write_rows(tx, &held, &changes, &because),
        )?;
        outcome::take_on(tx, &mut held, changes, &because).await?;
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
    type Seen = Option<Held>;

    async fn look(&self, conn: &Conn) -> Result<Option<Held>> {
        hold_mutation(conn, self.claim, self.mutation).await
    }

    async fn act(self, tx: &Tx<'_>, held: Option<Held>) -> Result<Answered> {
        let Some(mut held) = held else {
            let evidence = json!({ "applied": self.result }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        if again::is_applied(tx, &held, &self.result).await? {
            return Ok(Answered::InTime);
        }
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

impl Staged for CaptureMutation {
    type Output = ();
    type Seen = Option<Held>;

    async fn look(&self, conn: &Conn) -> Result<Option<Held>> {
        hold(conn, self.claim).await
    }

    async fn act(self, tx: &Tx<'_>, held: Option<Held>) -> Result<()> {
        let mut held = held.ok_or(StoreError::ClaimLost { run: self.claim.run })?;
        let changes = held.state.capture_mutation()?;
        let because = Because { result: Some(&self.result), ..Because::default() };
        outcome::write(tx, &mut held, changes, &because).await?;
        Ok(())
    }
}

impl Staged for FailMutation {
    type Output = Answered;
    type Seen = Option<Held>;

    async fn look(&self, conn: &Conn) -> Result<Option<Held>> {
        hold_mutation(conn, self.claim, self.mutation).await
    }

    async fn act(self, tx: &Tx<'_>, held: Option<Held>) -> Result<Answered> {
        let Some(mut held) = held else {
            let of = (self.claim, self.mutation);
            if again::is_settled(tx, of, &[MutationStatus::Failed], &self.failure).await? {
                return Ok(Answered::InTime);
            }
            let evidence = json!({ "failed": self.failure.message }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let context = held.stop_context(tx.policy);
        let changes = held.state.fail_mutation(&self.failure, context)?;
        let because = Because { resolved_by: self.resolved_by, ..Because::failed(&self.failure) };
        outcome::write(tx, &mut held, changes, &because).await?;
        go_on(tx, held.workflow).await?;
        Ok(Answered::InTime)
    }
}

impl Staged for DoubtMutation {
    type Output = Answered;
    type Seen = Option<Held>;

    async fn look(&self, conn: &Conn) -> Result<Option<Held>> {
        hold_mutation(conn, self.claim, self.mutation).await
    }

    async fn act(self, tx: &Tx<'_>, held: Option<Held>) -> Result<Answered> {
        let Some(mut held) = held else {
            let of = (self.claim, self.mutation);
            let in_doubt = [MutationStatus::NeedsReconcile, MutationStatus::Indeterminate];
            if again::is_settled(tx, of, &in_doubt, &self.failure).await? {
                return Ok(Answered::InTime);
            }
            let evidence = json!({ "in_doubt": self.failure.message }).to_string();
            return keep_evidence(tx, self.claim, self.mutation, evidence).await;
        };
        let changes = held.state.doubt_mutation(&self.failure, held.recourse)?;
        let next_lookup = match self.looked_up {
            Some(counts_after) => lookup::after_first(tx, counts_after),
            None => NextLookup { attempts: 0, at: At(tx.now) },
        };
        let because = Because { next_lookup: Some(next_lookup), ..Because::failed(&self.failure) };
        outcome::write(tx, &mut held, changes, &because).await?;
        go_on(tx, held.workflow).await?;
        Ok(Answered::InTime)
    }
}

/// The run whose mutation is answered; none where the claim is lost.
async fn hold_mutation(conn: &Conn, claim: Claim, mutation: MutationId) -> Result<Option<Held>> {
    let held = hold(conn, claim).await?;
    if held.as_ref().is_some_and(|held| held.run.mutation_id != Some(Db(mutation))) {
        return Err(StoreError::not_found("mutation", &mutation));
    }
    Ok(held)
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
        && let Some(held) = held::find(tx, claim.workspace, claim.run).await?
    {
        let entry = Entry::by_windlass("mutation.answered_late", &mutation)
            .with(json!({ "run": claim.run, "evidence": evidence }));
        notices::journal(tx, &held.workflow, entry).await?;
    }
    Ok(Answered::Late(claim.run))
}
