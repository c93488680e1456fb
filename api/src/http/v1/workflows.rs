//! Workflows: how they stand, and what a person orders of them.

mod view;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{Action, SessionId};

use self::view::{WorkflowDetailsView, WorkflowView};
use crate::http::caller::{Read, Run, Tenant};
use crate::http::extract::{Body, Path, Query};
use crate::http::list::{List, PageQuery};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;
use crate::service::Service;

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(details))
        .routes(routes!(start_session))
        .routes(routes!(activate))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(archive))
        .routes(routes!(unarchive))
}

/// Lists the workflows, by name.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows", tag = "workflows",
    params(("workspace" = String, Path, description = "The workspace's name."), PageQuery),
    responses((status = 200, description = "A page of workflows.", body = List<WorkflowView>), Problems))]
async fn list(
    Tenant { service, .. }: Tenant<Read>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<WorkflowView>>, Problem> {
    let workflows = service.store.workflows(service.workspace, page.page()?).await?;
    Ok(axum::Json(List::of(workflows)))
}

/// Shows a workflow: how it stands, why, and what can be done.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows/{workflow}", tag = "workflows",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id.")),
    responses((status = 200, description = "The workflow.", body = WorkflowDetailsView), Problems))]
async fn details(
    State(state): State<HttpState>,
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, workflow)): Path<(String, String)>,
) -> Result<axum::Json<WorkflowDetailsView>, Problem> {
    show(&service, &state, &workflow).await
}

/// A session that was asked for.
#[derive(Debug, Serialize, ToSchema)]
struct BegunSession {
    /// Its id. A worker begins its first run.
    #[schema(value_type = String)]
    session: SessionId,
}

/// Begins a session: every producer is due now. A session that waits for a worker is joined.
#[utoipa::path(post, path = "/workspaces/{workspace}/workflows/{workflow}/sessions", tag = "workflows",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id.")),
    responses((status = 202, description = "A worker takes it.", body = BegunSession), Problems))]
async fn start_session(
    State(state): State<HttpState>,
    Tenant { service, .. }: Tenant<Run>,
    Path((_workspace, workflow)): Path<(String, String)>,
) -> Result<(StatusCode, axum::Json<BegunSession>), Problem> {
    let session = service.begin_session(&workflow, state.times()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(BegunSession { session })))
}

/// Which version is to run.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ActivateBody {
    /// The version, `major.minor`; the newest where it is not given.
    #[serde(default)]
    version: Option<String>,
}

/// Makes a version the one that runs.
#[utoipa::path(post, path = "/workspaces/{workspace}/workflows/{workflow}/activate", tag = "workflows",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id.")),
    request_body = ActivateBody,
    responses((status = 200, description = "The workflow as it is now.", body = WorkflowDetailsView), Problems))]
async fn activate(
    State(state): State<HttpState>,
    Tenant { service, .. }: Tenant<Run>,
    Path((_workspace, workflow)): Path<(String, String)>,
    Body(body): Body<ActivateBody>,
) -> Result<axum::Json<WorkflowDetailsView>, Problem> {
    service.activate(&workflow, body.version.as_deref()).await?;
    show(&service, &state, &workflow).await
}

macro_rules! controls {
    ($($(#[$doc:meta])* $name:ident = $action:ident, $path:literal;)+) => { $(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "workflows",
            params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id.")),
            responses((status = 200, description = "The workflow as it is now.", body = WorkflowDetailsView), Problems))]
        async fn $name(
            State(state): State<HttpState>,
            Tenant { service, .. }: Tenant<Run>,
            Path((_workspace, workflow)): Path<(String, String)>,
        ) -> Result<axum::Json<WorkflowDetailsView>, Problem> {
            service.control(&workflow, Action::$action).await?;
            show(&service, &state, &workflow).await
        }
    )+ };
}

controls! {
    /// Stops a workflow for now. A handler under way finishes.
    pause = Pause, "/workspaces/{workspace}/workflows/{workflow}/pause";
    /// Lets a workflow go on after what stopped it was repaired.
    resume = Resume, "/workspaces/{workspace}/workflows/{workflow}/resume";
    /// Archives a workflow: it does not run.
    archive = Archive, "/workspaces/{workspace}/workflows/{workflow}/archive";
    /// Takes a workflow out of the archive. It is then paused.
    unarchive = Unarchive, "/workspaces/{workspace}/workflows/{workflow}/unarchive";
}

async fn show(
    service: &Service,
    state: &HttpState,
    workflow: &str,
) -> Result<axum::Json<WorkflowDetailsView>, Problem> {
    let workflow = service.store.find_workflow(service.workspace, workflow).await?.id;
    let report = service.status(workflow, state.times()).await?;
    Ok(axum::Json(report.into()))
}
