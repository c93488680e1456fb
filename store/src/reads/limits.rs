//! Limits and their usage.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::dsl::count_star;
use diesel::prelude::*;
use windlass_core::{LimitUsage, Rate, RunLimit, Timestamp, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};

use crate::cached::CacheStatement;
use crate::convert::to_u32;
use crate::error::Result;
use crate::literals::{IsActive, IsQueued};
use crate::model::{Limit, LimitHolder, Workflow};
use crate::rows::{Db, LimitRow};
use crate::schema::{handler_runs, limits, workflow_keys, workflows};

/// How many runs of a status each key has.
macro_rules! counts_by_key {
    ($conn:expr, $workspaces:expr, $status:expr) => {{
        let workspaces: Vec<_> = $workspaces.iter().copied().map(Db).collect();
        let counts = handler_runs::table
            .inner_join(
                workflow_keys::table.on(workflow_keys::workflow_id.eq(handler_runs::workflow_id)),
            )
            .filter(handler_runs::workspace_id.eq_any(workspaces))
            .filter($status)
            .group_by((handler_runs::workspace_id, workflow_keys::key))
            .select((handler_runs::workspace_id, workflow_keys::key, count_star()));
        by_key(counts.load($conn).await?)
    }};
}

/// The limits of some workspaces.
pub(super) async fn limits_of(conn: &Conn, workspaces: &[WorkspaceId]) -> Result<Vec<LimitRow>> {
    if workspaces.is_empty() {
        return Ok(Vec::new());
    }
    let workspaces: Vec<_> = workspaces.iter().copied().map(Db).collect();
    let rows = LimitRow::query().filter(limits::workspace_id.eq_any(workspaces));
    rows.order((limits::workspace_id, limits::key)).cached().load(conn).await
}

/// How much of each limit is used.
pub(in super::super) async fn limit_usages(
    conn: &Conn,
    rows: Vec<LimitRow>,
) -> Result<BTreeMap<(WorkspaceId, String), LimitUsage>> {
    if rows.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut workspaces: Vec<_> = rows.iter().map(|row| row.workspace_id.0).collect();
    workspaces.dedup();
    let running = counts_by_key!(conn, &workspaces, IsActive);
    let state = |row: LimitRow| {
        let key = (row.workspace_id.0, row.key.clone());
        let running = running.get(&key).copied().unwrap_or(0);
        (key, state(&row, running))
    };
    Ok(rows.into_iter().map(state).collect())
}

fn by_key(counts: Vec<(Db<WorkspaceId>, String, i64)>) -> BTreeMap<(WorkspaceId, String), u32> {
    let entry = |(Db(workspace), key, n): (_, _, i64)| {
        ((workspace, key), u32::try_from(n).unwrap_or(u32::MAX))
    };
    counts.into_iter().map(entry).collect()
}

fn state(row: &LimitRow, running: u32) -> LimitUsage {
    let rate = row.rate.zip(row.rate_window).map(|(runs, window)| Rate {
        runs: to_u32(runs),
        per: Duration::from_micros(u64::try_from(window).unwrap_or(0)),
    });
    LimitUsage {
        limit: RunLimit { at_once: row.at_once.map(to_u32), rate },
        running,
        window_started_at: row.window_started_at.map(|at| at.0),
        taken: to_u32(row.taken),
    }
}

/// The limits of a workspace, what is used of them and by whom, by key.
pub(in super::super) async fn limits(
    conn: &Conn,
    now: Timestamp,
    workspace: WorkspaceId,
) -> Result<Vec<Limit>> {
    let rows = limits_of(conn, &[workspace]).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let states = limit_usages(conn, rows).await?;
    let queued = counts_by_key!(conn, &[workspace], IsQueued);
    let holders = handler_runs::table
        .inner_join(workflows::table)
        .inner_join(
            workflow_keys::table.on(workflow_keys::workflow_id.eq(handler_runs::workflow_id)),
        )
        .filter(handler_runs::workspace_id.eq(Db(workspace)))
        .filter(IsActive)
        .order((workflow_keys::key, workflows::name))
        .select((workflow_keys::key, workflows::name, handler_runs::id, handler_runs::claimed_by));
    let holders: Vec<(String, String, Db<_>, Option<Db<_>>)> = holders.load(conn).await?;
    let limit = |((_, key), state): ((WorkspaceId, String), LimitUsage)| {
        let held_by = holders.iter().filter(|(of, ..)| *of == key);
        let held_by = held_by.map(|(_, workflow, run, worker)| LimitHolder {
            workflow: workflow.clone(),
            run: run.0,
            worker: worker.map(|Db(worker)| worker),
        });
        Limit {
            at_once: state.limit.at_once,
            rate: state.limit.rate.map(|rate| rate.runs),
            per_s: state.limit.rate.map(|rate| rate.per.as_secs()),
            begun: state
                .window_started_at
                .filter(|_| state.limit.rate.is_some())
                .map(|_| state.taken),
            running: state.running,
            queued: queued.get(&(workspace, key.clone())).copied().unwrap_or(0),
            is_full: state.reached(now).is_some(),
            held_by: held_by.collect(),
            key,
        }
    };
    Ok(states.into_iter().map(limit).collect())
}

/// The limits on what a workflow's runs have in common with others, by key.
pub(super) async fn limits_on(
    conn: &Conn,
    now: Timestamp,
    workflow: &Workflow,
) -> Result<Vec<Limit>> {
    let of_workflow = workflow_keys::workflow_id.eq(Db(workflow.id));
    let keys = workflow_keys::table.filter(of_workflow).select(workflow_keys::key);
    let keys: Vec<String> = keys.load(conn).await?;
    let mut found = limits(conn, now, workflow.workspace_id).await?;
    found.retain(|limit| keys.contains(&limit.key));
    Ok(found)
}
