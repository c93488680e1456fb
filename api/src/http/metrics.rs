//! Numbers for Prometheus, for callers who may read them.

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::caller::{Everywhere, Metrics};
use super::problem::{Problem, Problems};
use super::state::HttpState;
use crate::metrics::AnsweredRequest;

/// The text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Says what the process did and what is open, as numbers.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses((status = 200, description = "The numbers, in the text format of Prometheus."), Problems))]
pub(super) async fn metrics(
    _caller: Everywhere<Metrics>,
    State(state): State<HttpState>,
) -> Result<impl IntoResponse, Problem> {
    let text = state.metrics().render(state.store()).await?;
    Ok(([(header::CONTENT_TYPE, FORMAT)], text))
}

/// Times each request, by its route.
pub(super) async fn measure(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let (route, method) = (route.unwrap_or_default().to_owned(), request.method().clone());
    let response = next.run(request).await;
    let status = response.status();
    state.metrics().observe_request(AnsweredRequest { route, method, status, begun });
    response
}
