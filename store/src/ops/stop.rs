//! Stops a run.

use super::held::hold;
use super::next::go_on;
use super::outcome::Because;
use super::{Operation, Tx, logs, outcome};
use crate::error::Result;
use crate::params::StopRun;

impl Operation for StopRun {
    type Output = ();

    async fn run(self, tx: &mut Tx<'_>) -> Result<()> {
        let mut held = hold(tx, self.claim).await?;
        let context = held.stop_context(tx.policy);
        let changes = held.state.stop(self.entered, &self.failure, context)?;
        logs::append(tx, held.run.id, self.logs).await?;
        outcome::write(tx, &mut held, changes, &Because::failed(&self.failure)).await?;
        go_on(tx, held.workflow).await?;
        Ok(())
    }
}
