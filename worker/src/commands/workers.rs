//! `workers`: who works, where, and when it was last heard of.

use std::time::Duration;

use serde::Serialize;
use windlass_store::Worker;

use super::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

/// Whoever was not heard of for so long has missed three heartbeats.
const STALE_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Workers(Vec<Listed>);

#[derive(Debug, Serialize)]
struct Listed {
    /// Whether it may be lost.
    stale: bool,
    #[serde(flatten)]
    worker: Worker,
}

pub(crate) async fn run(context: &Context) -> Result<Ending> {
    let service = context.open_existing().await?;
    let workspace = context.global.workspace.as_ref().map(|_| service.workspace);
    let now = service.store.now().await?;
    let workers =
        service.store.workers(workspace).await?.into_iter().map(|worker| Listed {
            stale: now.since(worker.last_heartbeat_at) > STALE_AFTER,
            worker,
        });
    context.output.answer(&Workers(workers.collect()))?;
    Ok(Ending::Done)
}

impl Answer for Workers {
    fn write(&self, page: &mut Page) {
        if self.0.is_empty() {
            return page.line("Nobody works here now; `windlass up` does.");
        }
        let rows = self.0.iter().map(|Listed { stale, worker }| {
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
