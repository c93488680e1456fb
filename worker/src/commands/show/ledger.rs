//! What came in and what went out: events, inputs and outputs.

use serde::Serialize;
use windlass_core::{EventId, InputId, MutationId};
use windlass_store::{Event, Input, JournalEntry, Mutation, Result, Run};

use crate::commands::records::{input_word, mutation_mark};
use crate::output::Page;
use windlass_api::service::{Service, mutation_title};

#[derive(Debug, Serialize)]
pub(crate) struct EventPage {
    event: Event,
    /// The run that published it first.
    published_by: Run,
    /// The run that has it, or had it last.
    taken_by: Option<Run>,
}

pub(crate) async fn load_event(
    Service { store, workspace, .. }: &Service,
    id: EventId,
) -> Result<EventPage> {
    let event = store.event(*workspace, id).await?;
    let published_by = store.run(*workspace, event.created_by_run_id).await?;
    let taken_by = match event.reserved_by_run_id {
        Some(run) => Some(store.run(*workspace, run).await?),
        None => None,
    };
    Ok(EventPage { event, published_by, taken_by })
}

impl EventPage {
    pub(crate) fn write(&self, page: &mut Page) {
        let event = &self.event;
        page.line(format_args!("{}: {} of {}", event.id, event.message_id, event.topic));
        page.field("status", format_args!("{}, attempt {}", event.status, event.attempt_number));
        page.field_if("went wrong", event.blamed_for.as_ref());
        page.moment("since", Some(event.created_at));
        page.field("published by", run_line(&self.published_by));
        page.field_if("taken by", self.taken_by.as_ref().map(run_line));
        page.json("payload", &event.payload);
    }
}

fn run_line(run: &Run) -> String {
    format!("{} ({} {}, {})", run.id, run.kind, run.handler, run.status)
}

#[derive(Debug, Serialize)]
pub(crate) struct InputPage {
    input: Input,
    registered_by: Option<Run>,
    /// What happened because of it.
    outputs: Vec<Mutation>,
}

pub(crate) async fn load_input(
    Service { store, workspace, .. }: &Service,
    id: InputId,
) -> Result<InputPage> {
    let input = store.input(*workspace, id).await?;
    let mut outputs = store.mutations(*workspace, input.workflow_id).await?;
    outputs.retain(|mutation| mutation.inputs.contains(&id));
    let registered_by = match input.created_by_run_id {
        Some(run) => Some(store.run(*workspace, run).await?),
        None => None,
    };
    Ok(InputPage { registered_by, outputs, input })
}

impl InputPage {
    pub(crate) fn write(&self, page: &mut Page) {
        let input = &self.input;
        page.line(format_args!("{}: {}", input.id, input.title));
        page.field("status", input_word(input.status));
        page.field("kind", format_args!("{}/{}", input.source, input.input_type));
        page.field("there called", &input.external_id);
        page.moment("since", Some(input.created_at));
        page.field_if("found by", self.registered_by.as_ref().map(run_line));
        page.heading("What happened");
        if self.outputs.is_empty() {
            page.line("  No external changes.");
        }
        for mutation in &self.outputs {
            let mark = mutation_mark(mutation.status);
            let title = mutation_title(mutation);
            page.line(format_args!("  {mark} {title} ({}, {})", mutation.status, mutation.id));
        }
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct OutputPage {
    mutation: Mutation,
    run: Run,
    inputs: Vec<Input>,
    /// What was done about it, by whom and why.
    journal: Vec<JournalEntry>,
}

pub(crate) async fn load_output(
    Service { store, workspace, .. }: &Service,
    id: MutationId,
) -> Result<OutputPage> {
    let mutation = store.mutation(*workspace, id).await?;
    let mut inputs = Vec::new();
    for input in &mutation.inputs {
        inputs.push(store.input(*workspace, *input).await?);
    }
    let journal = store.journal_for(*workspace, mutation.workflow_id, &id.to_string()).await?;
    Ok(OutputPage {
        run: store.run(*workspace, mutation.handler_run_id).await?,
        inputs,
        journal,
        mutation,
    })
}

impl OutputPage {
    pub(crate) fn write(&self, page: &mut Page) {
        page.line(format_args!("{}: {}", self.mutation.id, mutation_title(&self.mutation)));
        write_output(page, &self.mutation);
        page.field("run", run_line(&self.run));
        for input in &self.inputs {
            page.field("because of", format_args!("{} ({})", input.title, input.id));
        }
        if !self.journal.is_empty() {
            page.heading("What was done about it");
        }
        for JournalEntry { actor, action, reason, created_at, .. } in &self.journal {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            page.line(format_args!("  {} {action}, by {actor}{reason}", page.time(*created_at)));
        }
    }
}

/// Writes what is known of an effect.
pub(crate) fn write_output(page: &mut Page, mutation: &Mutation) {
    page.field("tool", format_args!("{}.{}", mutation.tool_namespace, mutation.tool_method));
    page.field("target", &mutation.target);
    page.field("status", format_args!("{} {}", mutation_mark(mutation.status), mutation.status));
    page.json("request", &mutation.params);
    page.field("operation", &mutation.operation_id);
    page.field("key", &mutation.idempotency_key);
    if let Some(result) = &mutation.result {
        page.json("result", result);
    }
    page.field_if("error", mutation.error.as_ref());
    page.field_if("class", mutation.error_class);
    page.field_if("evidence", mutation.late_evidence.as_ref());
    if mutation.reconcile_attempts > 0 {
        page.field("looked up", format_args!("{} time(s)", mutation.reconcile_attempts));
    }
    page.moment("next look", mutation.next_reconcile_at);
    page.money("cost", mutation.cost);
    page.field_if("settled by", mutation.resolved_by);
    page.moment("settled", mutation.resolved_at);
    page.moment("at", Some(mutation.created_at));
}
