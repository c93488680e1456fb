//! The pages for people: HTML from the server, which works without scripts. They show what [`service`](crate::service) knows and do what
//! it does, each button one operation.
//!
//! ```text
//! frame.rs      what stands around every page
//! parts.rs      badges, facts, tables, instants
//! overview.rs   all workflows, and what waits for a person
//! workflow.rs   one workflow: why it does not move, what came in, what went out, with the buttons
//! session.rs    one session: its runs and its log, which grows while one looks
//! timeline.rs   runs on an axis of time
//! output.rs     one effect; in doubt: the four answers
//! sign_in.rs    how a person gets in and out
//! refused.rs    what is shown where a page cannot be
//! assets.rs     the style sheet and the scripts
//! ```

mod assets;
mod frame;
mod output;
mod overview;
mod parts;
mod refused;
mod session;
mod sign_in;
mod timeline;
mod workflow;

use axum::Router;
use axum::routing::{get, post};

use crate::http::HttpState;

/// The routes of all pages.
pub(crate) fn routes() -> Router<HttpState> {
    Router::new()
        .route("/", get(overview::home))
        .route("/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route(assets::ROUTE, get(assets::file))
        .route("/w/{workspace}", get(overview::overview))
        .route("/w/{workspace}/waiting", get(overview::waiting))
        .route("/w/{workspace}/workflows/{workflow}", get(workflow::workflow))
        .route("/w/{workspace}/workflows/{workflow}/do/{action}", post(workflow::act))
        .route("/w/{workspace}/sessions/{session}", get(session::session))
        .route("/w/{workspace}/outputs/{output}", get(output::output).post(output::resolve))
}
