//! The document of the API, made of the routes themselves.

use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use super::problem::Details;
use super::router::api_routes;
use super::state::HttpState;

#[derive(OpenApi)]
#[openapi(
    info(title = "Windlass", description = "See what automations did, why they do not move, and decide what only people decide."),
    components(schemas(Details)),
    modifiers(&Token),
    security(("token" = []))
)]
struct Base;

/// The header with a token.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("token", scheme);
    }
}

/// A router that writes the document while routes are added.
pub(super) fn documented_router() -> OpenApiRouter<HttpState> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// The document of the API, in version 3.1 of its format.
#[must_use]
pub fn document() -> Document {
    api_routes().split_for_parts().1
}
