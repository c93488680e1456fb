//! `events`, `inputs`, `outputs`, `runs`: the records of one workflow.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use windlass_api::service::Service;
use windlass_core::{
    EventId, EventStatus, FailureClass, HandlerKind, InputId, MutationId, MutationStatus, Outcome,
    Phase, ResolvedBy, RunId, SessionId, Status, Timestamp, WorkflowId,
};
use windlass_store::{Event, EventFilter, Input, InputStatus, Mutation, Run, RunFilter};

use super::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    workflow: String,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    workflow: String,
    /// Of this topic only
    #[arg(long)]
    topic: Option<String>,
    /// In this status only: pending, reserved, consumed, skipped or parked
    #[arg(long)]
    status: Option<EventStatus>,
    /// How many at the most, the oldest first
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    workflow: String,
    /// How many at the most, the newest first
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true)]
    limit: u32,
}

/// Rows of one kind.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Rows<T>(Vec<T>);

impl<T, U: From<T>> FromIterator<T> for Rows<U> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().map(U::from).collect())
    }
}

async fn find(context: &Context, name: &str) -> Result<(Service, WorkflowId)> {
    let service = context.open_existing().await?;
    let workflow = service.store.find_workflow(service.workspace, name).await?;
    Ok((service, workflow.id))
}

#[derive(Debug, Serialize)]
struct EventRow {
    id: EventId,
    topic: String,
    message_id: String,
    status: EventStatus,
    attempt: u32,
    payload: Value,
}

impl From<Event> for EventRow {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            topic: event.topic,
            message_id: event.message_id,
            status: event.status,
            attempt: event.attempt_number,
            payload: event.payload,
        }
    }
}

pub(crate) async fn events(context: &Context, args: &EventsArgs) -> Result<Ending> {
    let (service, workflow) = find(context, &args.workflow).await?;
    let filter = EventFilter {
        workspace: service.workspace,
        workflow,
        topic: args.topic.clone(),
        status: args.status,
        message_ids: None,
        limit: args.limit,
    };
    let rows: Rows<EventRow> = service.store.events(filter).await?.into_iter().collect();
    context.output.answer(&rows)?;
    Ok(Ending::Done)
}

impl Answer for Rows<EventRow> {
    fn write(&self, page: &mut Page) {
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

#[derive(Debug, Serialize)]
struct InputRow {
    id: InputId,
    source: String,
    #[serde(rename = "type")]
    input_type: String,
    external_id: String,
    title: String,
    status: InputStatus,
    created_at: Timestamp,
}

impl From<Input> for InputRow {
    fn from(input: Input) -> Self {
        Self {
            id: input.id,
            source: input.source,
            input_type: input.input_type,
            external_id: input.external_id,
            title: input.title,
            status: input.status,
            created_at: input.created_at,
        }
    }
}

pub(crate) async fn inputs(context: &Context, args: &WorkflowArgs) -> Result<Ending> {
    let (service, workflow) = find(context, &args.workflow).await?;
    let rows: Rows<InputRow> =
        service.store.inputs(service.workspace, workflow).await?.into_iter().collect();
    context.output.answer(&rows)?;
    Ok(Ending::Done)
}

impl Answer for Rows<InputRow> {
    fn write(&self, page: &mut Page) {
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

/// A person's word for what became of an input.
pub(crate) const fn input_word(status: InputStatus) -> &'static str {
    match status {
        InputStatus::Pending => "pending",
        InputStatus::Done => "done",
        InputStatus::Skipped => "skipped",
    }
}

#[derive(Debug, Serialize)]
struct OutputRow {
    id: MutationId,
    tool: String,
    method: String,
    status: MutationStatus,
    title: String,
    params: Value,
    result: Option<Value>,
    error: Option<String>,
    inputs: Vec<InputId>,
    run: RunId,
    target: String,
    operation_id: String,
    params_digest: String,
    idempotency_key: String,
    resolved_by: Option<ResolvedBy>,
    resolved_at: Option<Timestamp>,
    late_evidence: Option<String>,
    #[serde(rename = "cost_microdollars")]
    cost: i64,
    created_at: Timestamp,
}

impl From<Mutation> for OutputRow {
    fn from(mutation: Mutation) -> Self {
        Self {
            id: mutation.id,
            tool: mutation.tool_namespace,
            method: mutation.tool_method,
            status: mutation.status,
            title: mutation.ui_title,
            params: mutation.params,
            result: mutation.result,
            error: mutation.error,
            inputs: mutation.inputs,
            run: mutation.handler_run_id,
            target: mutation.target,
            operation_id: mutation.operation_id,
            params_digest: mutation.params_digest,
            idempotency_key: mutation.idempotency_key,
            resolved_by: mutation.resolved_by,
            resolved_at: mutation.resolved_at,
            late_evidence: mutation.late_evidence,
            cost: mutation.cost,
            created_at: mutation.created_at,
        }
    }
}

pub(crate) async fn outputs(context: &Context, args: &WorkflowArgs) -> Result<Ending> {
    let (service, workflow) = find(context, &args.workflow).await?;
    let rows: Rows<OutputRow> =
        service.store.mutations(service.workspace, workflow).await?.into_iter().collect();
    context.output.answer(&rows)?;
    Ok(Ending::Done)
}

impl Answer for Rows<OutputRow> {
    fn write(&self, page: &mut Page) {
        if self.0.is_empty() {
            return page.line("Nothing went out yet.");
        }
        let rows = self.0.iter().map(|row| {
            [
                format!("{} {}", mutation_mark(row.status), row.status),
                format!("{}.{}", row.tool, row.method),
                row.title.clone(),
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

#[derive(Debug, Serialize)]
struct RunRow {
    id: RunId,
    session: SessionId,
    handler: String,
    kind: HandlerKind,
    phase: Phase,
    status: Status,
    error: Option<String>,
    error_class: Option<FailureClass>,
    mutation: Option<MutationId>,
    mutation_outcome: Option<Outcome>,
    retry_of: Option<RunId>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl From<Run> for RunRow {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            session: run.session_id,
            handler: run.handler,
            kind: run.kind,
            phase: run.phase,
            status: run.status,
            error: run.error,
            error_class: run.error_class,
            mutation: run.mutation_id,
            mutation_outcome: run.mutation_outcome,
            retry_of: run.retry_of,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

pub(crate) async fn runs(context: &Context, args: &RunsArgs) -> Result<Ending> {
    let (service, workflow) = find(context, &args.workflow).await?;
    let filter =
        RunFilter { workspace: service.workspace, workflow, session: None, limit: args.limit };
    let rows: Rows<RunRow> = service.store.runs(filter).await?.into_iter().collect();
    context.output.answer(&rows)?;
    Ok(Ending::Done)
}

impl Answer for Rows<RunRow> {
    fn write(&self, page: &mut Page) {
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
