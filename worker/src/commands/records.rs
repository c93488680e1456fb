//! `events`, `inputs`, `outputs`, `runs`: the records of one workflow.

use serde::Serialize;
use windlass_api::service::{EventQuery, EventRow, InputRow, RecordList, RecordRange, RunRow};
use windlass_core::MutationStatus;
use windlass_store::{InputStatus, Mutation};

use crate::cli::{EventsArgs, RangeArgs, RunsArgs, Since, WorkflowArgs};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// How many rows a terminal shows where no limit is given.
const TERMINAL_ROWS: u32 = 100;

/// Rows of one kind.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Rows<T> {
    rows: Vec<T>,
    /// Whether there are more.
    #[serde(skip)]
    is_cut: bool,
}

impl<T> From<RecordList<T>> for Rows<T> {
    fn from(RecordList { rows, is_cut }: RecordList<T>) -> Self {
        Self { rows, is_cut }
    }
}

impl<T> Rows<T> {
    /// Writes a table of the rows, or that there are none.
    fn write_table<const N: usize>(
        &self,
        page: &mut TextPage,
        if_none: &str,
        header: [&str; N],
        row: impl Fn(&T) -> [String; N],
    ) {
        if self.rows.is_empty() {
            return page.line(if_none);
        }
        page.table(header, self.rows.iter().map(row).collect());
        if self.is_cut {
            let n_rows = self.rows.len();
            page.line(format_args!("There are more than these {n_rows}: `--limit N` shows more."));
        }
    }
}

/// Which records are wanted. A terminal shows no endless list.
fn range(context: &Context, args: &RangeArgs) -> RecordRange {
    let RangeArgs { limit, since } = args;
    let since = since.map(|since| match since {
        Since::Last(span) => context.output.times().now.before(span),
        Since::At(instant) => instant,
    });
    let of_terminal = || context.output.is_terminal().then_some(TERMINAL_ROWS);
    RecordRange { since, limit: limit.or_else(of_terminal) }
}

pub(crate) async fn events(context: &Context, args: &EventsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let query = EventQuery {
        topic: args.topic.clone(),
        status: args.status,
        range: range(context, &args.range),
    };
    let events = service.events(&args.workflow, query).await?;
    context.output.print(&Rows::from(events))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn inputs(context: &Context, args: &WorkflowArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let inputs = service.inputs(&args.workflow, range(context, &args.range)).await?;
    context.output.print(&Rows::from(inputs))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn outputs(context: &Context, args: &WorkflowArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let outputs = service.outputs(&args.workflow, range(context, &args.range)).await?;
    context.output.print(&Rows::from(outputs))?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn runs(context: &Context, args: &RunsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let runs = service.runs(&args.workflow, range(context, &args.range)).await?;
    context.output.print(&Rows::from(runs))?;
    Ok(ExitStatus::Done)
}

impl Printable for Rows<EventRow> {
    fn write(&self, page: &mut TextPage) {
        let header = ["TOPIC", "STATUS", "MESSAGE", "ATTEMPT", "PAYLOAD", "ID"];
        self.write_table(page, "There are no such events.", header, |row| {
            [
                row.topic.clone(),
                row.status.to_string(),
                row.message_id.clone(),
                row.attempt.to_string(),
                row.payload.to_string(),
                row.id.to_string(),
            ]
        });
    }
}

impl Printable for Rows<InputRow> {
    fn write(&self, page: &mut TextPage) {
        let header = ["STATUS", "KIND", "TITLE", "SINCE", "ID"];
        let times = page.times();
        self.write_table(page, "Nothing came in yet.", header, |row| {
            [
                input_word(row.status).to_owned(),
                format!("{}/{}", row.source, row.input_type),
                row.title.clone(),
                times.time(row.created_at),
                row.id.to_string(),
            ]
        });
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
        let header = ["STATUS", "TOOL", "TITLE", "BECAUSE OF", "ID"];
        self.write_table(page, "Nothing went out yet.", header, |row| {
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
        let header = ["HANDLER", "KIND", "STATUS", "PHASE", "STARTED", "ERROR", "ID"];
        let times = page.times();
        self.write_table(page, "Nothing ran yet.", header, |row| {
            [
                row.handler.clone(),
                row.kind.to_string(),
                row.status.to_string(),
                row.phase.to_string(),
                row.started_at.map(|at| times.time(at)).unwrap_or_default(),
                row.error.clone().unwrap_or_default(),
                row.id.to_string(),
            ]
        });
    }
}
