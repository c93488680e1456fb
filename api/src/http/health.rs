//! Whether the process lives, and whether it can do something.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::{Problem, Problems};
use super::state::HttpState;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the server can do something.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// Whether the database answers.
    store: bool,
}

/// Says that the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "The process answers."), Problems))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Says whether the database answers.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, description = "The server can do something.", body = Readiness), Problems))]
pub(super) async fn readyz(State(state): State<HttpState>) -> Response {
    match tokio::time::timeout(PATIENCE, state.store().now()).await {
        Ok(Ok(_now)) => Json(Readiness { store: true }).into_response(),
        Ok(Err(error)) => Problem::from(error).into_response(),
        Err(_elapsed) => {
            let detail = format!("the database has not answered within {PATIENCE:?}");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", detail)
                .into_response()
        }
    }
}
