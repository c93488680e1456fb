//! The style sheet and the scripts. Their addresses change with their content, so browsers keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use windlass_core::digest_text;

/// The files: their names, types and contents.
const FILES: [(&str, &str, &str); 2] = [
    ("windlass.css", "text/css; charset=utf-8", include_str!("../../assets/windlass.css")),
    ("log.js", "text/javascript; charset=utf-8", include_str!("../../assets/log.js")),
];

/// Of all files together.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let all: String = FILES.iter().map(|(_, _, content)| *content).collect();
    digest_text(&all).chars().take(16).collect()
});

/// Where they are served.
pub(super) const ROUTE: &str = "/assets/{digest}/{name}";

/// The address of a file.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *DIGEST)
}

pub(super) async fn file(Path((digest, name)): Path<(String, String)>) -> Response {
    let found = FILES.iter().find(|(known, _, _)| *known == name && digest == *DIGEST);
    let Some((_, kind, content)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, *kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, *content).into_response()
}
