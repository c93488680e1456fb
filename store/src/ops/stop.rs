//! Stops a run.

use super::dialect::Conn;
use super::held::{Held, hold};
use super::next::go_on;
use super::outcome::Because;
use super::{Staged, Tx, again, logs, outcome};
use crate::error::{Result, StoreError};
use crate::params::StopRun;

impl Staged for StopRun {
    type Output = ();
    type Seen = Option<Held>;

    async fn look(&self, conn: &Conn) -> Result<Option<Held>> {
        hold(conn, self.claim).await
    }

    async fn act(self, tx: &Tx<'_>, held: Option<Held>) -> Result<()> {
        let Some(mut held) = held else {
            let is_stopped = again::is_stopped(tx, &self).await?;
            return is_stopped.then_some(()).ok_or(StoreError::ClaimLost { run: self.claim.run });
        };
        let context = held.stop_context(tx.policy);
        let changes = held.state.stop(self.entered, &self.failure, context)?;
        logs::append(tx, held.run.id, self.logs).await?;
        outcome::write(tx, &mut held, changes, &Because::failed(&self.failure)).await?;
        go_on(tx, held.workflow).await?;
        Ok(())
    }
}
