//! Lookups of mutations in doubt.

use std::time::Duration;

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{
    Failure, LateEvidence, LookupResult, MutationId, MutationStatus, ResolvedBy, WorkspaceId,
};

use super::attempts::Attempts;
use super::blame::About;
use super::dialect::RunQueryDsl;
use super::doubt::{lock_run_in_doubt, lock_run_of, settle};
use super::journal::{self, Entry};
use super::locked_run::LockedRun;
use super::outcome::{NextLookup, TransitionContext};
use super::{Operation, Tx, clock, evidence, reads};
use crate::convert::to_u32;
use crate::error::Result;
use crate::literals::IsLookedUp;
use crate::model::DueLookup;
use crate::params::{ClaimLookups, SettleLookup};
use crate::rows::{At, Db, MutationRow};
use crate::schema::{mutations, workflows};

/// A mutation, when it is looked up, where it was to happen, its workspace and its workflow's name.
type Due = (Db<MutationId>, Option<At>, Option<String>, Db<WorkspaceId>, String);

impl Operation for ClaimLookups {
    type Output = Vec<DueLookup>;

    async fn run(self, tx: &Tx<'_>) -> Result<Vec<DueLookup>> {
        let mut due = mutations::table
            .inner_join(workflows::table.on(workflows::id.eq(mutations::workflow_id)))
            .filter(IsLookedUp)
            .order(mutations::next_reconcile_at)
            .limit(i64::from(self.limit))
            .select((
                mutations::id,
                mutations::next_reconcile_at,
                mutations::place,
                workflows::workspace_id,
                workflows::name,
            ))
            .into_boxed();
        due = match self.of {
            None => due.filter(mutations::next_reconcile_at.le(At(tx.now))),
            Some((workspace, workflow)) => due
                .filter(mutations::workflow_id.eq(Db(workflow)))
                .filter(workflows::workspace_id.eq(Db(workspace))),
        };
        let due: Vec<Due> = due.load(tx.conn).await?;
        let mut claimed = Vec::new();
        for (mutation, due_at, place, Db(workspace), workflow_name) in due {
            // If another worker found the same row, one of the two updates matches nothing.
            let still_due = mutations::id.eq(mutation).and(mutations::next_reconcile_at.eq(due_at));
            let n_claimed = diesel::update(mutations::table.filter(still_due))
                .filter(IsLookedUp)
                .set((
                    mutations::reconcile_attempts.eq(mutations::reconcile_attempts + 1),
                    mutations::last_reconcile_at.eq(Some(At(tx.now))),
                    mutations::next_reconcile_at.eq(Some(At(tx.now.after(self.time)))),
                    mutations::looked_up_until.eq(Some(At(tx.now.after(self.time)))),
                ))
                .execute(tx.conn)
                .await?;
            if n_claimed > 0 {
                let mutation = reads::mutation(tx.conn, workspace, mutation.0).await?;
                let attempts = Attempts::load(tx, &mutation.operation_id).await?;
                let key_age = attempts.key_age(tx, &mutation.idempotency_key).await?;
                claimed.push(DueLookup { mutation, workspace, workflow_name, place, key_age });
            }
        }
        Ok(claimed)
    }
}

impl Operation for SettleLookup {
    type Output = MutationStatus;

    async fn run(self, tx: &Tx<'_>) -> Result<MutationStatus> {
        if let Some(status) = keep_late(tx, &self).await? {
            return Ok(status);
        }
        let locked = lock_run_in_doubt(tx, self.workspace, self.mutation).await?;
        let row = MutationRow::query().filter(mutations::id.eq(Db(self.mutation)));
        let row: MutationRow = row.first(tx.conn).await?;
        let is_looked_up = row.status.0 == MutationStatus::NeedsReconcile;
        // Its worker may have answered since the attempt began, and knows more than a look from outside.
        let known = evidence::result_known(&row).map(LookupResult::Applied);
        match known.unwrap_or(self.finding) {
            LookupResult::Applied(result) => {
                reconciled(tx, locked, self.mutation, Some(&result)).await
            }
            // A newer attempt, or the person who resolved it, decides.
            _ if to_u32(row.reconcile_attempts) != self.attempt => Ok(row.status.0),
            LookupResult::Absent { counts_after } => {
                // The request left before the run ended, and the answer is as old as the start of the attempt.
                let At(ended_at) = locked.run.ended_at.unwrap_or(At(tx.now));
                let At(looked_at) = row.last_reconcile_at.unwrap_or(At(tx.now));
                // The clock may have gone back since.
                let looked_at = looked_at.min(tx.now);
                let counts_at = match counts_after {
                    Duration::ZERO => looked_at,
                    later => clock::effect_sent_by(tx, ended_at).await?.after(later),
                };
                if counts_at <= looked_at {
                    return reconciled(tx, locked, self.mutation, None).await;
                }
                if !is_looked_up {
                    return Ok(row.status.0);
                }
                // It does not count as an attempt: it was too early.
                let attempts = row.reconcile_attempts.saturating_sub(1);
                end_attempt(tx, row.id, NextLookup { attempts, at: At(counts_at) }).await?;
                Ok(row.status.0)
            }
            // Another attempt with the same number gave it up: a person who asked for more attempts began to count anew.
            LookupResult::Unknown(_) | LookupResult::Impossible(_) if !is_looked_up => {
                Ok(row.status.0)
            }
            LookupResult::Unknown(failure) => match tx.policy.lookup.delay(self.attempt) {
                Some(delay) => {
                    let attempts = row.reconcile_attempts;
                    let delay = delay.max(failure.retry_after.unwrap_or_default());
                    let at = At(tx.now.after(delay));
                    end_attempt(tx, row.id, NextLookup { attempts, at }).await?;
                    Ok(row.status.0)
                }
                None => {
                    let attempts = tx.policy.lookup.attempts;
                    let message = format!(
                        "it could not be looked up in {attempts} attempts, the last of which came to: {}",
                        failure.message
                    );
                    give_up(tx, locked, &row, Failure { message, ..failure }).await
                }
            },
            LookupResult::Impossible(failure) => give_up(tx, locked, &row, failure).await,
        }
    }
}

/// Keeps a finding that comes after the mutation was settled, if it shows that the effect happened. Returns what the mutation was
/// settled as. That it is absent contradicts nothing: an effect may be removed after it happened.
async fn keep_late(tx: &Tx<'_>, late: &SettleLookup) -> Result<Option<MutationStatus>> {
    let LookupResult::Applied(result) = &late.finding else { return Ok(None) };
    let locked = lock_run_of(tx, late.workspace, late.mutation).await?;
    let Some(status @ MutationStatus::Failed) = locked.state.mutation else { return Ok(None) };
    let evidence = json!({ "found": result });
    evidence::keep(tx, locked, late.mutation, LateEvidence::Happened, &evidence).await?;
    Ok(Some(status))
}

/// The lookup after the first one, which the worker that sent the request has made without a definite answer.
pub(super) fn second(tx: &Tx<'_>, counts_after: Duration) -> NextLookup {
    let delay = tx.policy.lookup.delay(1).unwrap_or_default();
    NextLookup { attempts: 1, at: At(tx.now.after(counts_after.max(delay))) }
}

/// Makes a mutation due for a lookup now, with all attempts left.
pub(super) async fn restart(tx: &Tx<'_>, mutation: MutationId) -> Result<()> {
    schedule(tx, Db(mutation), NextLookup { attempts: 0, at: At(tx.now) }).await
}

/// Ends an attempt without a definite answer, and schedules the next one.
async fn end_attempt(tx: &Tx<'_>, mutation: Db<MutationId>, next: NextLookup) -> Result<()> {
    diesel::update(mutations::table.filter(mutations::id.eq(mutation)).filter(IsLookedUp))
        .set(mutations::looked_up_until.eq(None::<At>))
        .execute(tx.conn)
        .await?;
    schedule(tx, mutation, next).await
}

async fn schedule(tx: &Tx<'_>, mutation: Db<MutationId>, next: NextLookup) -> Result<()> {
    diesel::update(mutations::table.filter(mutations::id.eq(mutation)).filter(IsLookedUp))
        .set((
            mutations::reconcile_attempts.eq(next.attempts),
            mutations::next_reconcile_at.eq(Some(next.at)),
            mutations::updated_at.eq(At(tx.now)),
        ))
        .execute(tx.conn)
        .await?;
    tx.wake();
    Ok(())
}

async fn reconciled(
    tx: &Tx<'_>,
    locked: LockedRun,
    mutation: MutationId,
    found: Option<&serde_json::Value>,
) -> Result<MutationStatus> {
    let too_many_doubts = tx.policy.effects.too_many_doubts(to_u32(locked.workflow.window_doubts));
    let changes = locked.state.reconcile(found.is_some())?;
    let settled = changes.run.mutation.unwrap_or(MutationStatus::Failed);
    let entry = Entry::by_windlass("mutation.reconciled", &mutation)
        .with(json!({ "happened": found.is_some(), "run": locked.run.id.0 }));
    journal::add(tx, &locked.workflow, entry).await?;
    let resolved_by = Some(ResolvedBy::Reconciliation);
    let context = TransitionContext { result: found, resolved_by, ..TransitionContext::default() };
    settle(tx, locked, (changes, too_many_doubts), &context).await?;
    Ok(settled)
}

/// Asks a person instead.
async fn give_up(
    tx: &Tx<'_>,
    locked: LockedRun,
    row: &MutationRow,
    failure: Failure,
) -> Result<MutationStatus> {
    let changes = locked.state.give_up_lookup(&failure)?;
    let entry = Entry::by_windlass("mutation.lookup_given_up", &row.id.0).with(json!({
        "attempts": row.reconcile_attempts,
        "error": failure.message,
        "run": locked.run.id.0,
    }));
    journal::add(tx, &locked.workflow, entry).await?;
    settle(tx, locked, (changes, None), &TransitionContext::failed(&failure, About::default()))
        .await?;
    Ok(MutationStatus::Indeterminate)
}
