//! Stops a run.

use super::advance::advance_workflow;
use super::blame::About;
use super::dialect::Conn;
use super::locked_run::{LockedRun, lock_claimed_run};
use super::outcome::TransitionContext;
use super::{Staged, Tx, logs, outcome, replay};
use crate::error::{Result, StoreError};
use crate::params::StopRun;

impl Staged for StopRun {
    type Output = ();
    type Preloaded = Option<LockedRun>;

    async fn preload(&self, conn: &Conn) -> Result<Option<LockedRun>> {
        lock_claimed_run(conn, self.claim).await
    }

    async fn execute(self, tx: &Tx<'_>, locked: Option<LockedRun>) -> Result<()> {
        let Some(mut locked) = locked else {
            let is_stopped = replay::is_stopped(tx, &self).await?;
            return is_stopped.then_some(()).ok_or(StoreError::ClaimLost { run: self.claim.run });
        };
        let about = About::of(tx, &locked, &self.failure, &self.seen).await?;
        let failed_in = self.entered.unwrap_or(locked.state.phase);
        let suspects = about.suspects(failed_in, &tx.policy.events);
        let context = locked.stop_context(tx.policy, suspects);
        let changes = locked.state.stop(self.entered, &self.failure, context)?;
        logs::append(tx, &locked.run, self.logs).await?;
        let context = TransitionContext::failed(&self.failure, about);
        outcome::write(tx, &mut locked, changes, &context).await?;
        advance_workflow(tx, locked.workflow).await?;
        Ok(())
    }
}
