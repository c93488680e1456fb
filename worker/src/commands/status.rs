//! `status`: how workflows stand, and for whatever does not move why, and what to do.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use windlass_core::{WorkflowId, WorkflowStatus};
use windlass_store::{EventCounts, HandlerState, Limit, WorkflowOverview};

use super::check::write_grant;
use super::limit::{LIMIT_COLUMNS, limit_row};
use super::standing::{Badge, Doubt, Look, Standing, in_doubt, standing};
use super::{Context, Opened};
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The workflow's name or id; without one all of them
    #[arg(value_name = "NAME")]
    workflow: Option<String>,
}

/// A workflow with the judgement of how it stands.
#[derive(Debug, Serialize)]
pub(crate) struct WorkflowPage {
    #[serde(flatten)]
    pub(crate) overview: WorkflowOverview,
    pub(crate) standing: Standing,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct AllPages(Vec<WorkflowPage>);

pub(crate) async fn run(context: &Context, args: &StatusArgs) -> Result<Ending> {
    let opened = context.open_existing().await?;
    let Some(name) = &args.workflow else {
        let mut pages = Vec::new();
        for workflow in opened.store.workflows(opened.workspace).await? {
            if workflow.status != WorkflowStatus::Archived {
                pages.push(load(context, &opened, workflow.id).await?);
            }
        }
        context.output.answer(&AllPages(pages))?;
        return Ok(Ending::Done);
    };
    let workflow = opened.store.find_workflow(opened.workspace, name).await?;
    context.output.answer(&load(context, &opened, workflow.id).await?)?;
    Ok(Ending::Done)
}

/// Loads a workflow and judges how it stands.
pub(crate) async fn load(
    context: &Context,
    opened: &Opened,
    workflow: WorkflowId,
) -> Result<WorkflowPage> {
    let overview = opened.store.overview(opened.workspace, workflow).await?;
    let mut doubts = Vec::new();
    for mutation in in_doubt(&overview) {
        let mut inputs = Vec::new();
        for input in &mutation.inputs {
            inputs.push(opened.store.input(opened.workspace, *input).await?);
        }
        doubts.push(Doubt { mutation: mutation.clone(), inputs });
    }
    let view = context.output.view();
    let look = Look { overview: &overview, doubts: &doubts, echo: &context.echo, view };
    let standing = standing(look);
    Ok(WorkflowPage { overview, standing })
}

impl Standing {
    /// Whether nothing goes on before a person has acted.
    pub(crate) const fn waits_for_person(&self) -> bool {
        matches!(self.badge, Badge::NeedsAttention | Badge::Fixing)
    }

    /// Writes the judgement for a person.
    pub(crate) fn write(&self, page: &mut Page) {
        page.line(format_args!("  {}", self.why));
        for fact in &self.facts {
            page.field(fact.label, &fact.text);
        }
        if self.to_do.is_empty() {
            return;
        }
        page.heading("  What to do");
        for advice in &self.to_do {
            match &advice.command {
                Some(command) => {
                    page.line(format_args!("    {command}"));
                    page.line(format_args!("        {}", advice.effect));
                }
                None => page.line(format_args!("    {}", advice.effect)),
            }
        }
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

impl Answer for AllPages {
    fn write(&self, page: &mut Page) {
        if self.0.is_empty() {
            return page.line("There are no workflows yet.");
        }
        let row = |entry: &WorkflowPage| {
            let workflow = &entry.overview.workflow;
            [workflow.name.clone(), entry.standing.badge.to_string(), entry.standing.why.clone()]
        };
        page.wide_table(110, ["NAME", "STATUS", "WHY"], self.0.iter().map(row).collect());
        write_limits(page, &self.limits());
        let waiting = self.0.iter().filter(|entry| entry.standing.waits_for_person());
        for entry in waiting {
            page.heading(format_args!("{}:", entry.overview.workflow.name));
            entry.standing.write(page);
        }
    }
}

impl Answer for WorkflowPage {
    fn write(&self, page: &mut Page) {
        let WorkflowOverview { workflow, active_version, latest_version, .. } = &self.overview;
        page.line(format_args!("{}: {}", workflow.name, self.standing.badge));
        self.standing.write(page);

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

fn write_handlers(page: &mut Page, handlers: &[HandlerState]) {
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

fn write_topics(page: &mut Page, overview: &WorkflowOverview) {
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

fn write_limits(page: &mut Page, limits: &[Limit]) {
    if !limits.is_empty() {
        page.heading("Limits");
        let mut header = LIMIT_COLUMNS;
        header[0] = "  LIMIT";
        page.wide_table(110, header, indented(limits.iter().map(limit_row).collect()));
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
