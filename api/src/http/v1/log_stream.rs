//! Logs as they grow: server-sent events, one for each line.
//!
//! The id of an event is the number of its line, so a reader that was cut off goes on after the last line that it has: nothing is lost
//! and nothing comes twice. The event `end` follows the last line of a run or session that is over, `bye` tells to connect again.

#![expect(unused_qualifications, reason = "the derive of parameters writes them")]

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream, StreamExt as _};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use windlass_core::{RunId, SessionId};
use windlass_store::{Listed, LogEntry, LogFilter, LogSource, Page};

use super::logs::LogLineView;
use crate::http::caller::{Read, Tenant};
use crate::http::extract::{Path, Query, parse_id};
use crate::http::problem::{Problem, Problems};
use crate::http::state::HttpState;
use crate::http::streams::StreamPermit;
use crate::service::{Result, Service};

/// How often a log that may grow is read. Lines are stored at most every quarter of a second.
const LOOK: Duration = Duration::from_millis(200);
/// How many lines are read at a time.
const LINES: u32 = 500;
/// How often something is sent where no line comes, so that nothing between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// How long one connection lasts: its caller is asked again who it is.
const LIFETIME: Duration = Duration::from_secs(300);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Asks proxies to pass on every event at once.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Where a log is read from.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Start {
    /// Begins after the line with this number. The header `Last-Event-ID` says the same and counts more.
    after: Option<u32>,
}

pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new().routes(routes!(of_run)).routes(routes!(of_session))
}

/// Streams what a run's script logs: an event `line` for each line, and `end` when the run is over.
#[utoipa::path(get, path = "/workspaces/{workspace}/handler-runs/{run}/logs/stream", tag = "runs",
    params(("workspace" = String, Path, description = "The workspace's name."), ("run" = String, Path, description = "Its id."), Start),
    responses((status = 200, description = "The lines, as they are stored.", body = String, content_type = "text/event-stream"), Problems))]
async fn of_run(
    State(state): State<HttpState>,
    tenant: Tenant<Read>,
    Path((_workspace, run)): Path<(String, String)>,
    Query(start): Query<Start>,
    headers: HeaderMap,
) -> std::result::Result<Response, Problem> {
    let run = parse_id::<RunId>(&run, "run")?;
    follow(&state, tenant, LogSource::Run(run), after(&start, &headers)?).await
}

/// Streams what the scripts of a session log: an event `line` for each line, and `end` when the session is over.
#[utoipa::path(get, path = "/workspaces/{workspace}/sessions/{session}/logs/stream", tag = "sessions",
    params(("workspace" = String, Path, description = "The workspace's name."), ("session" = String, Path, description = "Its id."), Start),
    responses((status = 200, description = "The lines, as they are stored.", body = String, content_type = "text/event-stream"), Problems))]
async fn of_session(
    State(state): State<HttpState>,
    tenant: Tenant<Read>,
    Path((_workspace, session)): Path<(String, String)>,
    Query(start): Query<Start>,
    headers: HeaderMap,
) -> std::result::Result<Response, Problem> {
    let session = parse_id::<SessionId>(&session, "session")?;
    follow(&state, tenant, LogSource::Session(session), after(&start, &headers)?).await
}

/// The number of the last line that the reader has.
fn after(start: &Start, headers: &HeaderMap) -> std::result::Result<u32, Problem> {
    let Some(last) = headers.get(LAST_EVENT_ID) else { return Ok(start.after.unwrap_or(0)) };
    let number = last.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.ok_or_else(|| Problem::bad_request("`Last-Event-ID` is no number of a line"))
}

async fn follow(
    state: &HttpState,
    tenant: Tenant<Read>,
    of: LogSource,
    after: u32,
) -> std::result::Result<Response, Problem> {
    let Tenant { service, credential, .. } = tenant;
    // What is not there is answered as such, and not by an empty stream.
    service.is_log_open(of).await?;
    let follower = Follower {
        service,
        of,
        after,
        ends_at: Instant::now() + LIFETIME,
        stop: state.stop().clone(),
        is_over: false,
        _permit: state.streams().open(credential)?,
    };
    let stream = Sse::new(follower.events()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    Ok(([UNBUFFERED], stream).into_response())
}

/// Reads a log to its end.
struct Follower {
    service: Service,
    of: LogSource,
    /// The number of the last line that was sent.
    after: u32,
    ends_at: Instant,
    stop: CancellationToken,
    is_over: bool,
    _permit: StreamPermit,
}

impl Follower {
    fn events(self) -> impl Stream<Item = std::result::Result<Event, Infallible>> {
        let greeting = Event::default().retry(RETRY).comment("the log follows");
        let batches = stream::unfold(self, Self::next).flat_map(stream::iter);
        stream::once(std::future::ready(greeting)).chain(batches).map(Ok)
    }

    /// The events that come next, and the reader after them; none after the last one.
    async fn next(mut self) -> Option<(Vec<Event>, Self)> {
        while !self.is_over {
            let events = match self.read().await {
                Ok(events) => events,
                // The reader connects again, and goes on after the last line that it has.
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a log cannot be read"
                    );
                    return None;
                }
            };
            if !events.is_empty() {
                return Some((events, self));
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.stop.cancelled() => return Some(self.bye()),
                () = tokio::time::sleep_until(self.ends_at) => return Some(self.bye()),
            }
        }
        None
    }

    async fn read(&mut self) -> Result<Vec<Event>> {
        // Asked before the lines are read: of what is over, all of them are there.
        let is_open = self.service.is_log_open(self.of).await?;
        let page = Page { limit: LINES, after: Some(self.after) };
        let filter = LogFilter { workspace: self.service.workspace, of: self.of, page };
        let Listed { items, next } = self.service.store.logs(filter).await?;
        self.after = items.last().map_or(self.after, |line| line.seq);
        let mut events: Vec<Event> = items.into_iter().filter_map(line).collect();
        if !is_open && next.is_none() {
            events.push(Event::default().event("end").data("{}"));
            self.is_over = true;
        }
        Ok(events)
    }

    fn bye(mut self) -> (Vec<Event>, Self) {
        self.is_over = true;
        (vec![Event::default().event("bye").data("{}")], self)
    }
}

fn line(entry: LogEntry) -> Option<Event> {
    let event = Event::default().event("line").id(entry.seq.to_string());
    event.json_data(LogLineView::from(entry)).ok()
}
