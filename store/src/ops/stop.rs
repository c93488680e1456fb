//! Stops a run.

use super::held::hold;
use super::next::go_on;
use super::outcome::Because;
use super::{Operation, Tx, again, logs, outcome};
use crate::error::{Result, StoreError};
use crate::params::StopRun;

impl Operation for StopRun {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let mut held = match hold(tx, self.claim).await {
            Err(StoreError::ClaimLost { .. }) if again::is_stopped(tx, &self).await? => {
                return Ok(());
            }
            held => held?,
        };
        let context = held.stop_context(tx.policy);
        let changes = held.state.stop(self.entered, &self.failure, context)?;
        logs::append(tx, held.run.id, self.logs).await?;
        outcome::write(tx, &mut held, changes, &Because::failed(&self.failure)).await?;
        go_on(tx, held.workflow).await?;
        Ok(())
    }
}
