//! What is learned of an effect after it was settled.
//!
//! It is kept for the person who looks at the mutation. If it contradicts the ledger, the effect may be made again, or may have been
//! made twice. Then the workflow stops at once, in the same transaction, until a person has looked.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_core::{
    EventId, EventStatus, LateEvidence, MutationId, MutationStatus, Phase, RunId, Trial, reason_of,
};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::locked_run::{self, LockedRun};
use super::{Tx, notifications, recover};
use crate::error::Result;
use crate::literals::{IsActive, IsPending};
use crate::rows::{At, Db, Json, MutationRow, WorkflowRow};
use crate::schema::{events, handler_runs, mutations};

/// Keeps evidence beside the mutation of the run. Stops the workflow if the evidence contradicts the ledger.
pub(super) async fn keep(
    tx: &Tx<'_>,
    locked: LockedRun,
    mutation: MutationId,
    learned: LateEvidence,
    evidence: &Value,
) -> Result<()> {
    let text = evidence.to_string();
    diesel::update(mutations::table.filter(mutations::id.eq(Db(mutation))))
        .set((mutations::late_evidence.eq(Some(&text)), mutations::updated_at.eq(At(tx.now))))
        .execute(tx.conn)
        .await?;
    let entry = Entry::by_windlass("mutation.answered_late", &mutation)
        .with(json!({ "run": locked.run.id.0, "evidence": text }));
    journal::add(tx, &locked.workflow, entry).await?;
    let row: MutationRow =
        MutationRow::query().filter(mutations::id.eq(Db(mutation))).first(tx.conn).await?;
    stop_if_contradicted(tx, locked, &row, learned).await
}

/// Stops the workflow if what was learned while the mutation was in doubt contradicts what it was settled as just now.
pub(super) async fn check_settled(tx: &Tx<'_>, locked: LockedRun) -> Result<()> {
    let row = MutationRow::query().filter(mutations::id.nullable().eq(locked.run.mutation_id));
    let row: MutationRow = row.first(tx.conn).await?;
    match learned_before(&row) {
        Some((learned, _)) => stop_if_contradicted(tx, locked, &row, learned).await,
        None => Ok(()),
    }
}

/// The result of the effect, if its worker has answered late that it happened.
pub(super) fn result_known(row: &MutationRow) -> Option<Value> {
    match learned_before(row)? {
        (LateEvidence::Happened, result) => Some(result),
        (LateEvidence::DidNotHappen | LateEvidence::Unknown, _) => None,
    }
}

/// What was learned late of the mutation, and how it was said.
fn learned_before(row: &MutationRow) -> Option<(LateEvidence, Value)> {
    let mut evidence: Value = serde_json::from_str(row.late_evidence.as_deref()?).ok()?;
    let mut said = |key| evidence.get_mut(key).map(Value::take);
    let happened = said("applied").or_else(|| said("found"));
    let happened = happened.map(|result| (LateEvidence::Happened, result));
    happened.or_else(|| Some((LateEvidence::DidNotHappen, said("failed")?)))
}

async fn stop_if_contradicted(
    tx: &Tx<'_>,
    locked: LockedRun,
    row: &MutationRow,
    learned: LateEvidence,
) -> Result<()> {
    let settled_by = row.resolved_by.map(|Db(by)| by);
    if learned.contradicts(row.status.0, settled_by, locked.recourse) {
        stop(tx, locked, row, learned).await?;
    }
    Ok(())
}

/// Stops the workflow until a person resumes it. The events of the mutation are parked, so that nothing is done for them meanwhile,
/// nor afterwards unless the person wants it.
async fn stop(
    tx: &Tx<'_>,
    mut locked: LockedRun,
    row: &MutationRow,
    learned: LateEvidence,
) -> Result<()> {
    let is = contradiction(tx, row, learned).await?;
    locked.workflow.contradicted_mutation_id = Some(row.id);
    notifications::effect_contradicted(tx, &locked, row, is).await?;
    let entry = Entry::by_windlass("mutation.contradicted", &row.id.0)
        .with(json!({ "run": locked.run.id.0, "error": is }));
    journal::add(tx, &locked.workflow, entry).await?;
    let workflow = hand_back_open_runs(tx, locked.workflow).await?;
    let locked = LockedRun { workflow, ..locked };
    let n_parked = park(tx, &row.event_ids, is).await?;
    if n_parked > 0 {
        notifications::events_parked(tx, &locked, n_parked, is).await?;
    }
    advance_workflow(tx, locked.workflow).await?;
    Ok(())
}

/// What contradicts what, for a person.
async fn contradiction(
    tx: &Tx<'_>,
    row: &MutationRow,
    learned: LateEvidence,
) -> Result<&'static str> {
    if learned == LateEvidence::DidNotHappen {
        return Ok("it was settled as done, and its worker reports that the request had no effect");
    }
    let again = mutations::table
        .filter(mutations::operation_id.eq(&row.operation_id))
        .filter(mutations::status.ne(Db(MutationStatus::Failed)))
        .select(mutations::id);
    let again: Option<Db<MutationId>> = again.optional(tx.conn).await?;
    Ok(match again {
        Some(_) => {
            "it was settled as not done and was made again, and now it is known that the first request had its effect: it may have \
             happened twice"
        }
        None => "it was settled as not done, and now it is known that it happened",
    })
}

/// Hands back the workflow's active runs that have not begun an effect: they may be about to make this one again.
async fn hand_back_open_runs(tx: &Tx<'_>, mut workflow: WorkflowRow) -> Result<WorkflowRow> {
    let (workspace, id) = (workflow.workspace_id.0, workflow.id);
    let active = handler_runs::table
        .filter(handler_runs::workflow_id.eq(id))
        .filter(IsActive)
        .select(handler_runs::id);
    let active: Vec<Db<RunId>> = active.load(tx.conn).await?;
    for Db(run) in active {
        let Some(found) = locked_run::find(tx, workspace, run).await? else { continue };
        if matches!(found.state.phase, Phase::Preparing | Phase::Prepared) {
            recover::hand_back(tx, LockedRun { workflow, ..found }).await?;
            workflow = tx.lock(workspace, id.0).await?;
        }
    }
    Ok(workflow)
}

/// Parks the pending events among these. Returns how many there were.
async fn park(tx: &Tx<'_>, Json(event_ids): &Json<Vec<EventId>>, is: &str) -> Result<usize> {
    let ids: Vec<_> = event_ids.iter().map(|id| Db(*id)).collect();
    let parked = diesel::update(events::table.filter(events::id.eq_any(ids)).filter(IsPending))
        .set((
            events::status.eq(Db(EventStatus::Parked)),
            events::blamed_for.eq(Some(is)),
            events::reason.eq(Some(reason_of(is))),
            events::suspected_in.eq(None::<Db<Trial>>),
            events::updated_at.eq(At(tx.now)),
        ));
    parked.execute(tx.conn).await
}
