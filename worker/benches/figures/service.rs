//! An engine at work, and what is heard of it.

use std::sync::Arc;

use anyhow::bail;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use windlass_core::Status;
use windlass_scheduler::{EngineError, Progress, ProgressStep};

use crate::world::World;

/// What became of the runs so far.
#[derive(Debug, Default)]
struct Heard {
    n_committed: usize,
    stopped: Option<String>,
}

/// A worker that serves until it is stopped.
#[derive(Debug)]
pub(crate) struct Service {
    heard: watch::Receiver<Heard>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), EngineError>>,
}

impl Service {
    pub(crate) fn start(world: &World, slots: u32) -> anyhow::Result<Self> {
        let (sender, heard) = watch::channel(Heard::default());
        let observer = move |progress: Progress| {
            let ProgressStep::Ended { status, failure } = progress.step else { return };
            sender.send_modify(|heard| {
                if status == Status::Committed {
                    heard.n_committed += 1;
                } else {
                    heard.stopped = Some(format!("{}: {status}, {failure:?}", progress.run));
                }
            });
        };
        let engine = world.engine(slots, Some(Arc::new(observer)))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = tokio::spawn(async move { engine.serve(stopped).await });
        Ok(Self { heard, stop, serving })
    }

    /// Waits until as many runs have committed since the start; fails as soon as one has not.
    pub(crate) async fn committed(&mut self, n_runs: usize) -> anyhow::Result<()> {
        let is_over = |heard: &Heard| heard.n_committed >= n_runs || heard.stopped.is_some();
        let heard = self.heard.wait_for(is_over).await?;
        if let Some(stopped) = &heard.stopped {
            bail!("a run did not commit: {stopped}");
        }
        Ok(())
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok((&mut self.serving).await??)
    }
}

impl Drop for Service {
    /// One that was not stopped would go on while the next case is measured.
    fn drop(&mut self) {
        self.serving.abort();
    }
}
