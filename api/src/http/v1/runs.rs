//! Handler runs: what each handler did.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{
    FailureClass, HandlerKind, MutationId, Outcome, Phase, RunId, SessionId, Status, Timestamp,
    WorkflowId,
};
use windlass_store::{LogFilter, LogSource, Run, RunFilter};

use super::logs::LogLineView;
use crate::http::caller::{Read, Tenant};
use crate::http::extract::{Path, Query, parse_id};
use crate::http::list::{List, PageQuery};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;

/// A handler run.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HandlerRun)]
pub(in crate::http) struct RunView {
    /// Its id.
    #[schema(value_type = String)]
    id: RunId,
    /// Its workflow.
    #[schema(value_type = String)]
    workflow: WorkflowId,
    /// The session that it belongs to.
    #[schema(value_type = String)]
    session: SessionId,
    /// The handler's name.
    handler: String,
    /// `producer` or `consumer`.
    #[schema(value_type = String)]
    kind: HandlerKind,
    /// How far it came.
    #[schema(value_type = String)]
    phase: Phase,
    /// Whether it waits, runs, or how it ended.
    #[schema(value_type = String)]
    status: Status,
    /// Why it failed.
    error: Option<String>,
    /// What kind of failure that was.
    #[schema(value_type = Option<String>)]
    error_class: Option<FailureClass>,
    /// Its effect.
    #[schema(value_type = Option<String>)]
    output: Option<MutationId>,
    /// How that ended.
    #[schema(value_type = Option<String>)]
    output_outcome: Option<Outcome>,
    /// The run that it continues.
    #[schema(value_type = Option<String>)]
    retry_of: Option<RunId>,
    /// What its effect cost, in microdollars.
    cost_microdollars: i64,
    /// When it was queued.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When a worker began it.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            workflow: run.workflow_id,
            session: run.session_id,
            handler: run.handler,
            kind: run.kind,
            phase: run.phase,
            status: run.status,
            error: run.error,
            error_class: run.error_class,
            output: run.mutation_id,
            output_outcome: run.mutation_outcome,
            retry_of: run.retry_of,
            cost_microdollars: run.cost,
            created_at: run.created_at,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(details)).routes(routes!(logs))
}

/// Lists the handler runs of a workflow, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows/{workflow}/handler-runs", tag = "runs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id."), PageQuery),
    responses((status = 200, description = "A page of runs.", body = List<RunView>), Problems))]
async fn list(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, workflow)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<RunView>>, Problem> {
    let workspace = service.workspace;
    let workflow = service.store.find_workflow(workspace, &workflow).await?.id;
    let filter = RunFilter { workspace, workflow, session: None, page: page.page()? };
    Ok(axum::Json(List::of(service.store.runs(filter).await?)))
}

/// Shows a handler run.
#[utoipa::path(get, path = "/workspaces/{workspace}/handler-runs/{run}", tag = "runs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("run" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The run.", body = RunView), Problems))]
async fn details(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, run)): Path<(String, String)>,
) -> Result<axum::Json<RunView>, Problem> {
    let run = service.store.run(service.workspace, parse_id(&run, "run")?).await?;
    Ok(axum::Json(run.into()))
}

/// Lists what a run's script logged, in order.
#[utoipa::path(get, path = "/workspaces/{workspace}/handler-runs/{run}/logs", tag = "runs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("run" = String, Path, description = "Its id."), PageQuery),
    responses((status = 200, description = "A page of lines.", body = List<LogLineView>), Problems))]
async fn logs(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, run)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<LogLineView>>, Problem> {
    let (workspace, run) = (service.workspace, parse_id::<RunId>(&run, "run")?);
    service.store.run(workspace, run).await?;
    let filter = LogFilter { workspace, of: LogSource::Run(run), page: page.page()? };
    Ok(axum::Json(List::of(service.store.logs(filter).await?)))
}
