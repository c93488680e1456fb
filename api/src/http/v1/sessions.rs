//! Sessions: one pass of a workflow, with all its runs.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{SessionId, SessionResult, Timestamp, Trigger, WorkflowId};
use windlass_store::{LogFilter, LogSource, RunFilter, Session};

use super::logs::LogLineView;
use super::runs::RunView;
use crate::http::caller::{Read, Tenant};
use crate::http::extract::{Path, Query, parse_id};
use crate::http::list::{List, PageQuery};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;

/// A session: one pass of a workflow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(in crate::http) struct SessionView {
    /// Its id.
    #[schema(value_type = String)]
    id: SessionId,
    /// Its workflow.
    #[schema(value_type = String)]
    workflow: WorkflowId,
    /// Why it began.
    #[schema(value_type = String)]
    trigger: Trigger,
    /// How it ended; null while it is open.
    #[schema(value_type = Option<String>)]
    result: Option<SessionResult>,
    /// Why it failed.
    error: Option<String>,
    /// How many of its runs committed.
    handler_run_count: u32,
    /// What the effects of its runs cost, in microdollars.
    cost_microdollars: i64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            workflow: session.workflow_id,
            trigger: session.trigger,
            result: session.result,
            error: session.error,
            handler_run_count: session.handler_run_count,
            cost_microdollars: session.cost,
            created_at: session.created_at,
            ended_at: session.ended_at,
        }
    }
}

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(details))
        .routes(routes!(runs))
        .routes(routes!(logs))
}

/// Lists the sessions of a workflow, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/workflows/{workflow}/sessions", tag = "sessions",
    params(("workspace" = String, Path, description = "The workspace's name."), ("workflow" = String, Path, description = "Its name or id."), PageQuery),
    responses((status = 200, description = "A page of sessions.", body = List<SessionView>), Problems))]
async fn list(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, workflow)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<SessionView>>, Problem> {
    let workspace = service.workspace;
    let workflow = service.store.find_workflow(workspace, &workflow).await?.id;
    let sessions = service.store.sessions(workspace, workflow, page.page()?).await?;
    Ok(axum::Json(List::of(sessions)))
}

/// Shows a session.
#[utoipa::path(get, path = "/workspaces/{workspace}/sessions/{session}", tag = "sessions",
    params(("workspace" = String, Path, description = "The workspace's name."), ("session" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The session.", body = SessionView), Problems))]
async fn details(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, session)): Path<(String, String)>,
) -> Result<axum::Json<SessionView>, Problem> {
    let session = service.store.session(service.workspace, parse_id(&session, "session")?).await?;
    Ok(axum::Json(session.into()))
}

/// Lists the runs of a session, newest first.
#[utoipa::path(get, path = "/workspaces/{workspace}/sessions/{session}/handler-runs", tag = "sessions",
    params(("workspace" = String, Path, description = "The workspace's name."), ("session" = String, Path, description = "Its id."), PageQuery),
    responses((status = 200, description = "A page of runs.", body = List<RunView>), Problems))]
async fn runs(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, session)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<RunView>>, Problem> {
    let workspace = service.workspace;
    let session = service.store.session(workspace, parse_id(&session, "session")?).await?;
    let (workflow, page) = (session.workflow_id, page.page()?);
    let filter = RunFilter { workspace, workflow, session: Some(session.id), page };
    Ok(axum::Json(List::of(service.store.runs(filter).await?)))
}

/// Lists what the scripts of a session logged, in order.
#[utoipa::path(get, path = "/workspaces/{workspace}/sessions/{session}/logs", tag = "sessions",
    params(("workspace" = String, Path, description = "The workspace's name."), ("session" = String, Path, description = "Its id."), PageQuery),
    responses((status = 200, description = "A page of lines.", body = List<LogLineView>), Problems))]
async fn logs(
    Tenant { service, .. }: Tenant<Read>,
    Path((_workspace, session)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<List<LogLineView>>, Problem> {
    let (workspace, session) = (service.workspace, parse_id::<SessionId>(&session, "session")?);
    service.store.session(workspace, session).await?;
    let filter = LogFilter { workspace, of: LogSource::Session(session), page: page.page()? };
    Ok(axum::Json(List::of(service.store.logs(filter).await?)))
}
