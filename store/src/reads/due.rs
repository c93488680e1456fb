//! When there is something to do.

use std::time::Duration;

use diesel::dsl::{exists, min, select};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Bool, Text};
use windlass_core::{LimitReached, Timestamp, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use super::limits::{limit_usages, limits_of};
use crate::error::Result;
use crate::joined::joined;
use crate::literals::{IsActive, IsLookedUp};
use crate::model::Agenda;
use crate::params::ClaimFilter;
use crate::queue::{From, queued_from};
use crate::reused::Reuse;
use crate::rows::{At, Db};
use crate::schema::{handler_runs, mutations, workflows};

/// What there is to do for a worker that takes such runs.
pub(super) async fn agenda(conn: &Conn, now: Timestamp, filter: &ClaimFilter) -> Result<Agenda> {
    // Each the first entry of an index, which the planner sees by the condition.
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
    let ((workflow, lease, lookup), run) = joined!(timers, next_claim(conn, now, filter))?;
    let wait = |at: Option<At>| at.map(|At(at)| at.since(now));
    Ok(Agenda { workflow: wait(workflow), lease: wait(lease), lookup: wait(lookup), run })
}

/// When a run that waits for such a worker may be taken; none where none waits, or others have to end first.
async fn next_claim(conn: &Conn, now: Timestamp, filter: &ClaimFilter) -> Result<Option<Duration>> {
    let Workspaces { all, limited } = workspaces(conn, filter).await?;
    let limits = limits_of(conn, &limited).await?;
    let states = limit_usages(conn, limits).await?;
    let mut soonest = None;
    for workspace in all {
        let full = states.iter().filter(|((of, _), _)| *of == workspace);
        let full = full.filter_map(|((_, key), state)| Some((key.clone(), state.reached(now)?)));
        let (full, why): (Vec<_>, Vec<_>) = full.unzip();
        let from = From { workspace, labels: &filter.labels, besides: &[], full: &full };
        let waits: bool = queued_from!(now, &from, |queued| select(exists(queued))
            .reused()
            .get_result(conn)
            .await?);
        if waits {
            return Ok(Some(Duration::ZERO));
        }
        let windows = why.into_iter().filter_map(|why| match why {
            LimitReached::Until(end) => Some(end.since(now)),
            LimitReached::UntilOneEnds => None,
        });
        soonest = soonest.into_iter().chain(windows).min();
    }
    Ok(soonest)
}

/// Workspaces whose runs a worker takes.
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

/// The only workspace that it takes runs of, or else those that have queued runs: one step in the index for each, however many
/// runs wait.
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
    let found: Vec<WithWork> = skipping.reused().load(conn).await?;
    let limited = found.iter().filter(|it| it.limited).map(|it| it.id.0).collect();
    Ok(Workspaces { all: found.into_iter().map(|it| it.id.0).collect(), limited })
}
