//! `status`: the health of workflows, and for each that does not move why, and what to do.

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_api::service::{Service, WorkflowStatusReport};
use windlass_core::WorkflowId;
use windlass_store::{EventCounts, HandlerState, Limit, WorkflowOverview};

use super::check::write_grant;
use super::limit::{LIMIT_COLUMNS, limit_row};
use super::watch::wait_to_read_again;
use crate::cli::StatusArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::hint::CommandHint;
use crate::output::{Printable, TextPage};
use crate::wording::HealthText;

/// A workflow with its health.
#[derive(Debug, Serialize)]
pub(crate) struct StatusPage {
    #[serde(flatten)]
    pub(crate) overview: WorkflowOverview,
    #[serde(rename = "standing")]
    pub(crate) health: HealthText,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct AllPages(Vec<StatusPage>);

/// What is asked for: one workflow, or all.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Answer {
    One(Box<StatusPage>),
    All(AllPages),
}

pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    if args.watch {
        return watch(context, &service, args).await;
    }
    let answer = answer(context, &service, args).await?;
    context.output.print(&answer)?;
    Ok(ending(args, answer.waits_for_person()))
}

/// Prints the state again and again: on a terminal in its place, elsewhere only where it has changed.
async fn watch(context: &Context, service: &Service, args: &StatusArgs) -> Result<ExitStatus> {
    let mut wake_ups = service.store.wake_ups();
    let mut printed = None;
    loop {
        let answer = answer(context, service, args).await?;
        let state = serde_json::to_value(&answer).ok();
        let is_new = context.output.is_terminal() || state != printed;
        if is_new && !context.output.print_anew(&answer)? {
            return Ok(ExitStatus::Done);
        }
        printed = state;
        wait_to_read_again(&mut wake_ups).await;
    }
}

async fn answer(context: &Context, service: &Service, args: &StatusArgs) -> Result<Answer> {
    let Some(name) = &args.workflow else {
        let reports = service.status_of_all(context.output.times()).await?;
        let pages = reports.into_iter().map(|report| StatusPage::new(report, &context.hint));
        return Ok(Answer::All(AllPages(pages.collect())));
    };
    let workflow = service.store.find_workflow(service.workspace, name).await?;
    Ok(Answer::One(Box::new(load(context, service, workflow.id).await?)))
}

impl Answer {
    fn waits_for_person(&self) -> bool {
        match self {
            Self::One(page) => page.health.waits_for_person,
            Self::All(AllPages(pages)) => pages.iter().any(|page| page.health.waits_for_person),
        }
    }
}

impl Printable for Answer {
    fn write(&self, page: &mut TextPage) {
        match self {
            Self::One(one) => one.write(page),
            Self::All(all) => all.write(page),
        }
    }
}

/// A check ends with the code of what waits for a person.
const fn ending(args: &StatusArgs, waits_for_person: bool) -> ExitStatus {
    if args.check && waits_for_person { ExitStatus::WaitsForPerson } else { ExitStatus::Done }
}

/// Loads a workflow, and words its health for the command line.
pub(crate) async fn load(
    context: &Context,
    service: &Service,
    workflow: WorkflowId,
) -> Result<StatusPage> {
    let report = service.status(workflow, context.output.times()).await?;
    Ok(StatusPage::new(report, &context.hint))
}

impl StatusPage {
    pub(crate) fn new(report: WorkflowStatusReport, hint: &CommandHint) -> Self {
        let WorkflowStatusReport { overview, health } = report;
        Self { overview, health: HealthText::new(health, hint) }
    }
}

impl AllPages {
    /// The limits on any of the workflows, each once, by key.
    fn limits(&self) -> Vec<Limit> {
        let all = self.0.iter().flat_map(|page| &page.overview.limits);
        let by_key: BTreeMap<_, _> = all.map(|limit| (&limit.key, limit)).collect();
        by_key.into_values().cloned().collect()
    }
}

impl Printable for AllPages {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("There are no workflows yet.");
        }
        let row = |entry: &StatusPage| {
            let workflow = &entry.overview.workflow;
            [workflow.name.clone(), entry.health.badge.to_string(), entry.health.why.clone()]
        };
        page.table(["NAME", "STATUS", "WHY"], self.0.iter().map(row).collect());
        write_limits(page, &self.limits());
        let waiting = self.0.iter().filter(|entry| entry.health.waits_for_person);
        for entry in waiting {
            page.heading(format_args!("{}:", entry.overview.workflow.name));
            entry.health.write(page);
        }
    }
}

impl Printable for StatusPage {
    fn write(&self, page: &mut TextPage) {
        let WorkflowOverview { workflow, active_version, latest_version, .. } = &self.overview;
        page.line(format_args!("{}: {}", workflow.name, self.health.badge));
        self.health.write(page);

        page.heading(version_line(active_version.as_deref(), latest_version.as_deref()));
        if let Some(grant) = &self.overview.grant {
            write_grant(page, "may call", grant);
        }
        write_handlers(page, &self.overview.handlers);
        write_topics(page, &self.overview);
        write_limits(page, &self.overview.limits);
        if let Some(session) = &self.overview.last_session {
            page.heading("Last session");
            page.field("id", session.id);
            page.field("trigger", session.trigger);
            let result =
                session.result.map_or_else(|| "not ended yet".to_owned(), |it| it.to_string());
            page.field("result", format_args!("{result}, {} run(s)", session.handler_run_count));
            page.field_if("error", session.error.as_ref());
            page.moment("began", Some(session.created_at));
        }
    }
}

fn version_line(active: Option<&str>, latest: Option<&str>) -> String {
    match (active, latest) {
        (Some(active), Some(latest)) if active == latest => format!("Version {active} runs"),
        (Some(active), Some(latest)) => {
            format!("Version {active} runs; the newest, {latest}, is not active")
        }
        (None, Some(latest)) => format!("No version runs; the newest is {latest}"),
        (_, None) => "There is no script yet".to_owned(),
    }
}

fn write_handlers(page: &mut TextPage, handlers: &[HandlerState]) {
    let time = |at: Option<_>| at.map_or_else(|| "-".to_owned(), |at| page.time(at));
    let row = |handler: &HandlerState| {
        let schedule = match &handler.schedule {
            Some(schedule) => schedule.to_string(),
            None => "-".to_owned(),
        };
        let next = time(handler.next_run_at.or(handler.wake_at));
        let last = time(handler.last_run_at);
        [handler.name.clone(), handler.kind.to_string(), schedule, next, last]
    };
    let rows: Vec<_> = handlers.iter().map(row).collect();
    if !rows.is_empty() {
        page.heading("Handlers");
        page.table(["  NAME", "KIND", "SCHEDULE", "NEXT", "LAST"], indented(rows));
    }
}

fn write_topics(page: &mut TextPage, overview: &WorkflowOverview) {
    let row = |(topic, counts): (&String, &EventCounts)| {
        let EventCounts { pending, reserved, consumed, skipped, parked } = *counts;
        let [pending, reserved, consumed, skipped, parked] =
            [pending, reserved, consumed, skipped, parked].map(|n| n.to_string());
        [topic.clone(), pending, reserved, consumed, skipped, parked]
    };
    let rows: Vec<_> = overview.events.iter().map(row).collect();
    if !rows.is_empty() {
        page.heading(format_args!("Events ({} input(s) pending)", overview.pending_inputs));
        page.table(
            ["  TOPIC", "PENDING", "RESERVED", "CONSUMED", "SKIPPED", "PARKED"],
            indented(rows),
        );
    }
}

fn write_limits(page: &mut TextPage, limits: &[Limit]) {
    if !limits.is_empty() {
        page.heading("Limits");
        let mut header = LIMIT_COLUMNS;
        header[0] = "  LIMIT";
        page.table(header, indented(limits.iter().map(limit_row).collect()));
    }
}

fn indented<const N: usize>(rows: Vec<[String; N]>) -> Vec<[String; N]> {
    let indent = |mut row: [String; N]| {
        if let Some(first) = row.first_mut() {
            first.insert_str(0, "  ");
        }
        row
    };
    rows.into_iter().map(indent).collect()
}
