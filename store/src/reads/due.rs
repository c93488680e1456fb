//! When there is something to do.

use std::time::Duration;

use diesel::dsl::{exists, min, select};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::Text;
use windlass_core::{Timestamp, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::literals::{IsActive, IsLookedUp};
use crate::params::Takes;
use crate::queue::queued_runs;
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
    let timers = [due, expiry, lookup].into_iter().flatten().map(|At(due)| due.since(now));
    let queued = is_claimable(conn, now, takes).await?.then_some(QUEUED);
    Ok(timers.chain(queued).min())
}

/// Whether a run waits for such a worker.
async fn is_claimable(conn: &mut Conn, now: Timestamp, takes: &Takes) -> Result<bool> {
    let takes_label =
        || handler_runs::label.is_null().or(handler_runs::label.eq_any(&takes.labels));
    Ok(match takes.workspace {
        None => {
            let queued = queued_runs!(now, takes_label());
            select(exists(queued)).get_result(conn).await?
        }
        Some(workspace) => {
            let here = handler_runs::workspace_id.eq(Db(workspace)).and(takes_label());
            select(exists(queued_runs!(now, here))).get_result(conn).await?
        }
    })
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
