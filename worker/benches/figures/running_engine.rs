//! An engine that serves in a task, and how its runs ended.

use std::sync::Arc;

use anyhow::bail;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use windlass_core::Status;
use windlass_scheduler::{EngineError, Progress, ProgressStep};

use crate::world::World;

/// How runs ended so far.
#[derive(Debug, Default)]
struct RunTotals {
    n_committed: usize,
    stopped: Option<String>,
}

/// A worker that serves until it is stopped.
#[derive(Debug)]
pub(crate) struct RunningEngine {
    totals: watch::Receiver<RunTotals>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), EngineError>>,
}

impl RunningEngine {
    pub(crate) fn start(world: &World, slots: u32) -> anyhow::Result<Self> {
        let (sender, totals) = watch::channel(RunTotals::default());
        let observer = move |progress: Progress| {
            let ProgressStep::Ended { status, failure } = progress.step else { return };
            sender.send_modify(|totals| {
                if status == Status::Committed {
                    totals.n_committed += 1;
                } else {
                    totals.stopped = Some(format!("{}: {status}, {failure:?}", progress.run));
                }
            });
        };
        let engine = world.engine(slots, Some(Arc::new(observer)))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = tokio::spawn(async move { engine.serve(stopped).await });
        Ok(Self { totals, stop, serving })
    }

    /// Waits until this many runs have committed since the start; fails as soon as one stops.
    pub(crate) async fn committed(&mut self, n_runs: usize) -> anyhow::Result<()> {
        let is_over = |totals: &RunTotals| totals.n_committed >= n_runs || totals.stopped.is_some();
        let totals = self.totals.wait_for(is_over).await?;
        if let Some(stopped) = &totals.stopped {
            bail!("a run did not commit: {stopped}");
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok((&mut self.serving).await??)
    }
}

impl Drop for RunningEngine {
    /// An engine that was not stopped would disturb the next case.
    fn drop(&mut self) {
        self.serving.abort();
    }
}
