//! When there is work to do.

use std::collections::HashMap;
use std::time::Duration;

use diesel::dsl::{count_star, exists, min, select};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Bool, Text};
use windlass_core::{LimitReached, Timestamp, WorkerId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use super::limits::{limit_usages, limits_of};
use crate::cached::CacheStatement;
use crate::error::Result;
use crate::literals::{IsActive, IsLookedUp};
use crate::model::Agenda;
use crate::params::ClaimFilter;
use crate::pipeline::pipeline;
use crate::queue::{QueueFilter, with_queued_runs};
use crate::rows::{At, Db};
use crate::schema::{handler_runs, mutations, workflows};

/// When there is work for a worker that claims such runs.
pub(in super::super) async fn agenda(
    conn: &Conn,
    now: Timestamp,
    filter: &ClaimFilter,
) -> Result<Agenda> {
    // Each reads the first entry of an index.
    let workflow = workflows::table
        .filter(workflows::due_at.is_not_null())
        .select(min(workflows::due_at))
        .single_value();
    let lease = handler_runs::table
        .filter(IsActive)
        .select(min(handler_runs::lease_expires_at))
        .single_value();
    let lookup = mutations::table
        .filter(IsLookedUp)
        .select(min(mutations::next_reconcile_at))
        .single_value();
    let timers = async {
        let timers = select((workflow, lease, lookup));
        let timers: (Option<At>, Option<At>, Option<At>) = timers.get_result(conn).await?;
        Ok(timers)
    };
    let ((workflow, lease, lookup), run) = pipeline!(timers, next_claim(conn, now, filter))?;
    let wait = |at: Option<At>| at.map(|At(at)| at.since(now));
    Ok(Agenda { workflow: wait(workflow), lease: wait(lease), lookup: wait(lookup), run })
}

/// How long until such a worker can claim a run; nothing if none is queued, or if other runs have to end first.
async fn next_claim(conn: &Conn, now: Timestamp, filter: &ClaimFilter) -> Result<Option<Duration>> {
    let Workspaces { all, limited } = workspaces(conn, filter).await?;
    let limits = limits_of(conn, &limited).await?;
    let usages = limit_usages(conn, limits).await?;
    let mut soonest = None;
    for workspace in all {
        let full = usages.iter().filter(|((of, _), _)| *of == workspace);
        let full = full.filter_map(|((_, key), usage)| Some((key.clone(), usage.reached(now)?)));
        let (full_keys, reached): (Vec<_>, Vec<_>) = full.unzip();
        let labels = &filter.labels;
        let queue = QueueFilter { workspace, labels, except: &[], full_keys: &full_keys };
        let is_claimable: bool = with_queued_runs!(&queue, |queued| select(exists(queued))
            .cached()
            .get_result(conn)
            .await?);
        if is_claimable {
            return Ok(Some(Duration::ZERO));
        }
        let windows = reached.into_iter().filter_map(|reached| match reached {
            LimitReached::Until(end) => Some(end.since(now)),
            LimitReached::UntilOneEnds => None,
        });
        soonest = soonest.into_iter().chain(windows).min();
    }
    Ok(soonest)
}

/// The workspaces whose runs a worker claims.
pub(in super::super) struct Workspaces {
    /// All of them.
    pub(in super::super) all: Vec<WorkspaceId>,
    /// Those that may have limits.
    pub(in super::super) limited: Vec<WorkspaceId>,
}

/// A workspace, of those that have queued runs.
#[derive(QueryableByName)]
struct WithWork {
    #[diesel(sql_type = Text)]
    id: Db<WorkspaceId>,
    #[diesel(sql_type = Bool)]
    limited: bool,
}

/// The one workspace that the worker claims runs of, or all that have queued runs. It reads one index entry per workspace, however
/// many runs are queued.
pub(in super::super) async fn workspaces(conn: &Conn, filter: &ClaimFilter) -> Result<Workspaces> {
    if let Some(only) = filter.workspace {
        return Ok(Workspaces { all: vec![only], limited: vec![only] });
    }
    let skipping = sql_query(
        "WITH RECURSIVE busy (id) AS (
            SELECT min(workspace_id) FROM handler_runs WHERE status = 'queued'
            UNION ALL
            SELECT (SELECT min(r.workspace_id) FROM handler_runs r
                    WHERE r.status = 'queued' AND r.workspace_id > busy.id)
            FROM busy WHERE busy.id IS NOT NULL)
        SELECT id, EXISTS (SELECT 1 FROM limits l WHERE l.workspace_id = busy.id) AS limited
        FROM busy WHERE id IS NOT NULL",
    );
    let found: Vec<WithWork> = skipping.cached().load(conn).await?;
    let limited = found.iter().filter(|it| it.limited).map(|it| it.id.0).collect();
    Ok(Workspaces { all: found.into_iter().map(|it| it.id.0).collect(), limited })
}

/// How many runs of each workspace the worker executes.
pub(in super::super) async fn slots_by_workspace(
    conn: &Conn,
    worker: WorkerId,
) -> Result<HashMap<WorkspaceId, u32>> {
    let counts = handler_runs::table
        .filter(IsActive)
        .filter(handler_runs::claimed_by.eq(Some(Db(worker))))
        .group_by(handler_runs::workspace_id)
        .select((handler_runs::workspace_id, count_star()));
    let counts: Vec<(Db<WorkspaceId>, i64)> = counts.cached().load(conn).await?;
    let count = |(Db(of), count)| (of, u32::try_from(count).unwrap_or(u32::MAX));
    Ok(counts.into_iter().map(count).collect())
}
