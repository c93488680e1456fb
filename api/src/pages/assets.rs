//! The style sheet. Its address changes with its content, so browsers keep it for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use windlass_core::digest_text;

const STYLE: &str = include_str!("../../assets/windlass.css");

static DIGEST: LazyLock<String> = LazyLock::new(|| digest_text(STYLE).chars().take(16).collect());

/// Where it is served.
pub(super) const STYLE_ROUTE: &str = "/assets/{digest}/windlass.css";

/// Its address.
pub(super) fn style_address() -> String {
    format!("/assets/{}/windlass.css", *DIGEST)
}

pub(super) async fn style(Path(wanted): Path<String>) -> Response {
    if wanted != *DIGEST {
        return StatusCode::NOT_FOUND.into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, STYLE).into_response()
}
