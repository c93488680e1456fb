//! Takes the runs of a run of a graph that ends away from their workers.

use diesel::prelude::*;
use windlass_core::{HandlerKind, RunId, Status};

use super::super::Tx;
use super::super::cause::Cause;
use super::super::dialect::RunQueryDsl;
use super::super::locked_run::{self, LockedRun};
use super::super::outcome::{self, TransitionContext};
use super::load::LockedGraph;
use crate::error::Result;
use crate::literals::IsActive;
use crate::rows::Db;
use crate::schema::handler_runs;

/// Deletes queued runs and takes active ones away that have no request out. One that has keeps its claim until the answer is in the ledger.
pub(super) async fn runs(tx: &Tx<'_>, locked: &LockedGraph) -> Result<()> {
    let session = locked.run.session_id;
    // A run that a worker claims at this moment is active when the next statement reads it.
    let queued = handler_runs::session_id
        .eq(session)
        .and(handler_runs::kind.eq(Db(HandlerKind::Node)))
        .and(handler_runs::status.eq(Db(Status::Queued)));
    diesel::delete(handler_runs::table.filter(queued)).execute(tx.conn).await?;
    let active = handler_runs::table
        .filter(handler_runs::session_id.eq(session))
        .filter(IsActive)
        .select(handler_runs::id);
    let active: Vec<Db<RunId>> = active.load(tx.conn).await?;
    for Db(run) in active {
        let Some(loaded) = locked_run::load(tx.conn, run).await? else { continue };
        let Some(run) = LockedRun::new(locked.workflow.clone(), loaded) else { continue };
        if !run.state.is_uncertain() {
            let changes = run.state.hand_back(run.recourse)?;
            let message = "the run of its plan ended".to_owned();
            let cause = Some(Cause { message, class: None, at: None });
            let context = TransitionContext { cause, ..TransitionContext::default() };
            outcome::write_rows(tx, &run, &changes, &context).await?;
        }
    }
    Ok(())
}
