//! The HTTP server: the operations of [`service`](crate::service) for programs and browsers.
//!
//! ```text
//! server.rs     binds an address, serves, and ends when it is told to
//! router.rs     all routes, and what every request passes
//! guard.rs      refuses foreign names and foreign pages, sets the headers of answers
//! caller.rs     who sends a request, and what they may do
//! v1/           the resources of the API, one file each
//! list.rs       pages of lists
//! streams.rs    how many streams a caller may hold
//! problem.rs    what is answered where something cannot be done
//! extract.rs    parts of requests
//! health.rs     whether the process lives and can do something
//! metrics.rs    numbers for Prometheus
//! openapi.rs    the document of the API
//! ```
//!
//! Closed by default: nothing but the health checks and the document is answered without a token or a cookie, under a name that is not
//! ours, or to the page of another site.

mod caller;
mod extract;
mod guard;
mod health;
mod list;
mod metrics;
mod openapi;
mod problem;
mod router;
mod server;
mod state;
mod streams;
mod v1;

pub(crate) use self::caller::{Anywhere, COOKIE, Read, Run, Settle, Tenant, end_session};
pub(crate) use self::extract::parse_id;
pub use self::openapi::document;
pub(crate) use self::problem::Problem;
pub use self::router::router;
pub use self::server::{BindError, Server};
pub(crate) use self::state::HttpState;
pub use self::state::ServerParts;
