//! Version 1 of the API, below `/api/v1`: one file for each resource, with what it shows and what it does.

mod events;
mod inputs;
mod log_stream;
mod logs;
mod outputs;
mod runs;
mod sessions;
mod workflows;

use utoipa_axum::router::OpenApiRouter;

use super::state::HttpState;

/// All routes, without their common beginning.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .merge(workflows::routes())
        .merge(sessions::routes())
        .merge(runs::routes())
        .merge(log_stream::routes())
        .merge(inputs::routes())
        .merge(events::routes())
        .merge(outputs::routes())
}
