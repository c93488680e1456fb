//! `events`, `inputs`, `outputs`, `runs`: the records of one workflow.

use serde::Serialize;
use windlass_api::service::{EventQuery, EventRow, InputRow, RunRow};
use windlass_core::MutationStatus;
use windlass_store::{InputStatus, Mutation};

use crate::cli::{EventsArgs, RunsArgs, WorkflowArgs};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// Rows of one kind.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Rows<T>(Vec<T>);

pub(crate) async fn events(context: &Context, args: &EventsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let query = EventQuery { topic: args.topic.clone(), status: args.status, limit: args.limit };
    context.output.print(&Rows(service.events(&args.workflow, query).await?))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn inputs(context: &Context, args: &WorkflowArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    context.output.print(&Rows(service.inputs(&args.workflow).await?))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn outputs(context: &Context, args: &WorkflowArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    context.output.print(&Rows(service.outputs(&args.workflow).await?))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn runs(context: &Context, args: &RunsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    context.output.print(&Rows(service.runs(&args.workflow, args.limit).await?))?;
    Ok(ExitStatus::Done)
}

impl Printable for Rows<EventRow> {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("There are no such events.");
        }
        let rows = self.0.iter().map(|row| {
            [
                row.topic.clone(),
                row.status.to_string(),
                row.message_id.clone(),
                row.attempt.to_string(),
                row.payload.to_string(),
                row.id.to_string(),
            ]
        });
        let rows = rows.collect();
        page.table(["TOPIC", "STATUS", "MESSAGE", "ATTEMPT", "PAYLOAD", "ID"], rows);
    }
}

impl Printable for Rows<InputRow> {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("Nothing came in yet.");
        }
        let rows = self.0.iter().map(|row| {
            [
                input_word(row.status).to_owned(),
                format!("{}/{}", row.source, row.input_type),
                row.title.clone(),
                page.time(row.created_at),
                row.id.to_string(),
            ]
        });
        let rows = rows.collect();
        page.table(["STATUS", "KIND", "TITLE", "SINCE", "ID"], rows);
    }
}

/// A person's word for an input's status.
pub(crate) const fn input_word(status: InputStatus) -> &'static str {
    match status {
        InputStatus::Pending => "pending",
        InputStatus::Done => "done",
        InputStatus::Skipped => "skipped",
    }
}

impl Printable for Rows<Mutation> {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("Nothing went out yet.");
        }
        let rows = self.0.iter().map(|row| {
            [
                format!("{} {}", mutation_mark(row.status), row.status),
                format!("{}.{}", row.tool_namespace, row.tool_method),
                row.ui_title.clone(),
                match row.inputs.len() {
                    1 => row.inputs.iter().map(ToString::to_string).collect(),
                    n => format!("{n} inputs"),
                },
                row.id.to_string(),
            ]
        });
        let rows = rows.collect();
        page.table(["STATUS", "TOOL", "TITLE", "BECAUSE OF", "ID"], rows);
    }
}

/// Whether an effect happened, at a glance.
pub(crate) const fn mutation_mark(status: MutationStatus) -> &'static str {
    match status {
        MutationStatus::Applied => "✓",
        MutationStatus::Failed => "✗",
        MutationStatus::InFlight => "…",
        MutationStatus::NeedsReconcile | MutationStatus::Indeterminate => "?",
        MutationStatus::WouldSend => "~",
    }
}

impl Printable for Rows<RunRow> {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("Nothing ran yet.");
        }
        let rows = self.0.iter().map(|row| {
            [
                row.handler.clone(),
                row.kind.to_string(),
                row.status.to_string(),
                row.phase.to_string(),
                row.started_at.map(|at| page.time(at)).unwrap_or_default(),
                row.error.clone().unwrap_or_default(),
                row.id.to_string(),
            ]
        });
        let rows = rows.collect();
        page.table(["HANDLER", "KIND", "STATUS", "PHASE", "STARTED", "ERROR", "ID"], rows);
    }
}
