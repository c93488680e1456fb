//! When there is something to do.

use std::time::Duration;

use diesel::dsl::{exists, min, select};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use windlass_core::{Full, Timestamp, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use super::flow::{flow_states, limits_of};
use crate::error::Result;
use crate::literals::{IsActive, IsLookedUp};
use crate::params::Takes;
use crate::queue::{From, queued_from};
use crate::rows::{At, Db};
use crate::schema::{handler_runs, mutations, workflows};

/// How long a run that waits for a worker is left to it before it is looked at again.
const QUEUED: Duration = Duration::from_secs(1);

/// How long until a workflow is due, a lease expires or an effect is looked up, and never longer than a moment while a run waits for a worker.
pub(super) async fn next_due(
    conn: &mut Conn,
    now: Timestamp,
    takes: &Takes,
) -> Result<Option<Duration>> {
    let due: Option<At> = workflows::table.select(min(workflows::due_at)).first(conn).await?;
    let expiry: Option<At> = handler_runs::table
        .filter(IsActive)
        .select(min(handler_runs::lease_expires_at))
        .first(conn)
        .await?;
    let lookup: Option<At> = mutations::table
        .filter(IsLookedUp)
        .select(min(mutations::next_reconcile_at))
        .first(conn)
        .await?;
    let queued = next_claim(conn, now, takes).await?;
    let timers = [due, expiry, lookup].into_iter().flatten().map(|At(due)| due.since(now));
    Ok(timers.chain(queued).min())
}

/// When a run that waits for such a worker may be taken; none where none waits, or others have to end first.
async fn next_claim(conn: &mut Conn, now: Timestamp, takes: &Takes) -> Result<Option<Duration>> {
    let workspaces = match takes.workspace {
        Some(workspace) => vec![workspace],
        None => workspaces_with_work(conn).await?,
    };
    if workspaces.is_empty() {
        return Ok(None);
    }
    let limits = limits_of(conn, &workspaces).await?;
    let states = flow_states(conn, limits).await?;
    let mut soonest = None;
    for workspace in workspaces {
        let full = states.iter().filter(|((of, _), _)| *of == workspace);
        let full = full.filter_map(|((_, key), state)| Some((key.clone(), state.full(now)?)));
        let (full, why): (Vec<_>, Vec<_>) = full.unzip();
        let from = From { workspace, labels: &takes.labels, besides: &[], full: &full };
        let waits: bool =
            queued_from!(now, &from, |queued| select(exists(queued)).get_result(conn).await?);
        if waits {
            return Ok(Some(QUEUED));
        }
        let windows = why.into_iter().filter_map(|why| match why {
            Full::Until(end) => Some(end.since(now)),
            Full::UntilOneEnds => None,
        });
        soonest = soonest.into_iter().chain(windows).min();
    }
    Ok(soonest)
}

/// A workspace, of those that have queued runs.
#[derive(QueryableByName)]
struct WithWork {
    #[diesel(sql_type = Text)]
    id: Db<WorkspaceId>,
}

/// The workspaces that have queued runs: one step in the index for each, however many runs wait.
pub(in super::super) async fn workspaces_with_work(conn: &mut Conn) -> Result<Vec<WorkspaceId>> {
    let skipping = sql_query(
        "WITH RECURSIVE busy (id) AS (
            SELECT min(workspace_id) FROM handler_runs WHERE status = 'queued'
            UNION ALL
            SELECT (SELECT min(r.workspace_id) FROM handler_runs r
                    WHERE r.status = 'queued' AND r.workspace_id > busy.id)
            FROM busy WHERE busy.id IS NOT NULL)
        SELECT id FROM busy WHERE id IS NOT NULL",
    );
    let found: Vec<WithWork> = skipping.load(conn).await?;
    Ok(found.into_iter().map(|WithWork { id: Db(id) }| id).collect())
}
