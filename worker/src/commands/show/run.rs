//! The page of a handler run: how far it came, what it took and gave, and why it stopped.

use windlass_api::service::RunDetails;
use windlass_store::{Event, Run};

use super::ledger::write_output;
use crate::commands::logs::write_entry;
use crate::output::TextPage;

/// Writes a run.
pub(super) fn write_run(page: &mut TextPage, details: &RunDetails) {
    let run = &details.run;
    page.line(format_args!("{}: {} {}", run.id, run.kind, run.handler));
    write_state(page, run);
    page.field("session", format_args!("{} ({})", run.session_id, details.session.trigger));
    page.field("workflow", run.workflow_id);
    page.field("script", run.script_id);
    page.field_if("worker", run.claimed_by.as_ref());
    page.moment("queued", Some(run.created_at));
    page.moment("started", run.started_at);
    page.moment("ended", run.ended_at);
    for earlier in &details.continues {
        page.field(
            "continues",
            format_args!("{} ({}, {})", earlier.id, earlier.phase, earlier.status),
        );
    }
    for later in &details.continued_by {
        page.field("continued by", later);
    }
    write_data(page, run);
    write_events(page, "Took", &details.took);
    write_events(page, "Published", &details.published);
    if let Some(mutation) = &details.mutation {
        page.heading("Output");
        write_output(page, mutation);
    }
    if !details.logs.is_empty() {
        page.heading("Logs");
        for entry in &details.logs {
            write_entry(page, entry, None);
        }
    }
}

/// Writes what a run was given, and what it returned.
fn write_data(page: &mut TextPage, run: &Run) {
    let Run { input_state, prepare_result, output_state, .. } = run;
    let data = [
        ("state before", input_state),
        ("prepared", prepare_result),
        ("state after", output_state),
    ];
    if data.iter().any(|(_, value)| value.is_some()) {
        page.heading("Data");
    }
    for (label, value) in data {
        if let Some(value) = value {
            page.json(label, value);
        }
    }
}

/// Writes how far a run came, and why it stopped.
fn write_state(page: &mut TextPage, run: &Run) {
    page.field("status", run.status);
    page.field("phase", run.phase);
    page.field_if("outcome", run.mutation_outcome);
    page.money("cost", run.cost);
    page.field_if("error", run.error.as_ref());
    page.field_if("class", run.error_class);
    page.field_if("at", run.error_at.as_ref());
    let source = run.error_at.as_ref().and_then(|at| at.source_line.as_ref());
    page.field_if("source", source.map(|line| line.trim().to_owned()));
}

/// Writes a table of events.
pub(crate) fn write_events(page: &mut TextPage, title: &str, events: &[Event]) {
    if events.is_empty() {
        return;
    }
    let row = |event: &Event| {
        let Event { topic, message_id, status, payload, id, .. } = event;
        [
            format!("  {topic}"),
            status.to_string(),
            message_id.clone(),
            payload.to_string(),
            id.to_string(),
        ]
    };
    page.heading(title);
    page.table(["  TOPIC", "STATUS", "MESSAGE", "PAYLOAD", "ID"], events.iter().map(row).collect());
}
