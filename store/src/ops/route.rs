//! Sets the label and the priority of a workflow's runs.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::queue_rank;

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::{Operation, Tx};
use crate::error::Result;
use crate::literals::IsQueued;
use crate::model::Workflow;
use crate::params::RouteWorkflow;
use crate::rows::{At, Db};
use crate::schema::handler_runs;

impl Operation for RouteWorkflow {
    type Output = Workflow;

    async fn run(self, tx: &Tx<'_>) -> Result<Workflow> {
        let mut workflow = tx.lock(self.workspace, self.workflow).await?;
        workflow.label = self.label;
        workflow.priority = self.priority;
        let queued =
            handler_runs::table.filter(handler_runs::workflow_id.eq(workflow.id)).filter(IsQueued);
        let waits_since = queued.select(handler_runs::created_at).optional(tx.conn).await?;
        if let Some(At(since)) = waits_since {
            let of_workflow = handler_runs::workflow_id.eq(Db(self.workflow));
            diesel::update(handler_runs::table.filter(of_workflow).filter(IsQueued))
                .set((
                    handler_runs::label.eq(workflow.label.as_ref()),
                    handler_runs::priority.eq(workflow.priority),
                    handler_runs::rank.eq(At(queue_rank(since, workflow.priority))),
                ))
                .execute(tx.conn)
                .await?;
            tx.wake();
        }
        let entry = Entry::by(&self.actor, "workflow.routed", &workflow.id.0)
            .with(json!({ "label": workflow.label, "priority": workflow.priority }));
        journal::add(tx, &workflow, entry).await?;
        Ok(advance_workflow(tx, workflow).await?.workflow.into())
    }
}
