//! The mutation ledger.

use std::collections::HashMap;
use std::convert::identity;

use diesel::prelude::*;
use windlass_core::{InputId, MutationId, MutationStatus, RunId, WorkflowId, WorkspaceId};

use super::BATCH;
use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::keyset::{MutationsAfter, MutationsBefore};
use crate::literals::IsUnsettled;
use crate::model::Mutation;
use crate::page::{ListOrder, Listed, MutationCursor, Page, Position};
use crate::rows::{Db, MutationRow, RunInputRow};
use crate::schema::{mutations, run_inputs};
use crate::tenant::in_workspace;

/// A workflow's mutations.
pub(in super::super) async fn mutations(
    conn: &Conn,
    (workspace, workflow): (WorkspaceId, WorkflowId),
    (order, page): (ListOrder, Page<MutationCursor>),
) -> Result<Listed<Mutation, MutationCursor>> {
    let mut query = MutationRow::query()
        .filter(mutations::workflow_id.eq(Db(workflow)))
        .filter(in_workspace!(workspace, Db(workflow)))
        .limit(page.n_rows())
        .into_boxed();
    query = match order {
        ListOrder::OldestFirst => query.order((mutations::created_at, mutations::id)),
        ListOrder::NewestFirst => query.order((mutations::created_at.desc(), mutations::id.desc())),
    };
    query = match (&page.after, order) {
        (Some(after), ListOrder::OldestFirst) => query.filter(MutationsAfter::from(after)),
        (Some(after), ListOrder::NewestFirst) => query.filter(MutationsBefore::from(after)),
        (None, ListOrder::OldestFirst | ListOrder::NewestFirst) => query,
    };
    let found = with_inputs(conn, query.load(conn).await?).await?;
    Ok(page.of(found, |found| Position { at: found.created_at, id: found.id }, identity))
}

/// One mutation.
pub(in super::super) async fn mutation(
    conn: &Conn,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<Mutation> {
    let query = MutationRow::query()
        .filter(mutations::id.eq(Db(mutation)))
        .filter(in_workspace!(workspace, mutations::workflow_id));
    let rows = query.load(conn).await?;
    let found = with_inputs(conn, rows).await?.pop();
    found.ok_or_else(|| StoreError::not_found("mutation", &mutation))
}

/// A workflow's mutations that nobody has settled, oldest first.
pub(super) async fn in_doubt(conn: &Conn, workflow: WorkflowId) -> Result<Vec<Mutation>> {
    let query = MutationRow::query()
        .filter(mutations::workflow_id.eq(Db(workflow)))
        .filter(IsUnsettled)
        // A request under way is in no doubt yet.
        .filter(mutations::status.ne(Db(MutationStatus::InFlight)));
    let mut rows: Vec<MutationRow> = query.load(conn).await?;
    // Sorted here: for the order, SQLite would read all mutations of the workflow.
    rows.sort_by_key(|row| (row.created_at, row.id));
    with_inputs(conn, rows).await
}

async fn with_inputs(conn: &Conn, rows: Vec<MutationRow>) -> Result<Vec<Mutation>> {
    let mut inputs: HashMap<RunId, Vec<InputId>> = HashMap::new();
    for batch in rows.chunks(BATCH) {
        let runs: Vec<_> = batch.iter().map(|row| row.handler_run_id).collect();
        let query = RunInputRow::query()
            .filter(run_inputs::run_id.eq_any(runs))
            .order((run_inputs::run_id, run_inputs::input_id));
        let causes: Vec<RunInputRow> = query.load(conn).await?;
        for cause in causes {
            inputs.entry(cause.run_id.0).or_default().push(cause.input_id.0);
        }
    }
    let mut take = |run| inputs.remove(&run).unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| (take(row.handler_run_id.0), row))
        .map(|(i, row)| row.into_mutation(i))
        .collect())
}
