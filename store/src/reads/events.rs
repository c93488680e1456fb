//! Events.

use diesel::prelude::*;
use windlass_core::{EventId, EventStatus, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::keyset::EventsAfter;
use crate::literals::IsPending;
use crate::model::Event;
use crate::page::{EventCursor, Listed, Position};
use crate::params::EventFilter;
use crate::rows::{Db, EventRow};
use crate::schema::{events, topics};
use crate::tenant::in_workspace;

diesel::alias!(topics as named: Named);

/// Events, oldest first.
///
/// Pending events of a topic have an index of their own, and message ids another. Otherwise the workflow's events are read in their
/// order until the page is full, and those of other topics and statuses are passed over.
pub(in super::super) async fn events(
    conn: &Conn,
    filter: &EventFilter,
) -> Result<Listed<Event, EventCursor>> {
    let mut query = events::table
        .inner_join(topics::table)
        .select((EventRow::as_select(), topics::name))
        .order((events::created_at, events::id))
        .limit(filter.page.n_rows())
        .into_boxed();
    let has_index = filter.status == Some(EventStatus::Pending) || filter.message_ids.is_some();
    match &filter.topic {
        Some(name) if has_index => {
            let of = (named.field(topics::workflow_id), named.field(topics::name));
            let topic = named
                .filter(of.0.eq(Db(filter.workflow)).and(of.1.eq(name)))
                .filter(in_workspace!(filter.workspace, named.field(topics::workflow_id)))
                .select(named.field(topics::id));
            // As one value: it is found once, and then the entries of one topic are walked in their order.
            query = query.filter(events::topic_id.nullable().eq(topic.single_value()));
        }
        topic => {
            query = query
                .filter(events::workflow_id.eq(Db(filter.workflow)))
                .filter(in_workspace!(filter.workspace, Db(filter.workflow)));
            if let Some(name) = topic {
                query = query.filter(topics::name.eq(name));
            }
        }
    }
    match filter.status {
        None => {}
        Some(EventStatus::Pending) => query = query.filter(IsPending),
        Some(status) => query = query.filter(events::status.eq(Db(status))),
    }
    if let Some(message_ids) = &filter.message_ids {
        query = query.filter(events::message_id.eq_any(message_ids));
    }
    if let Some(after) = &filter.page.after {
        query = query.filter(EventsAfter::from(after));
    }
    let found: Vec<(EventRow, String)> = query.load(conn).await?;
    let position = |(row, _): &(EventRow, String)| Position { at: row.created_at.0, id: row.id.0 };
    Ok(filter.page.of(found, position, |(row, topic)| row.into_event(topic)))
}

/// One event.
pub(in super::super) async fn event(
    conn: &Conn,
    workspace: WorkspaceId,
    event: EventId,
) -> Result<Event> {
    let query = events::table
        .inner_join(topics::table)
        .filter(events::id.eq(Db(event)))
        .filter(in_workspace!(workspace, events::workflow_id))
        .select((EventRow::as_select(), topics::name));
    let found: Option<(EventRow, String)> = query.optional(conn).await?;
    let (row, topic) = found.ok_or_else(|| StoreError::not_found("event", &event))?;
    Ok(row.into_event(topic))
}
