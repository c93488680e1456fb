//! `workers`: the workers, and when each was last heard of.

use serde::Serialize;
use windlass_api::service::WorkerRow;

use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Workers {
    rows: Vec<WorkerRow>,
    /// The command that starts one.
    #[serde(skip)]
    start: String,
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let workspace = context.global.workspace.as_ref().map(|_| service.workspace);
    let rows = service.workers(workspace).await?;
    context.output.print(&Workers { rows, start: context.hint.command("up") })?;
    Ok(ExitStatus::Done)
}

impl Printable for Workers {
    fn write(&self, page: &mut TextPage) {
        if self.rows.is_empty() {
            return page.line(format_args!("No worker runs now; `{}` starts one.", self.start));
        }
        let rows = self.rows.iter().map(|WorkerRow { stale, worker }| {
            [
                worker.id.to_string(),
                format!("{} {}", worker.host, worker.pid),
                worker.version.clone(),
                if worker.labels.is_empty() { "-".to_owned() } else { worker.labels.join(",") },
                format!("{}/{}", worker.running, worker.slots),
                worker.done.to_string(),
                worker.failed.to_string(),
                page.time(worker.started_at),
                format!(
                    "{}{}",
                    page.distance(worker.last_heartbeat_at),
                    if *stale { ", may be lost" } else { "" }
                ),
            ]
        });
        let rows = rows.collect();
        page.table(
            [
                "ID", "HOST PID", "VERSION", "LABELS", "RUNS", "DONE", "FAILED", "STARTED",
                "HEARD OF",
            ],
            rows,
        );
    }
}
