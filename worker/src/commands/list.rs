//! `list`: the workflows of a workspace.

use clap::Args;
use serde::Serialize;
use windlass_core::{FailureClass, Timestamp, WorkflowId, WorkflowStatus};
use windlass_store::ScriptVersion;

use super::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Also those that are put away
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    id: WorkflowId,
    name: String,
    title: String,
    status: WorkflowStatus,
    error: Option<String>,
    error_class: Option<FailureClass>,
    maintenance: bool,
    active_version: Option<String>,
    latest_version: Option<String>,
    created_at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Workflows {
    rows: Vec<Row>,
    /// How many are put away and not shown.
    #[serde(skip)]
    n_archived: usize,
}

pub(crate) async fn run(context: &Context, args: &ListArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let mut rows = Vec::new();
    let mut n_archived = 0;
    for workflow in service.store.workflows(service.workspace).await? {
        if workflow.status == WorkflowStatus::Archived && !args.all {
            n_archived += 1;
            continue;
        }
        let scripts = service.store.scripts(service.workspace, workflow.id).await?;
        let active = scripts.iter().find(|script| Some(script.id) == workflow.active_script_id);
        rows.push(Row {
            id: workflow.id,
            name: workflow.name,
            title: workflow.title,
            status: workflow.status,
            error: workflow.error,
            error_class: workflow.error_class,
            maintenance: workflow.maintenance,
            active_version: active.map(ScriptVersion::version),
            latest_version: scripts.first().map(ScriptVersion::version),
            created_at: workflow.created_at,
        });
    }
    context.output.answer(&Workflows { rows, n_archived })?;
    Ok(Ending::Done)
}

impl Answer for Workflows {
    fn write(&self, page: &mut Page) {
        if self.rows.is_empty() {
            page.line("There are no workflows.");
        } else {
            self.write_table(page);
        }
        if self.n_archived > 0 {
            page.line(format_args!("{} put away; `--all` shows them too.", self.n_archived));
        }
    }
}

impl Workflows {
    fn write_table(&self, page: &mut Page) {
        let rows = self.rows.iter().map(|row| {
            [
                row.name.clone(),
                row.status.to_string(),
                row.active_version.clone().unwrap_or_else(|| "-".to_owned()),
                row.latest_version.clone().unwrap_or_else(|| "-".to_owned()),
                row.id.to_string(),
            ]
        });
        let rows = rows.collect();
        page.table(["NAME", "STATUS", "RUNS", "NEWEST", "ID"], rows);
    }
}
