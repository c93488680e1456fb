//! When there is something to do.

use std::time::Duration;

use diesel::dsl::{exists, min, select};
use diesel::prelude::*;
use windlass_core::{Timestamp, WorkflowStatus};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::literals::{IsActive, IsLookedUp, IsQueued};
use crate::rows::{At, Db};
use crate::schema::{handler_runs, mutations, workflows};

/// How long a run that waits for a worker is left to it before it is looked at again.
const QUEUED: Duration = Duration::from_secs(1);

/// How long until a workflow is due, a lease expires or an effect is looked up, and never longer than a moment while a run waits for a worker.
pub(super) async fn next_due(conn: &mut Conn, now: Timestamp) -> Result<Option<Duration>> {
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
    let claimable = handler_runs::table
        .inner_join(workflows::table)
        .filter(IsQueued)
        .filter(workflows::status.eq(Db(WorkflowStatus::Active)))
        .filter(workflows::error.is_null().and(workflows::maintenance.eq(false)));
    let is_claimable: bool = select(exists(claimable)).get_result(conn).await?;
    let timers = [due, expiry, lookup].into_iter().flatten().map(|At(due)| due.since(now));
    Ok(timers.chain(is_claimable.then_some(QUEUED)).min())
}
