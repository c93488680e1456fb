//! The input ledger, and what became of each input.

use std::collections::HashMap;

use diesel::dsl::{count, count_star, exists, not};
use diesel::prelude::*;
use windlass_core::{EventStatus, InputId, WorkflowId, WorkspaceId};

use super::BATCH;
use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::keyset::{InputsAfter, InputsBefore};
use crate::model::{Input, InputStatus};
use crate::page::{InputCursor, ListOrder, Listed, Page, Position};
use crate::params::InputKey;
use crate::rows::{Db, InputRow};
use crate::schema::{event_inputs, events, inputs};
use crate::tenant::in_workspace;

/// A workflow's inputs.
pub(in super::super) async fn inputs(
    conn: &Conn,
    (workspace, workflow): (WorkspaceId, WorkflowId),
    (order, page): (ListOrder, Page<InputCursor>),
) -> Result<Listed<Input, InputCursor>> {
    let mut query = InputRow::query()
        .filter(inputs::workflow_id.eq(Db(workflow)))
        .filter(in_workspace!(workspace, Db(workflow)))
        .limit(page.n_rows())
        .into_boxed();
    query = match order {
        ListOrder::OldestFirst => query.order((inputs::created_at, inputs::id)),
        ListOrder::NewestFirst => query.order((inputs::created_at.desc(), inputs::id.desc())),
    };
    query = match (&page.after, order) {
        (Some(after), ListOrder::OldestFirst) => query.filter(InputsAfter::from(after)),
        (Some(after), ListOrder::NewestFirst) => query.filter(InputsBefore::from(after)),
        (None, ListOrder::OldestFirst | ListOrder::NewestFirst) => query,
    };
    let rows: Vec<InputRow> = query.load(conn).await?;
    let mut statuses: HashMap<InputId, Vec<EventStatus>> = HashMap::new();
    for batch in rows.chunks(BATCH) {
        let ids: Vec<_> = batch.iter().map(|row| row.id).collect();
        let query = event_inputs::table
            .inner_join(events::table.on(events::id.eq(event_inputs::event_id)))
            .filter(event_inputs::input_id.eq_any(ids))
            .select((event_inputs::input_id, events::status))
            .distinct();
        let found: Vec<(Db<InputId>, Db<EventStatus>)> = query.load(conn).await?;
        for (Db(input), Db(status)) in found {
            statuses.entry(input).or_default().push(status);
        }
    }
    let position = |row: &InputRow| Position { at: row.created_at.0, id: row.id.0 };
    Ok(page.of(rows, position, |row| {
        let kept = statuses.remove(&row.id.0).unwrap_or_default();
        let status = status_of(&with_past(kept, &row));
        row.into_input(status)
    }))
}

/// One input.
pub(in super::super) async fn input(
    conn: &Conn,
    workspace: WorkspaceId,
    input: InputId,
) -> Result<Input> {
    let query = InputRow::query()
        .filter(inputs::id.eq(Db(input)))
        .filter(in_workspace!(workspace, inputs::workflow_id));
    let row: Option<InputRow> = query.optional(conn).await?;
    let row = row.ok_or_else(|| StoreError::not_found("input", &input))?;
    let query = event_inputs::table
        .inner_join(events::table.on(events::id.eq(event_inputs::event_id)))
        .filter(event_inputs::input_id.eq(Db(input)))
        .select(events::status)
        .distinct();
    let statuses: Vec<Db<EventStatus>> = query.load(conn).await?;
    let kept = statuses.into_iter().map(|Db(status)| status).collect();
    let status = status_of(&with_past(kept, &row));
    Ok(row.into_input(status))
}

/// The statuses of an input's events, also of those that are no longer kept.
fn with_past(mut statuses: Vec<EventStatus>, row: &InputRow) -> Vec<EventStatus> {
    statuses.extend(row.past_status.map(|Db(status)| status));
    statuses
}

/// The input with that natural key, where the workflow has it.
pub(in super::super) async fn find_input(conn: &Conn, key: &InputKey) -> Result<Option<InputId>> {
    let query = inputs::table
        .filter(inputs::workflow_id.eq(Db(key.workflow)))
        .filter(in_workspace!(key.workspace, Db(key.workflow)))
        .filter(inputs::source.eq(&key.source).and(inputs::input_type.eq(&key.input_type)))
        .filter(inputs::external_id.eq(&key.external_id))
        .select(inputs::id);
    let found: Option<Db<InputId>> = query.optional(conn).await?;
    Ok(found.map(|Db(input)| input))
}

/// How many of a workflow's inputs are pending: those with an event that is not over, and those without any.
pub(super) async fn count_pending(conn: &Conn, workflow: WorkflowId) -> Result<u32> {
    let open = [EventStatus::Pending, EventStatus::Reserved, EventStatus::Parked].map(Db);
    let with_open = event_inputs::table
        .inner_join(events::table.on(events::id.eq(event_inputs::event_id)))
        .filter(events::workflow_id.eq(Db(workflow)).and(events::status.eq_any(open)))
        .select(count(event_inputs::input_id).aggregate_distinct());
    let with_open: i64 = with_open.first(conn).await?;
    let caused = event_inputs::table.filter(event_inputs::input_id.eq(inputs::id));
    let without_any = inputs::table
        .filter(inputs::workflow_id.eq(Db(workflow)).and(inputs::past_status.is_null()))
        .filter(not(exists(caused)))
        .select(count_star());
    let without_any: i64 = without_any.first(conn).await?;
    Ok(u32::try_from(with_open.saturating_add(without_any)).unwrap_or(u32::MAX))
}

/// What became of an input whose events have these statuses: an input without any is not done, it only has not begun.
fn status_of(events: &[EventStatus]) -> InputStatus {
    if events.is_empty() || !events.iter().all(|status| status.is_over()) {
        InputStatus::Pending
    } else if events.iter().all(|status| *status == EventStatus::Skipped) {
        InputStatus::Skipped
    } else {
        InputStatus::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_done_only_when_all_its_events_are_over() {
        use EventStatus::{Consumed, Parked, Pending, Reserved, Skipped};

        assert_eq!(status_of(&[]), InputStatus::Pending);
        assert_eq!(status_of(&[Consumed, Pending]), InputStatus::Pending);
        assert_eq!(status_of(&[Skipped, Reserved]), InputStatus::Pending);
        assert_eq!(status_of(&[Consumed, Parked]), InputStatus::Pending);
        assert_eq!(status_of(&[Skipped, Consumed]), InputStatus::Done);
        assert_eq!(status_of(&[Consumed]), InputStatus::Done);
        assert_eq!(status_of(&[Skipped]), InputStatus::Skipped);
    }
}
