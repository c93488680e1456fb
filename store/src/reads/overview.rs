//! Everything that a workflow's status page says.

use std::collections::{BTreeMap, HashMap};

use diesel::dsl::count_star;
use diesel::prelude::*;
use windlass_core::{
    EventStatus, Grant, Policy, ScriptId, Timestamp, TopicId, WorkflowId, WorkspaceId,
};

use super::dialect::{Conn, RunQueryDsl};
use super::{inputs, limits, mutations, runs, workflows};
use crate::effect_window;
use crate::error::Result;
use crate::model::{EventCounts, Workflow, WorkflowOverview};
use crate::rows::{Db, Json};
use crate::schema::{events, scripts, topics};

/// Everything that a workflow's status page says.
pub(in super::super) async fn overview(
    conn: &Conn,
    (policy, now): (&Policy, Timestamp),
    (workspace, workflow): (WorkspaceId, WorkflowId),
) -> Result<WorkflowOverview> {
    let row = workflows::row(conn, workspace, workflow).await?;
    let effects_paused_until = effect_window::paused_until(&row, &policy.effects);
    let found = Workflow::from(row);
    let versions = versions(conn, workflow).await?;
    let active = versions.iter().find(|(script, _)| Some(*script) == found.active_script_id);
    let stopped_by = match found.stopped_by_run_id {
        Some(run) => runs::find_run(conn, workspace, run).await?,
        None => None,
    };
    Ok(WorkflowOverview {
        active_version: active.map(|(_, version)| version.clone()),
        latest_version: versions.as_slice().first().map(|(_, version)| version.clone()),
        grant: grant(conn, found.active_script_id).await?,
        handlers: workflows::handlers(conn, workspace, workflow).await?,
        open_run: runs::open_run(conn, workflow).await?,
        stopped_by,
        effects_paused_until,
        limits: limits::limits_on(conn, now, &found).await?,
        in_doubt: mutations::in_doubt(conn, workflow).await?,
        events: event_counts(conn, workflow).await?,
        pending_inputs: inputs::count_pending(conn, workflow).await?,
        last_session: runs::last_session(conn, workflow).await?,
        workflow: found,
    })
}

async fn grant(conn: &Conn, script: Option<ScriptId>) -> Result<Option<Grant>> {
    let Some(script) = script else { return Ok(None) };
    let granted = scripts::table.find(Db(script)).select(scripts::granted);
    let Json(granted) = granted.first::<Json<Grant>>(conn).await?;
    Ok(Some(granted))
}

/// The versions of a workflow's script, newest first, without their texts.
async fn versions(conn: &Conn, workflow: WorkflowId) -> Result<Vec<(ScriptId, String)>> {
    let query = scripts::table
        .filter(scripts::workflow_id.eq(Db(workflow)))
        .order((scripts::major.desc(), scripts::minor.desc()))
        .select((scripts::id, scripts::major, scripts::minor));
    let found: Vec<(Db<ScriptId>, i32, i32)> = query.load(conn).await?;
    let version = |(Db(script), major, minor)| (script, format!("{major}.{minor}"));
    Ok(found.into_iter().map(version).collect())
}

async fn event_counts(conn: &Conn, workflow: WorkflowId) -> Result<BTreeMap<String, EventCounts>> {
    let query = events::table
        .filter(events::workflow_id.eq(Db(workflow)))
        .group_by((events::topic_id, events::status))
        .select((events::topic_id, events::status, count_star()));
    let found: Vec<(Db<TopicId>, Db<EventStatus>, i64)> = query.load(conn).await?;
    let mut counts: HashMap<TopicId, EventCounts> = HashMap::new();
    for (Db(topic), Db(status), count) in found {
        let counts = counts.entry(topic).or_default();
        let place = match status {
            EventStatus::Pending => &mut counts.pending,
            EventStatus::Reserved => &mut counts.reserved,
            EventStatus::Consumed => &mut counts.consumed,
            EventStatus::Skipped => &mut counts.skipped,
            EventStatus::Parked => &mut counts.parked,
        };
        *place = u32::try_from(count).unwrap_or(u32::MAX);
    }
    let query = topics::table
        .filter(topics::workflow_id.eq(Db(workflow)))
        .select((topics::id, topics::name));
    let topics: Vec<(Db<TopicId>, String)> = query.load(conn).await?;
    let count = |(Db(topic), name)| (name, counts.remove(&topic).unwrap_or_default());
    Ok(topics.into_iter().map(count).collect())
}
