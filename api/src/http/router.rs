//! All routes, and what every request passes before it reaches one.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi::documented_router;
use super::problem::Problem;
use super::state::{HttpState, ServerParts};
use super::{caller, guard, health, metrics, v1};
use crate::pages;

/// How long a request may take. Nobody waits longer for a page.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes a body may have.
const MAX_BODY: usize = 1 << 20;

/// The routes of the API, which its document describes.
pub(super) fn api_routes() -> OpenApiRouter<HttpState> {
    documented_router()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .nest("/api/v1", v1::routes())
}

/// The whole server as a service of requests.
pub fn router(parts: ServerParts) -> Router {
    let state = HttpState::new(parts);
    let (routes, document) = api_routes().split_for_parts();
    let document = axum::Json(document);
    routes
        .merge(pages::routes())
        .route("/api/openapi.json", get(move || std::future::ready(document.clone())))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn_with_state(state.clone(), caller::authenticate))
        .layer(from_fn_with_state(state.clone(), guard::check))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIMEOUT))
        .layer(CatchPanicLayer::custom(|panic| broken(&panic)))
        .layer(from_fn_with_state(state.clone(), metrics::measure))
        .layer(from_fn(guard::harden))
        .with_state(state)
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::not_found(format!("there is nothing at `{}`", uri.path()))
}

async fn not_so(uri: Uri) -> Problem {
    let detail = format!("`{}` does not take this method", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// A fault of ours. What it was stands in the log.
fn broken(panic: &(dyn Any + Send)) -> Response {
    let message = windlass_core::panic_message(panic);
    tracing::error!(message, "a request met a fault of the server");
    let detail = "the server met a fault of its own; its log says which";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
