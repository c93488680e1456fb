//! What came in and what went out: events, inputs and outputs.

use windlass_api::service::{
    EventDetails, EventHistory, InputDetails, OutputDetails, RoundDetails, mutation_title,
};
use windlass_store::{JournalEntry, Mutation, Run};

use crate::commands::records::{input_word, mutation_mark};
use crate::output::TextPage;

/// Writes an event.
pub(super) fn write_event(page: &mut TextPage, details: &EventDetails) {
    let event = &details.event;
    page.line(format_args!("{}: {} of {}", event.id, event.message_id, event.topic));
    page.field("status", format_args!("{}, attempt {}", event.status, event.attempt_number));
    page.field_if("went wrong", event.blamed_for.as_ref());
    page.moment("since", Some(event.created_at));
    page.field("published by", run_line(&details.published_by));
    page.field_if("taken by", details.taken_by.as_ref().map(run_line));
    page.json("payload", &event.payload);
    write_rounds(page, &details.rounds);
    write_journal(page, &details.journal);
}

fn run_line(run: &Run) -> String {
    format!("{} ({} {}, {})", run.id, run.kind, run.handler, run.status)
}

/// Writes what was done for an event, each time that it was processed.
fn write_rounds(page: &mut TextPage, rounds: &[RoundDetails]) {
    for RoundDetails { round, run, mutation } in rounds {
        let effect = match mutation {
            Some(mutation) => effect_line(mutation),
            None => "no external change".to_owned(),
        };
        page.field(&format!("round {round}"), format_args!("{run}: {effect}"));
    }
}

fn effect_line(mutation: &Mutation) -> String {
    let mark = mutation_mark(mutation.status);
    format!("{mark} {} ({}, {})", mutation_title(mutation), mutation.status, mutation.id)
}

fn write_journal(page: &mut TextPage, journal: &[JournalEntry]) {
    if !journal.is_empty() {
        page.heading("What was done about it");
    }
    for JournalEntry { actor, action, reason, created_at, .. } in journal {
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        page.line(format_args!("  {} {action}, by {actor}{reason}", page.time(*created_at)));
    }
}

/// Writes an input.
pub(super) fn write_input(page: &mut TextPage, details: &InputDetails) {
    let input = &details.input;
    page.line(format_args!("{}: {}", input.id, input.title));
    page.field("status", input_word(input.status));
    page.field("kind", format_args!("{}/{}", input.source, input.input_type));
    page.field("external id", &input.external_id);
    page.moment("since", Some(input.created_at));
    page.field_if("found by", details.registered_by.as_ref().map(run_line));
    for EventHistory { event, rounds } in &details.events {
        let (id, status) = (event.id, event.status);
        page.heading(format_args!("{id}: {} of {}, {status}", event.message_id, event.topic));
        write_rounds(page, rounds);
    }
    page.heading("What happened");
    if details.outputs.is_empty() {
        page.line("  No external changes.");
    }
    for mutation in &details.outputs {
        page.line(format_args!("  {}", effect_line(mutation)));
    }
}

/// Writes an effect with its causes.
pub(super) fn write_output_details(page: &mut TextPage, details: &OutputDetails) {
    page.line(format_args!("{}: {}", details.mutation.id, mutation_title(&details.mutation)));
    write_output(page, &details.mutation);
    page.field("run", run_line(&details.run));
    for input in &details.inputs {
        page.field("because of", format_args!("{} ({})", input.title, input.id));
    }
    write_journal(page, &details.journal);
}

/// Writes what is known of an effect.
pub(crate) fn write_output(page: &mut TextPage, mutation: &Mutation) {
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
    page.moment("next look-up", mutation.next_reconcile_at);
    page.money("cost", mutation.cost);
    page.field_if("settled by", mutation.resolved_by);
    page.moment("settled", mutation.resolved_at);
    page.moment("at", Some(mutation.created_at));
}
