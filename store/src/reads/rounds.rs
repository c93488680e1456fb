//! How often events were processed, and by which runs.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_core::{EventId, MutationId, RunId, WorkflowId, WorkspaceId};

use super::BATCH;
use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::model::{EventRounds, Round};
use crate::params::ReplaySelection;
use crate::rows::{Db, EventRow, InputRow};
use crate::schema::{event_inputs, event_rounds, events, handler_runs, inputs, topics};
use crate::tenant::in_workspace;

/// The events of a selection with all their rounds, oldest first.
pub(in super::super) async fn rounds(
    conn: &Conn,
    workspace: WorkspaceId,
    selection: ReplaySelection,
) -> Result<Vec<EventRounds>> {
    let (_, chosen) = chosen(conn, workspace, selection).await?;
    with_rounds(conn, chosen).await
}

/// The events of a selection, oldest first, and their workflow.
pub(in super::super) async fn chosen(
    conn: &Conn,
    workspace: WorkspaceId,
    selection: ReplaySelection,
) -> Result<(WorkflowId, Vec<(EventRow, String)>)> {
    let chosen = events::table
        .inner_join(topics::table)
        .filter(in_workspace!(workspace, events::workflow_id))
        .select((EventRow::as_select(), topics::name))
        .order((events::created_at, events::id));
    let chosen: Vec<(EventRow, String)> = match selection {
        ReplaySelection::Event(event) => chosen.filter(events::id.eq(Db(event))).load(conn).await?,
        ReplaySelection::Input(input) => {
            let caused = event_inputs::table
                .filter(event_inputs::input_id.eq(Db(input)))
                .select(event_inputs::event_id);
            chosen.filter(events::id.eq_any(caused)).load(conn).await?
        }
    };
    let workflow = match (&*chosen, selection) {
        ([(event, _), ..], _) => event.workflow_id.0,
        ([], ReplaySelection::Event(event)) => {
            return Err(StoreError::not_found("event", &event));
        }
        ([], ReplaySelection::Input(input)) => {
            let row = InputRow::query()
                .filter(inputs::id.eq(Db(input)))
                .filter(in_workspace!(workspace, inputs::workflow_id));
            let row: Option<InputRow> = row.optional(conn).await?;
            row.ok_or_else(|| StoreError::not_found("input", &input))?.workflow_id.0
        }
    };
    Ok((workflow, chosen))
}

/// An event, and the number, the run and the mutation of one of its rounds.
type PastRound = (Db<EventId>, i32, Db<RunId>, Option<Db<MutationId>>);

async fn with_rounds(conn: &Conn, chosen: Vec<(EventRow, String)>) -> Result<Vec<EventRounds>> {
    let mut past: HashMap<EventId, Vec<Round>> = HashMap::new();
    let mut mutations: HashMap<Db<RunId>, Option<Db<MutationId>>> = HashMap::new();
    for batch in chosen.chunks(BATCH) {
        let ended = event_rounds::table
            .inner_join(handler_runs::table)
            .filter(event_rounds::event_id.eq_any(batch.iter().map(|(event, _)| event.id)))
            .order((event_rounds::event_id, event_rounds::round))
            .select((
                event_rounds::event_id,
                event_rounds::round,
                event_rounds::run_id,
                handler_runs::mutation_id,
            ));
        let ended: Vec<PastRound> = ended.load(conn).await?;
        for (Db(event), number, Db(run), mutation) in ended {
            past.entry(event).or_default().push(Round::new(number, run, mutation));
        }
        let owners = batch.iter().filter_map(|(event, _)| event.reserved_by_run_id);
        let of_owners = handler_runs::table
            .filter(handler_runs::id.eq_any(owners))
            .select((handler_runs::id, handler_runs::mutation_id));
        let of_owners: Vec<(Db<RunId>, Option<Db<MutationId>>)> = of_owners.load(conn).await?;
        mutations.extend(of_owners);
    }
    let complete = |(event, topic): (EventRow, String)| {
        let mut rounds = past.remove(&event.id.0).unwrap_or_default();
        if let Some(owner) = event.reserved_by_run_id {
            let mutation = mutations.get(&owner).copied().flatten();
            rounds.push(Round::new(event.round, owner.0, mutation));
        }
        EventRounds { event: event.into_event(topic), rounds }
    };
    Ok(chosen.into_iter().map(complete).collect())
}
