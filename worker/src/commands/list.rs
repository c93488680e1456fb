//! `list`: the workflows of a workspace.

use serde::Serialize;
use windlass_api::service::WorkflowRow;
use windlass_core::WorkflowStatus;

use crate::cli::ListArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Workflows {
    rows: Vec<WorkflowRow>,
    /// How many are archived and not shown.
    #[serde(skip)]
    n_archived: usize,
}

pub(crate) async fn run(context: &Context, args: &ListArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let all = service.workflows(context.output.times()).await?;
    let n_all = all.len();
    let is_shown = |row: &WorkflowRow| args.all || row.status != WorkflowStatus::Archived;
    let rows: Vec<_> = all.into_iter().filter(is_shown).collect();
    let n_archived = n_all - rows.len();
    context.output.print(&Workflows { rows, n_archived })?;
    Ok(ExitStatus::Done)
}

impl Printable for Workflows {
    fn write(&self, page: &mut TextPage) {
        if self.rows.is_empty() {
            page.line("There are no workflows.");
        } else {
            self.write_table(page);
        }
        if self.n_archived > 0 {
            page.line(format_args!("{} archived; `--all` shows them too.", self.n_archived));
        }
    }
}

impl Workflows {
    fn write_table(&self, page: &mut TextPage) {
        let rows = self.rows.iter().map(|row| {
            [
                row.name.clone(),
                status_word(row),
                row.active_version.clone().unwrap_or_else(|| "-".to_owned()),
                row.latest_version.clone().unwrap_or_else(|| "-".to_owned()),
                row.id.to_string(),
            ]
        });
        let rows = rows.collect();
        page.table(["NAME", "STATUS", "VERSION", "NEWEST", "ID"], rows);
    }
}

/// The same word that `status` says; where a person stopped the workflow, also how.
fn status_word(row: &WorkflowRow) -> String {
    match row.status {
        WorkflowStatus::Active => row.badge.to_string(),
        status @ (WorkflowStatus::Draft
        | WorkflowStatus::Ready
        | WorkflowStatus::Paused
        | WorkflowStatus::Archived) => format!("{} ({status})", row.badge),
    }
}
