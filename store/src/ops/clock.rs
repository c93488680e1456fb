//! What follows when the clock has stepped.
//!
//! Nothing that was due at a moment waits until a clock that was set back has reached that moment again. What was timed by a moment
//! that is ahead of the clock is due at once, which costs at most one needless run of each handler. A lease lasts no longer than
//! before: its own length from now, in which a worker that lives renews it.
//!
//! A clock that was set forward ends nothing early: workers wait for one lease before they recover runs, and a missing effect proves
//! nothing until its time has passed since the step ([`effect_sent_by`]).

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{CLOCK_TOLERANCE, Timestamp, WorkerId};

use super::dialect::RunQueryDsl;
use super::{Tx, reads};
use crate::effect_window;
use crate::error::Result;
use crate::literals::{IsActive, IsLookedUp};
use crate::params::ClockRun;
use crate::rows::{At, Db, WorkflowRow};
use crate::schema::{handler_runs, handler_state, instance, mutations, workers, workflows};

/// Acts on what a worker reports of the clock. Returns when the clock last stepped.
pub(super) async fn check(
    tx: &Tx<'_>,
    run: ClockRun,
    lease: Duration,
) -> Result<Option<Timestamp>> {
    match run {
        ClockRun::Even => {}
        ClockRun::Forward => remember_step(tx, None).await?,
        ClockRun::Back { from } => {
            release_what_is_ahead(tx, lease).await?;
            remember_step(tx, Some(from)).await?;
        }
        ClockRun::Unknown => {
            let latest = reads::workflows::latest_change(tx.conn).await?;
            if release_what_is_ahead(tx, lease).await? {
                remember_step(tx, latest).await?;
            }
        }
    }
    stepped_at(tx).await
}

/// Remembers that the clock has stepped, and from where if it was set back.
async fn remember_step(tx: &Tx<'_>, set_back_from: Option<Timestamp>) -> Result<()> {
    let set_back_from = set_back_from.map(|at| instance::clock_set_back_from.eq(Some(At(at))));
    diesel::update(instance::table)
        .set((instance::clock_stepped_at.eq(Some(At(tx.now))), set_back_from))
        .execute(tx.conn)
        .await?;
    tx.wake();
    Ok(())
}

/// When the clock last stepped, by the time after the step; none where that is ahead of the clock, which went back since.
async fn stepped_at(tx: &Tx<'_>) -> Result<Option<Timestamp>> {
    Ok(last_step(tx).await?.filter(|at| *at <= tx.now))
}

/// The last step that was reported, by the time after it.
async fn last_step(tx: &Tx<'_>) -> Result<Option<Timestamp>> {
    let stepped: Option<At> =
        instance::table.select(instance::clock_stepped_at).first(tx.conn).await?;
    Ok(stepped.map(|At(at)| at))
}

/// By when the request of a run that ended at `ended_at` was certainly sent. A step since then hides how long ago that was.
pub(super) async fn effect_sent_by(tx: &Tx<'_>, ended_at: Timestamp) -> Result<Timestamp> {
    Ok(match last_step(tx).await? {
        // The clock went back since, and nobody has reported that.
        Some(stepped) if stepped > tx.now => tx.now,
        Some(stepped) if ended_at <= stepped || ended_at > tx.now => stepped,
        Some(_) | None => ended_at,
    })
}

/// Whether a time is certainly one of the clock as it runs now: not ahead of it, and not from before it was set back.
pub(super) async fn is_reliable(tx: &Tx<'_>, at: Timestamp) -> Result<bool> {
    let from: Option<At> =
        instance::table.select(instance::clock_set_back_from).first(tx.conn).await?;
    Ok(!at.is_ahead_of(tx.now) && from.is_none_or(|At(from)| at > from))
}

/// Makes due what waits for a moment that was computed while the clock was ahead. Returns whether there was anything.
async fn release_what_is_ahead(tx: &Tx<'_>, lease: Duration) -> Result<bool> {
    let ahead = At(tx.now.after(CLOCK_TOLERANCE));
    let n_workflows = diesel::update(workflows::table)
        .filter(workflows::updated_at.gt(ahead))
        .filter(workflows::due_at.gt(At(tx.now)))
        .set(workflows::due_at.eq(Some(At(tx.now))))
        .execute(tx.conn)
        .await?;
    let n_lookups = release_lookups(tx, ahead).await?;
    let n_leases = shorten_leases(tx, ahead, lease).await?;
    // A worker that lives is listed again with its next heartbeat.
    let not_heard_since = workers::table.filter(workers::last_heartbeat_at.gt(ahead));
    diesel::delete(not_heard_since).execute(tx.conn).await?;
    Ok(n_workflows + n_lookups + n_leases > 0)
}

/// Effects in doubt are looked up now, and a person need not wait for an attempt whose end is ahead.
async fn release_lookups(tx: &Tx<'_>, ahead: At) -> Result<usize> {
    let is_ahead = mutations::updated_at.gt(ahead).or(mutations::last_reconcile_at.gt(ahead));
    let longest = At(tx.now.after(tx.policy.lookup.timeout() * 2));
    diesel::update(
        mutations::table.filter(IsLookedUp).filter(mutations::looked_up_until.gt(longest)),
    )
    .set(mutations::looked_up_until.eq(Some(longest)))
    .execute(tx.conn)
    .await?;
    let released = diesel::update(mutations::table.filter(IsLookedUp).filter(is_ahead))
        .filter(mutations::next_reconcile_at.gt(At(tx.now)))
        .set((
            mutations::next_reconcile_at.eq(Some(At(tx.now))),
            mutations::updated_at.eq(At(tx.now)),
        ));
    released.execute(tx.conn).await
}

/// An active run's worker, the end of its lease, and the worker's last heartbeat.
type Lease = (Option<Db<WorkerId>>, Option<At>, Option<At>);

/// Lets each lease that was granted while the clock was ahead last for its own length from now.
async fn shorten_leases(tx: &Tx<'_>, ahead: At, lease: Duration) -> Result<usize> {
    let granted = handler_runs::table
        .left_join(workers::table.on(workers::id.nullable().eq(handler_runs::claimed_by)))
        .filter(IsActive)
        .filter(handler_runs::lease_expires_at.gt(ahead))
        .select((
            handler_runs::claimed_by,
            handler_runs::lease_expires_at,
            workers::last_heartbeat_at.nullable(),
        ));
    let granted: Vec<Lease> = granted.load(tx.conn).await?;
    let mut n_shortened = 0;
    for (worker, ends, heard_at) in granted {
        let (Some(At(ends)), At(heard_at)) = (ends, heard_at.unwrap_or(ahead)) else { continue };
        // Who was heard of since the step has renewed its leases since.
        if heard_at < ahead.0 {
            continue;
        }
        let end = tx.now.after(ends.since(heard_at).max(lease));
        if end < ends {
            n_shortened += diesel::update(handler_runs::table.filter(IsActive))
                .filter(handler_runs::claimed_by.eq(worker))
                .filter(handler_runs::lease_expires_at.gt(At(end)))
                .set(handler_runs::lease_expires_at.eq(Some(At(end))))
                .execute(tx.conn)
                .await?;
        }
    }
    Ok(n_shortened)
}

/// Makes the handlers due and forgets what else the workflow waits for, if it was timed while the clock was ahead. Returns whether it
/// was.
pub(super) async fn forget_what_is_ahead(tx: &Tx<'_>, workflow: &mut WorkflowRow) -> Result<bool> {
    if !workflow.updated_at.0.is_ahead_of(tx.now) {
        return Ok(false);
    }
    let now = Some(At(tx.now));
    workflow.backoff_until = workflow.backoff_until.min(now);
    if workflow.window_started_at > now {
        effect_window::reset(workflow);
    }
    let of_workflow = handler_state::workflow_id.eq(workflow.id);
    diesel::update(handler_state::table.filter(of_workflow))
        .filter(handler_state::next_run_at.gt(now))
        .set(handler_state::next_run_at.eq(now))
        .execute(tx.conn)
        .await?;
    diesel::update(handler_state::table.filter(of_workflow))
        .filter(handler_state::wake_at.gt(now))
        .set(handler_state::wake_at.eq(now))
        .execute(tx.conn)
        .await?;
    Ok(true)
}
