//! One workflow: why it does not move, what can be done about it, what came in and what went out.

use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use windlass_core::Action;
use windlass_store::{InputStatus, Mutation, Page, Session};

use super::frame::Frame;
use super::overview::{address, open_notifications};
use super::parts;
use super::refused::Refused;
use crate::http::{HttpState, Problem, Read, Run, Tenant};
use crate::service::{
    Advice, InputRow, NextStep, RecordRange, Service, WorkflowStatusReport, mutation_title,
};
use crate::text::{TimeFormat, duration};

/// How many of the newest inputs and outputs are shown.
const SHOWN: u32 = 20;

/// Shows a workflow.
pub(super) async fn workflow(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Read>, Problem>,
    Path((workspace, name)): Path<(String, String)>,
) -> Result<Markup, Refused> {
    let (service, times) = (tenant?.service, state.times());
    let found = service.store.find_workflow(service.workspace, &name).await?;
    let report = service.status(found.id, times).await?;
    let (inputs, outputs) = in_and_out(&service, &name).await?;
    let sessions = service.store.sessions(service.workspace, found.id, Page::first(SHOWN)).await?;
    let n_waiting = open_notifications(&service).await?.len();
    let frame = Frame { title: &name, workspace: &workspace, section: "", n_waiting, times };
    let WorkflowStatusReport { overview, health } = &report;
    Ok(frame.around(&html! {
        h1 { (overview.workflow.name) }
        p { (parts::badge(health.badge)) " " (health.why) }
        (parts::facts(&health.facts))
        (what_to_do(&workspace, &name, &health.advice))
        (handlers(times, &report))
        div.pair {
            section { h2 { "In" } (inputs_table(times, &inputs)) }
            section { h2 { "Out" } (outputs_table(&workspace, times, &outputs)) }
        }
        h2 { "Sessions" }
        (sessions_table(&workspace, times, &sessions.items))
    }))
}

/// Does what a button of the page asks for, and shows the page again.
pub(super) async fn act(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Run>, Problem>,
    Path((workspace, name, action)): Path<(String, String, String)>,
) -> Result<Redirect, Refused> {
    let service = tenant?.service;
    match action.as_str() {
        "pause" => drop(service.control(&name, Action::Pause).await?),
        "resume" => drop(service.control(&name, Action::Resume).await?),
        "archive" => drop(service.control(&name, Action::Archive).await?),
        "unarchive" => drop(service.control(&name, Action::Unarchive).await?),
        "activate" => drop(service.activate(&name, None).await?),
        "run" => drop(service.begin_session(&name, state.times()).await?),
        other => return Err(Problem::not_found(format!("no button does `{other}`")).into()),
    }
    Ok(Redirect::to(&address(&workspace, &name)))
}

/// The newest inputs and outputs, the newest first.
async fn in_and_out(
    service: &Service,
    name: &str,
) -> Result<(Vec<InputRow>, Vec<Mutation>), Refused> {
    let range = RecordRange { since: None, limit: Some(SHOWN) };
    let mut inputs = service.inputs(name, range).await?.rows;
    let mut outputs = service.outputs(name, range).await?.rows;
    inputs.reverse();
    outputs.reverse();
    Ok((inputs, outputs))
}

/// The advice, each with its button where a button can do it.
fn what_to_do(workspace: &str, name: &str, advice: &[Advice]) -> Markup {
    html! {
        @if !advice.is_empty() {
            h2 { "What can be done" }
            ul {
                @for advice in advice {
                    li { (button(workspace, name, advice.step.as_ref())) (advice.effect) }
                }
            }
        }
        h2 { "Control" }
        div.actions {
            @for (action, label) in [("run", "Run now"), ("pause", "Pause"), ("resume", "Resume")] {
                (action_form(workspace, name, action, label))
            }
        }
    }
}

fn button(workspace: &str, name: &str, step: Option<&NextStep>) -> Markup {
    let form = |action, label| html! { (action_form(workspace, name, action, label)) };
    match step {
        Some(NextStep::Resume { .. }) => form("resume", "Resume"),
        Some(NextStep::Activate { .. }) => form("activate", "Activate"),
        Some(NextStep::Unarchive { .. }) => form("unarchive", "Take out of the archive"),
        Some(NextStep::RunOnce { .. }) => form("run", "Run now"),
        Some(NextStep::Resolve { mutation, .. }) => html! {
            a href=(format!("/w/{workspace}/outputs/{mutation}")) { "Say whether it happened" } ": "
        },
        Some(
            NextStep::Deploy { .. }
            | NextStep::DeployFix { .. }
            | NextStep::ShowStatus { .. }
            | NextStep::ShowPlan { .. }
            | NextStep::StartWorker { .. }
            | NextStep::Limit { .. }
            | NextStep::ListEvents { .. }
            | NextStep::SkipTopic { .. },
        )
        | None => html! {},
    }
}

fn action_form(workspace: &str, name: &str, action: &str, label: &str) -> Markup {
    let action = format!("{}/do/{action}", address(workspace, name));
    html! { form method="post" action=(action) { button { (label) } } }
}

fn handlers(times: TimeFormat, report: &WorkflowStatusReport) -> Markup {
    html! {
        @if !report.overview.handlers.is_empty() {
            h2 { "Handlers" }
            div.table { table {
                thead { tr { th { "Handler" } th { "Kind" } th { "Schedule" } th { "Next" } th { "Last" } } }
                tbody {
                    @for handler in &report.overview.handlers {
                        tr {
                            td { (handler.name) }
                            td { (handler.kind) }
                            td { @if let Some(schedule) = &handler.schedule { (schedule.to_string()) } }
                            td { @if let Some(at) = handler.next_run_at { (parts::instant(times, at)) } }
                            td { @if let Some(at) = handler.last_run_at { (parts::instant(times, at)) } }
                        }
                    }
                }
            } }
        }
    }
}

fn inputs_table(times: TimeFormat, inputs: &[InputRow]) -> Markup {
    html! {
        @if inputs.is_empty() { p.muted { "Nothing has come in yet." } }
        @else { div.table { table {
            thead { tr { th { "What" } th { "Status" } th { "Since" } } }
            tbody {
                @for input in inputs {
                    tr {
                        td { (input.title) br; span.muted { (input.source) " " (input.input_type) } }
                        td { (match input.status {
                            InputStatus::Pending => "pending",
                            InputStatus::Done => "done",
                            InputStatus::Skipped => "skipped",
                        }) }
                        td { (parts::instant(times, input.created_at)) }
                    }
                }
            }
        } } }
    }
}

fn sessions_table(workspace: &str, times: TimeFormat, sessions: &[Session]) -> Markup {
    html! {
        @if sessions.is_empty() { p.muted { "It has not run yet." } }
        @else { div.table { table {
            thead { tr { th { "Began" } th { "Because of" } th { "How it stands" } th { "Runs" } th { "Took" } } }
            tbody { @for session in sessions { tr {
                td { a href=(format!("/w/{workspace}/sessions/{}", session.id)) { (parts::instant(times, session.created_at)) } }
                td { (session.trigger) }
                td { (parts::session(session.result)) }
                td { (session.handler_run_count) }
                td { @if let Some(at) = session.ended_at { (duration(at.since(session.created_at))) } }
            } } }
        } } }
    }
}

fn outputs_table(workspace: &str, times: TimeFormat, outputs: &[Mutation]) -> Markup {
    html! {
        @if outputs.is_empty() { p.muted { "Nothing has gone out yet." } }
        @else { div.table { table {
            thead { tr { th { "What" } th { "Outcome" } th { "Since" } } }
            tbody {
                @for output in outputs {
                    tr {
                        td {
                            a href=(format!("/w/{workspace}/outputs/{}", output.id)) { (mutation_title(output)) }
                            br; span.muted { (output.target) }
                        }
                        td { (parts::outcome(output.status)) }
                        td { (parts::instant(times, output.created_at)) }
                    }
                }
            }
        } } }
    }
}
