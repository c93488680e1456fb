//! One session: why it began, its runs on a timeline, and its log, which grows while one looks.

use axum::extract::{Path, State};
use maud::{Markup, html};
use windlass_core::SessionId;
use windlass_store::{Listed, LogEntry, LogFilter, LogSource, Page, Run, RunFilter, Session};

use super::frame::Frame;
use super::overview::{link, open_notifications};
use super::refused::Refused;
use super::{assets, parts, timeline};
use crate::http::{HttpState, Problem, Read, Tenant, parse_id};
use crate::service::Service;
use crate::text::{TimeFormat, duration};

/// How many of its newest runs are shown.
const RUNS: u32 = 100;
/// How many of its last lines are shown. The stream has all of them.
const LINES: u32 = 200;

/// Shows a session.
pub(super) async fn session(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Read>, Problem>,
    Path((workspace, id)): Path<(String, String)>,
) -> Result<Markup, Refused> {
    let (service, times) = (tenant?.service, state.times());
    let id: SessionId = parse_id(&id, "session")?;
    let session = service.store.session(service.workspace, id).await?;
    let workflow = session.workflow_id.to_string();
    let workflow = service.store.find_workflow(service.workspace, &workflow).await?.name;
    let (runs, has_older) = last_runs(&service, &session).await?;
    let log = last_lines(&service, &session).await?;
    let n_waiting = open_notifications(&service).await?.len();
    let title = format!("Session of {workflow}");
    let frame = Frame { title: &title, workspace: &workspace, section: "", n_waiting, times };
    Ok(frame.around(&html! {
        h1 { "Session of " (link(&workspace, &workflow)) }
        p { (parts::session(session.result)) @if let Some(error) = &session.error { " " (error) } }
        (facts(times, &session))
        h2 { "Runs" }
        @if has_older { p.muted { "The last " (RUNS) " runs." } }
        (timeline::timeline(times, &runs))
        (runs_table(&workspace, times, &runs))
        h2 { "Log" }
        (log_list(&workspace, times, &session, &log))
    }))
}

/// The newest runs, the oldest of them first, and whether there are older ones.
async fn last_runs(service: &Service, session: &Session) -> Result<(Vec<Run>, bool), Refused> {
    let (workflow, page) = (session.workflow_id, Page::first(RUNS));
    let filter =
        RunFilter { workspace: service.workspace, workflow, session: Some(session.id), page };
    let Listed { items: mut runs, next } = service.store.runs(filter).await?;
    runs.reverse();
    Ok((runs, next.is_some()))
}

async fn last_lines(service: &Service, session: &Session) -> Result<Vec<LogEntry>, Refused> {
    let after = session.log_line_count.saturating_sub(LINES);
    let page = Page { limit: LINES, after: Some(after) };
    let filter =
        LogFilter { workspace: service.workspace, of: LogSource::Session(session.id), page };
    Ok(service.store.logs(filter).await?.items)
}

fn facts(times: TimeFormat, session: &Session) -> Markup {
    html! {
        dl.facts {
            dt { "Because of" } dd { (session.trigger) }
            dt { "Began" } dd { (times.time_and_distance(session.created_at)) }
            @if let Some(at) = session.ended_at {
                dt { "Ended" } dd { (times.time_and_distance(at)) ", after " (duration(at.since(session.created_at))) }
            }
            dt { "Id" } dd.id { (session.id) }
        }
    }
}

fn runs_table(workspace: &str, times: TimeFormat, runs: &[Run]) -> Markup {
    html! {
        @if runs.is_empty() { p.muted { "It has no run yet." } }
        @else { div.table { table {
            thead { tr { th { "Run" } th { "How it stands" } th { "Effect" } th { "Began" } th { "Waited" } th { "Took" } } }
            tbody { @for run in runs { tr {
                td { (run.handler) br; span.muted { (run.kind) } }
                td { (parts::run(run.status)) @if let Some(error) = &run.error { br; (error) } }
                td {
                    @if let Some(output) = run.mutation_id {
                        a href=(format!("/w/{workspace}/outputs/{output}")) {
                            @match run.mutation_outcome { Some(outcome) => (outcome), None => "open" }
                        }
                    }
                }
                td { @if let Some(at) = run.started_at { (parts::instant(times, at)) } }
                td { @if let Some(at) = run.started_at { (duration(at.since(run.created_at))) } }
                td { @if let Some((from, to)) = run.started_at.zip(run.ended_at) { (duration(to.since(from))) } }
            } } }
        } } }
    }
}

/// The log. A script in the page adds the lines that come, as long as the session is open.
fn log_list(workspace: &str, times: TimeFormat, session: &Session, log: &[LogEntry]) -> Markup {
    let stream = format!("/api/v1/workspaces/{workspace}/sessions/{}/logs/stream", session.id);
    let last = log.last().map_or(0, |line| line.seq);
    let is_open = session.result.is_none();
    html! {
        @if session.log_line_count > LINES { p.muted { "The last " (LINES) " of " (session.log_line_count) " lines." } }
        @if log.is_empty() && !is_open { p.muted { "It logged nothing." } }
        ol.log #log data-stream=[is_open.then_some(stream)] data-after=(last) {
            @for line in log {
                li.(line.level) id=(format!("line-{}", line.seq)) {
                    time datetime=(line.created_at.to_string()) { (times.time(line.created_at)) } " "
                    @if let Some(handler) = &line.handler { b { (handler) } " " }
                    span { (line.message) }
                }
            }
        }
        @if is_open { script type="module" src=(assets::address("log.js")) {} }
    }
}
