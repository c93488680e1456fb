//! Inputs: what came in from outside and caused work.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{InputId, Timestamp, WorkflowId};
use windlass_store::{Input, InputStatus};

use crate::http::caller::{Read, Tenant};
use crate::http::extract::{Path, Query};
use crate::http::list::{List, OrderQuery, PageQuery};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;

/// Something outside that caused work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Input)]
pub(in crate::http) struct InputView {
    /// Its id.
    #[schema(value_type = String)]
    id: InputId,
    /// Its workflow.
    #[schema(value_type = String)]
    workflow: WorkflowId,
    /// Where it came from, for example `Mail`.
    source: String,
    /// What kind of thing it is there.
    #[serde(rename = "type")]
    input_type: String,
    /// Its id there.
    external_id: String,
    /// What a person calls it.
    title: String,
    /// Whether everything that it caused is done: `pending`, `done` or `skipped`.
    #[schema(value_type = String)]
    status: InputStatus,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Input> for InputView {
    fn from(input: Input) -> Self {
        Self {
            id: input.id,
            workflow: input.workflow_id,
            source: input.source,
            input_type: input.input_type,
            external_id: input.external_id,
            title: input.title,
            status: input.status,
            created_at: input.created_at,
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Lists the inputs of a workflow, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows/{workflow}/inputs", tag = "inputs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id."), OrderQuery, PageQuery),
    responses((status = 200, description = "A page of inputs.", body = List<InputView>), Problems))]
async fn list(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, workflow)): Path<(String, String)>,
    Query(order): Query<OrderQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<InputView>>, Problem> {
    let workflow = service.store.find_workflow(service.workspace, &workflow).await?.id;
    let inputs =
        service.store.inputs(service.workspace, workflow, order.into(), page.page()?).await?;
    Ok(axum::Json(List::of(inputs)))
}
