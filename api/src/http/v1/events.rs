//! Events: what flows between the handlers of a workflow.

#![expect(unused_qualifications, reason = "the derive of parameters writes them")]

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{EventId, EventStatus, Timestamp};
use windlass_store::{Event, EventFilter};

use crate::http::caller::{Read, Tenant};
use crate::http::extract::{Path, Query};
use crate::http::list::{List, PageQuery};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;

/// An event.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(in crate::http) struct EventView {
    /// Its id.
    #[schema(value_type = String)]
    id: EventId,
    /// The topic that it was published to.
    topic: String,
    /// The publisher's name for it, unique in the topic.
    message_id: String,
    /// Whether it waits, is being worked on, or is done.
    #[schema(value_type = String)]
    status: EventStatus,
    /// Counts the times it became pending.
    attempt: u32,
    /// Which time it is processed: 1 until a person replays it.
    round: u32,
    /// What it says.
    #[schema(value_type = Value)]
    payload: Value,
    /// When it was first published.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            topic: event.topic,
            message_id: event.message_id,
            status: event.status,
            attempt: event.attempt_number,
            round: event.round,
            payload: event.payload,
            created_at: event.created_at,
        }
    }
}

/// Which events are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// Only those of this topic.
    topic: Option<String>,
    /// Only those in this status: `pending`, `reserved`, `consumed`, `skipped` or `parked`.
    #[param(value_type = Option<String>)]
    status: Option<EventStatus>,
}

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists the events of a workflow, oldest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows/{workflow}/events", tag = "events",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id."), EventQuery, PageQuery),
    responses((status = 200, description = "A page of events.", body = List<EventView>), Problems))]
async fn list(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, workflow)): Path<(String, String)>,
    Query(EventQuery { topic, status }): Query<EventQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<EventView>>, Problem> {
    let workspace = service.workspace;
    let workflow = service.store.find_workflow(workspace, &workflow).await?.id;
    let page = page.page()?;
    let filter = EventFilter { workspace, workflow, topic, status, message_ids: None, page };
    Ok(axum::Json(List::of(service.store.events(filter).await?)))
}
