//! Lists of plans, and of what somebody has to do.

use serde::Serialize;
use windlass_api::service::{InboxRow, PlanRow};

use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Plans(Vec<PlanRow>);

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Inbox(Vec<InboxRow>);

pub(super) async fn plans(context: &Context, limit: u32) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    context.output.print(&Plans(service.plans(limit).await?))?;
    Ok(ExitStatus::Done)
}

pub(super) async fn inbox(context: &Context, owner: &str) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    context.output.print(&Inbox(service.plan_inbox(owner).await?))?;
    Ok(ExitStatus::Done)
}

impl Printable for Plans {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("No plan was begun yet.");
        }
        let row = |plan: &PlanRow| {
            [
                plan.workstream.clone(),
                plan.version.to_string(),
                plan.status.to_string(),
                plan.lead_agent_id.clone(),
                plan.run_id.to_string(),
            ]
        };
        let header = ["WORKSTREAM", "VERSION", "STATUS", "LEAD", "RUN"];
        page.table(header, self.0.iter().map(row).collect());
    }
}

impl Printable for Inbox {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("There is nothing to do.");
        }
        let row = |work: &InboxRow| {
            [
                work.workstream.clone(),
                work.node_id.clone(),
                work.status.to_string(),
                work.label.clone(),
                work.approval_id.map(|id| id.to_string()).unwrap_or_default(),
            ]
        };
        let header = ["WORKSTREAM", "NODE", "STATUS", "WHAT", "APPROVAL"];
        page.table(header, self.0.iter().map(row).collect());
    }
}
