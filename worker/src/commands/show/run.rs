//! A handler run: how far it came, what it took and gave, and why it stopped.

use serde::Serialize;
use windlass_core::RunId;
use windlass_store::{
    Event, EventFilter, LogEntry, LogFilter, Mutation, Result, Run, RunFilter, Session,
};

use super::ledger::write_output;
use crate::commands::logs::write_entry;
use crate::output::Page;
use windlass_api::service::Service;

#[derive(Debug, Serialize)]
pub(crate) struct RunPage {
    run: Run,
    session: Session,
    /// The events that it reserved, consumed or skipped.
    took: Vec<Event>,
    /// The events that it published first.
    published: Vec<Event>,
    mutation: Option<Mutation>,
    /// The runs that it continues, the nearest first.
    continues: Vec<Run>,
    /// The runs that continue it.
    continued_by: Vec<RunId>,
    logs: Vec<LogEntry>,
}

pub(crate) async fn load(Service { store, workspace, .. }: &Service, id: RunId) -> Result<RunPage> {
    let run = store.run(*workspace, id).await?;
    let everything = EventFilter {
        workspace: *workspace,
        workflow: run.workflow_id,
        topic: None,
        status: None,
        message_ids: None,
        limit: u32::MAX,
    };
    let events = store.events(everything).await?;
    let mutation = match run.mutation_id {
        Some(mutation) => Some(store.mutation(*workspace, mutation).await?),
        None => None,
    };
    let mut continues = Vec::new();
    let mut earlier = run.retry_of;
    while let Some(id) = earlier {
        let run = store.run(*workspace, id).await?;
        earlier = run.retry_of;
        continues.push(run);
    }
    let all_runs = RunFilter {
        workspace: *workspace,
        workflow: run.workflow_id,
        session: None,
        limit: u32::MAX,
    };
    let later = store.runs(all_runs).await?.into_iter().filter(|later| later.retry_of == Some(id));
    Ok(RunPage {
        session: store.session(*workspace, run.session_id).await?,
        took: of_run(&events, |event| event.reserved_by_run_id == Some(id)),
        published: of_run(&events, |event| event.created_by_run_id == id),
        mutation,
        continues,
        continued_by: later.map(|run| run.id).collect(),
        logs: store.logs(LogFilter { workspace: *workspace, run: id, after_seq: 0 }).await?,
        run,
    })
}

fn of_run(events: &[Event], is_of_run: impl Fn(&&Event) -> bool) -> Vec<Event> {
    events.iter().filter(is_of_run).cloned().collect()
}

impl RunPage {
    pub(crate) fn write(&self, page: &mut Page) {
        let run = &self.run;
        page.line(format_args!("{}: {} {}", run.id, run.kind, run.handler));
        write_standing(page, run);
        page.field("session", format_args!("{} ({})", run.session_id, self.session.trigger));
        page.field("workflow", run.workflow_id);
        page.field("script", run.script_id);
        page.field_if("worker", run.claimed_by.as_ref());
        page.moment("queued", Some(run.created_at));
        page.moment("started", run.started_at);
        page.moment("ended", run.ended_at);
        for earlier in &self.continues {
            page.field(
                "continues",
                format_args!("{} ({}, {})", earlier.id, earlier.phase, earlier.status),
            );
        }
        for later in &self.continued_by {
            page.field("continued by", later);
        }
        self.write_data(page);
        write_events(page, "Took", &self.took);
        write_events(page, "Published", &self.published);
        if let Some(mutation) = &self.mutation {
            page.heading("Output");
            write_output(page, mutation);
        }
        if !self.logs.is_empty() {
            page.heading("Logs");
            for entry in &self.logs {
                write_entry(page, entry);
            }
        }
    }

    fn write_data(&self, page: &mut Page) {
        let Run { input_state, prepare_result, output_state, .. } = &self.run;
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
}

/// Writes how far a run came, and why it stopped.
fn write_standing(page: &mut Page, run: &Run) {
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
pub(crate) fn write_events(page: &mut Page, title: &str, events: &[Event]) {
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
