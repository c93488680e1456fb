//! Deletes executions that are over, and recorded plans without any.

use diesel::dsl::{exists, not};
use diesel::prelude::*;
use windlass_core::graph::GraphStatus;
use windlass_core::{ScriptId, SessionId, SessionKind, WorkflowId, WorkflowKind};

use super::super::dialect::RunQueryDsl;
use super::super::{Operation, Tx};
use super::load;
use crate::error::Result;
use crate::model::DeletedExecutions;
use crate::params::DeleteExecutions;
use crate::rows::{At, Db};
use crate::schema::{
    graph_runs, journal, notifications, scripts, sessions, workflow_keys, workflows,
};

impl Operation for DeleteExecutions {
    type Output = DeletedExecutions;

    async fn run(self, tx: &Tx<'_>) -> Result<DeletedExecutions> {
        let executions = executions(tx, &self).await?;
        let plans = if self.orphaned_plans { orphaned(tx, &self).await? } else { Vec::new() };
        if !self.is_dry_run {
            for session in &executions {
                delete_execution(tx, *session).await?;
            }
            for (plan, workflow) in &plans {
                delete_plan(tx, *plan, *workflow).await?;
            }
        }
        Ok(DeletedExecutions {
            executions: executions.into_iter().map(|Db(session)| session).collect(),
            plans: plans.into_iter().map(|(Db(plan), _)| plan).collect(),
        })
    }
}

/// The executions that are over and fit, those that ended first.
async fn executions(tx: &Tx<'_>, params: &DeleteExecutions) -> Result<Vec<Db<SessionId>>> {
    let statuses: Vec<Db<GraphStatus>> =
        params.statuses.iter().copied().filter(|it| load::is_over(*it)).map(Db).collect();
    let over = graph_runs::table
        .inner_join(sessions::table)
        .filter(graph_runs::workspace_id.eq(Db(params.workspace)))
        .filter(graph_runs::kind.eq(Db(SessionKind::Journal)))
        .filter(graph_runs::status.eq_any(statuses))
        .filter(sessions::ended_at.lt(At(params.ended_before)))
        .order((sessions::ended_at, graph_runs::session_id))
        .limit(i64::from(params.limit))
        .select(graph_runs::session_id);
    over.load(tx.conn).await
}

async fn delete_execution(tx: &Tx<'_>, session: Db<SessionId>) -> Result<()> {
    diesel::delete(journal::table.filter(journal::session_id.eq(session))).execute(tx.conn).await?;
    // Its nodes, attempts and approvals go with it.
    diesel::delete(sessions::table.find(session)).execute(tx.conn).await?;
    Ok(())
}

/// Recorded plans that no execution follows.
async fn orphaned(
    tx: &Tx<'_>,
    params: &DeleteExecutions,
) -> Result<Vec<(Db<ScriptId>, Db<WorkflowId>)>> {
    let followed = graph_runs::table.filter(graph_runs::script_id.eq(scripts::id));
    let orphaned = scripts::table
        .inner_join(workflows::table)
        .filter(workflows::workspace_id.eq(Db(params.workspace)))
        .filter(workflows::kind.eq(Db(WorkflowKind::Journal)))
        .filter(not(exists(followed)))
        .order(scripts::id)
        .limit(i64::from(params.limit))
        .select((scripts::id, workflows::id));
    orphaned.load(tx.conn).await
}

async fn delete_plan(tx: &Tx<'_>, plan: Db<ScriptId>, workflow: Db<WorkflowId>) -> Result<()> {
    let of_workflow = journal::workflow_id.eq(workflow);
    diesel::delete(journal::table.filter(of_workflow)).execute(tx.conn).await?;
    diesel::delete(notifications::table.filter(notifications::workflow_id.eq(workflow)))
        .execute(tx.conn)
        .await?;
    diesel::delete(workflow_keys::table.filter(workflow_keys::workflow_id.eq(workflow)))
        .execute(tx.conn)
        .await?;
    diesel::delete(scripts::table.find(plan)).execute(tx.conn).await?;
    diesel::delete(workflows::table.find(workflow)).execute(tx.conn).await?;
    Ok(())
}
