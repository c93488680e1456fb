//! Lists runs of graphs.

use diesel::prelude::*;
use windlass_core::graph::GraphStatus;
use windlass_core::{Grant, WorkflowKind, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::convert::{to_u32, to_u64};
use crate::error::{Result, StoreError};
use crate::model::{GraphRun, GraphRuns};
use crate::params::{GraphFilter, GraphOrder};
use crate::rows::{At, Db, GraphRunRow, Json, SessionRow, WorkspaceSettings};
use crate::schema::{graph_runs, scripts, sessions, workflows, workspaces};

/// A run, its session, the name, title and kind of its workflow, and the number of its version.
pub(super) type HeadRow = (GraphRunRow, SessionRow, (String, String, Db<WorkflowKind>), (i32, i32));

/// The runs of a workspace, as [`HeadRow`]s.
macro_rules! heads {
    ($workspace:expr) => {
        graph_runs::table
            .inner_join(sessions::table)
            .inner_join(workflows::table)
            .inner_join(scripts::table)
            .filter(graph_runs::workspace_id.eq(Db($workspace)))
            .select((
                GraphRunRow::as_select(),
                SessionRow::as_select(),
                (workflows::name, workflows::title, workflows::kind),
                (scripts::major, scripts::minor),
            ))
    };
}

pub(super) use heads;

/// The run, as it is shown.
pub(super) fn into_run((run, session, workflow, version): HeadRow) -> GraphRun {
    let (workflow, title, Db(kind)) = workflow;
    let instant = |stored: Option<At>| stored.map(|At(at)| at);
    GraphRun {
        id: run.session_id.0,
        workflow_id: run.workflow_id.0,
        workflow,
        title,
        kind,
        script_id: run.script_id.0,
        version: (to_u32(version.0), to_u32(version.1)),
        status: run.status.0,
        is_held: run.held,
        lead: run.lead,
        notes: run.notes,
        follows_id: run.follows_id.map(|Db(id)| id),
        failure_count: to_u32(run.failure_count),
        deadline_at: instant(run.deadline_at),
        error: session.error,
        cost: session.cost,
        created_at: session.created_at.0,
        ended_at: instant(session.ended_at),
        updated_at: run.updated_at.0,
    }
}

/// Runs of graphs in the order that is asked for, and how many fit.
pub(in super::super) async fn graphs(conn: &Conn, filter: &GraphFilter) -> Result<GraphRuns> {
    macro_rules! filtered {
        ($query:expr) => {{
            let mut query =
                $query.filter(graph_runs::kind.eq(Db(filter.kind.session()))).into_boxed();
            if let Some(workflow) = filter.workflow {
                query = query.filter(graph_runs::workflow_id.eq(Db(workflow)));
            }
            if !filter.statuses.is_empty() {
                let statuses: Vec<Db<GraphStatus>> =
                    filter.statuses.iter().copied().map(Db).collect();
                query = query.filter(graph_runs::status.eq_any(statuses));
            }
            query
        }};
    }
    let all = graph_runs::table.filter(graph_runs::workspace_id.eq(Db(filter.workspace))).count();
    let total: i64 = filtered!(all).get_result(conn).await?;
    let all = filtered!(heads!(filter.workspace));
    // Runs of one moment are told apart by their ids, so that pages neither repeat nor leave out any.
    let ordered = match filter.order {
        GraphOrder::Begun => all.order(graph_runs::session_id.desc()),
        GraphOrder::Changed => {
            all.order((graph_runs::updated_at.desc(), graph_runs::session_id.desc()))
        }
        // The databases sort what has no value at different ends.
        GraphOrder::Ended => all.order((
            sessions::ended_at.is_null(),
            sessions::ended_at.desc(),
            graph_runs::session_id.desc(),
        )),
    };
    let page = ordered.limit(i64::from(filter.limit)).offset(i64::from(filter.offset));
    let runs: Vec<HeadRow> = page.load(conn).await?;
    Ok(GraphRuns { runs: runs.into_iter().map(into_run).collect(), total: to_u64(total) })
}

/// The tools that plans of agents may call without being asked about.
pub(in super::super) async fn plan_grant(conn: &Conn, workspace: WorkspaceId) -> Result<Grant> {
    let settings = workspaces::table.find(Db(workspace)).select(workspaces::settings);
    let settings: Option<Json<WorkspaceSettings>> = settings.optional(conn).await?;
    let missing = || StoreError::not_found("workspace", &workspace);
    Ok(settings.ok_or_else(missing)?.0.plan_grant)
}
