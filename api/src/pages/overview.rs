//! The overview of a workspace: its workflows, how each stands, and what waits for a person.

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use windlass_store::{Notification, NotificationKind};

use super::frame::Frame;
use super::parts;
use super::refused::Refused;
use crate::http::{Anywhere, HttpState, Problem, Read, Tenant};
use crate::service::{Badge, Service, WorkflowStatusReport};
use crate::text::TimeFormat;

/// Leads to the first workspace that the visitor may look at.
pub(super) async fn home(at: Result<Anywhere<Read>, Problem>) -> Result<Redirect, Refused> {
    Ok(Redirect::to(&format!("/w/{}", at?.workspace)))
}

/// All workflows.
pub(super) async fn overview(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Read>, Problem>,
    Path(workspace): Path<String>,
) -> Result<Markup, Refused> {
    let (service, times) = (tenant?.service, state.times());
    let reports = service.status_of_all(times).await?;
    let open = open_notifications(&service).await?;
    let frame = Frame {
        title: "Workflows",
        workspace: &workspace,
        section: "",
        n_waiting: open.len(),
        times,
    };
    Ok(frame.around(&html! {
        h1 { "Workflows" }
        (counts(&reports))
        @if reports.is_empty() {
            p { "There is no workflow yet. On the machine where Windlass runs:" }
            pre { "init\ndeploy workflow.js --name notes --activate\nup" }
        } @else {
            div.table { table {
                thead { tr { th { "Workflow" } th { "How it stands" } th { "Why" } } }
                tbody {
                    @for report in &reports {
                        tr {
                            td { (link(&workspace, &report.overview.workflow.name)) }
                            td { (parts::badge(report.health.badge)) }
                            td { (report.health.why) }
                        }
                    }
                }
            } }
        }
    }))
}

/// What waits for a person, the oldest first, and below it the messages of scripts.
pub(super) async fn waiting(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Read>, Problem>,
    Path(workspace): Path<String>,
) -> Result<Markup, Refused> {
    let (service, times) = (tenant?.service, state.times());
    let mut open = open_notifications(&service).await?;
    open.reverse();
    let (blocking, told): (Vec<_>, Vec<_>) = open.iter().partition(|it| blocks(it.kind));
    let frame = Frame {
        title: "Waiting for you",
        workspace: &workspace,
        section: "/waiting",
        n_waiting: open.len(),
        times,
    };
    Ok(frame.around(&html! {
        h1 { "Waiting for you" }
        @if blocking.is_empty() { p.muted { "Nothing waits for you." } }
        @for notification in blocking { (entry(&workspace, times, notification)) }
        @if !told.is_empty() {
            h2 { "Messages" }
            @for notification in told { (entry(&workspace, times, notification)) }
        }
    }))
}

/// The open notifications, the newest first.
pub(super) async fn open_notifications(service: &Service) -> Result<Vec<Notification>, Refused> {
    let mut all = service.notifications().await?;
    all.retain(|notification| notification.resolved_at.is_none());
    Ok(all)
}

/// Whether something does not go on until a person has acted.
const fn blocks(kind: NotificationKind) -> bool {
    match kind {
        NotificationKind::Error
        | NotificationKind::ScriptFailed
        | NotificationKind::MutationInDoubt
        | NotificationKind::EventParked
        | NotificationKind::EffectContradicted
        | NotificationKind::ApprovalRequested => true,
        NotificationKind::ScriptMessage
        | NotificationKind::RunCompleted
        | NotificationKind::RunFailed => false,
    }
}

fn entry(workspace: &str, times: TimeFormat, notification: &Notification) -> Markup {
    html! {
        section.callout {
            h3 { (notification.title) }
            @if !notification.body.is_empty() { p { (notification.body) } }
            p.muted {
                (link(workspace, &notification.workflow)) ", " (parts::instant(times, notification.created_at))
                @if let Some(output) = notification.mutation_id.filter(|_| notification.kind == NotificationKind::MutationInDoubt) {
                    ", " a href=(format!("/w/{workspace}/outputs/{output}")) { "say whether it happened" }
                }
            }
        }
    }
}

fn counts(reports: &[WorkflowStatusReport]) -> Markup {
    const ORDER: [Badge; 5] =
        [Badge::NeedsAttention, Badge::Fixing, Badge::Running, Badge::Idle, Badge::Stopped];
    let count = |badge| reports.iter().filter(|report| report.health.badge == badge).count();
    html! {
        ul.counts {
            @for badge in ORDER {
                @let n = count(badge);
                @if n > 0 { li { (parts::badge(badge)) " " (n) } }
            }
        }
    }
}

/// A link to a workflow.
pub(super) fn link(workspace: &str, workflow: &str) -> Markup {
    html! { a href=(address(workspace, workflow)) { (workflow) } }
}

/// The address of a workflow's page.
pub(super) fn address(workspace: &str, workflow: &str) -> String {
    let name = percent_encoding::utf8_percent_encode(workflow, percent_encoding::NON_ALPHANUMERIC);
    format!("/w/{workspace}/workflows/{name}")
}
